/** Rights that decide which tools a caller sees. Subgraphs check each call again. */
import { can, createPrincipal, isAction, type Principal } from '@rhizome/authz';
import type { CheckedOperation } from '@rhizome/schema/agent-operations';

/** True if the caller may see a tool. */
export function maySee(
  { permission, stakes, subgraph, typePrefix }: CheckedOperation,
  principal: Principal | undefined,
): boolean {
  if (!principal) return true;
  const experiment = typePrefix === null ? undefined : subgraph;
  // A proposal is decided by a person: the rights of the person count, not those of its software.
  const holder = stakes === null ? principal : personOf(principal);
  if (permission === null) return can(holder, 'experiment:read', experiment);
  return isAction(permission) && can(holder, permission, experiment);
}

const people = new WeakMap<Principal, Principal>();

/** The person behind an agent, with at most the rights that both have; any other principal itself. */
export function personOf(principal: Principal): Principal {
  if (principal.kind !== 'AGENT') return principal;
  const known = people.get(principal);
  if (known) return known;
  const { actsFor, grants, boundedBy = [], actions, expiresAt } = principal;
  const subject = actsFor ?? principal.subject;
  const person = createPrincipal({ kind: 'HUMAN', subject, grants, boundedBy, actions, expiresAt });
  people.set(principal, person);
  return person;
}
