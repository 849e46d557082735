/**
 * Permissions to publish. Roles decide whether a principal may publish at all; this module decides which
 * subgraphs.
 */
import { assertCan, can, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { SubgraphDocument } from './store/subgraph.document.js';

/**
 * Core's subgraphs need the permission in all experiments; an experiment's may be changed by its own service
 * and by people with the permission in the experiment.
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
    const text = `${kind} "${subject}" may not ${action} for "${name}": it belongs to core and needs the permission in all experiments`;
    throw new DomainError('FORBIDDEN', text, { action, subgraph: name });
  }
  assertCan(principal, action, typePrefix === null ? '*' : name);
}
