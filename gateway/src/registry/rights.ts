/** Who may publish what. Roles say whether somebody may publish at all; these say whose. */
import { assertCan, can, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { SubgraphDocument } from './store/subgraph.document.js';

/**
 * A subgraph of core is changed by those who may everywhere; an experiment's by its own service, and by people who may in the experiment.
 * @throws DomainError FORBIDDEN
 */
export function assertMayChange(
  principal: Principal,
  { _id: name, typePrefix }: Pick<SubgraphDocument, '_id' | 'typePrefix'>,
  action: 'schema:publish' | 'subgraph:register',
): void {
  const { kind, service, subject } = principal;
  if (kind === 'SERVICE' && service !== name) {
    const text = `SERVICE "${subject}" may publish the subgraph "${service ?? 'none'}" only, not "${name}"`;
    throw new DomainError('FORBIDDEN', text, { action, subgraph: name });
  }
  if (typePrefix === null && !can(principal, action, '*')) {
    const text = `${kind} "${subject}" may not ${action} for "${name}": it is of core, and needs the right in all experiments`;
    throw new DomainError('FORBIDDEN', text, { action, subgraph: name });
  }
  assertCan(principal, action, typePrefix === null ? '*' : name);
}
