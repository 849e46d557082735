import { authorisationScope, type Principal } from '@rhizome/authz';

const scopes = new WeakMap<Principal, string>();

/**
 * Stable text of a principal's permissions: principals with the same scope may share one execution.
 * `perPrincipal` narrows it to the subject and, for an agent, to the human it acts for.
 */
export function scopeOf(principal: Principal | undefined, perPrincipal: boolean): string {
  if (!principal) return 'anybody';
  let scope = scopes.get(principal);
  if (scope === undefined) scopes.set(principal, (scope = baseScope(principal)));
  if (!perPrincipal) return scope;
  return `${scope} ${JSON.stringify([principal.subject, principal.actsFor ?? null])}`;
}

/** A pilot acts for its queue only and a service for its experiment, whatever their roles. */
function baseScope(principal: Principal): string {
  const { queue, service } = principal;
  return `${authorisationScope(principal)} ${JSON.stringify([queue ?? null, service ?? null])}`;
}
