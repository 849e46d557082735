import { authorisationScope, narrowPrincipal, type Principal, sharePrincipal } from '@rhizome/authz';

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

/** A pilot acts for its queue or its worker only and a service for its experiment, whatever their roles. */
function baseScope(principal: Principal): string {
  const { queue, service, worker } = principal;
  const limits = worker === undefined ? [queue ?? null, service ?? null] : [queue ?? null, worker];
  return `${authorisationScope(principal)} ${JSON.stringify(limits)}`;
}

/** Principal and scope that the calls of an operation carry. */
export interface Caller {
  readonly principal: Principal | undefined;
  readonly scope: string;
}

const shared = new WeakMap<Principal, Principal>();

/**
 * The caller of an operation for the subgraphs. A person is named only to operations that are `personal`:
 * those that change something, or whose answer depends on the person. All others are for a scope.
 */
export function callerOf(principal: Principal | undefined, personal: boolean): Caller {
  const scope = scopeOf(principal, personal);
  if (!principal || personal) return { principal, scope };
  let anyone = shared.get(principal);
  if (!anyone) shared.set(principal, (anyone = sharePrincipal(principal)));
  return { principal: anyone, scope };
}

/** Narrows principals for one subgraph; the same principal is narrowed once. */
export class Narrowing {
  readonly #experimentOf: (subgraph: string) => string | undefined;
  readonly #narrowed = new WeakMap<Principal, Map<string | undefined, Principal>>();

  /** `experimentOf` says which experiment a subgraph belongs to; undefined for those of the deployment. */
  constructor(experimentOf: (subgraph: string) => string | undefined) {
    this.#experimentOf = experimentOf;
  }

  /** The principal as the subgraph sees it. */
  readonly principalFor = (principal: Principal, subgraph: string): Principal => {
    const experiment = this.#experimentOf(subgraph);
    let known = this.#narrowed.get(principal);
    if (!known) this.#narrowed.set(principal, (known = new Map()));
    let narrowed = known.get(experiment);
    if (!narrowed) known.set(experiment, (narrowed = narrowPrincipal(principal, experiment)));
    return narrowed;
  };
}
