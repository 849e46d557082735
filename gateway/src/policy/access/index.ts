/** Access directives of the graph: `@authenticated`, `@requiresScopes`, `@policy`. */
import type { Principal } from '@rhizome/authz';
import type { Engine, OperationInfo } from '@rhizome/federation';
import { type AccessRule, type AccessRules, readAccessRules } from './access-rules.js';
import { meets, type NamedPolicies } from './named-policies.js';
import { restrict, type Restriction } from './restriction.js';

export { withoutAccessDemand } from './access-rules.js';
export { complete } from './completion.js';
export type { NamedPolicies, NamedPolicy } from './named-policies.js';
export type { Restriction } from './restriction.js';

/** Options of {@link AccessGuard}. */
export interface AccessGuardOptions {
  /** Experiment that a subgraph belongs to; undefined for subgraphs of the deployment. */
  readonly experimentOf: (subgraph: string) => string | undefined;
  readonly policies: NamedPolicies;
}

/** Applies the access directives of one supergraph to operations. */
export class AccessGuard {
  readonly #rules: AccessRules;
  readonly #policies: NamedPolicies;
  /** Rules of the fields that an operation selects; most operations select none that has a rule. */
  readonly #selected = new WeakMap<OperationInfo['document'], ReadonlySet<AccessRule>>();

  constructor(supergraphSdl: string, { experimentOf, policies }: AccessGuardOptions) {
    this.#rules = readAccessRules(supergraphSdl, experimentOf);
    this.#policies = policies;
  }

  /** The operation without the fields that the caller may not read; undefined if it may read all of them. */
  restrict(
    engine: Engine,
    { document }: OperationInfo,
    principal: Principal | undefined,
  ): Restriction | undefined {
    if (this.#rules.size === 0) return undefined;
    const mayRead = (rule: AccessRule): boolean => meets(rule, principal, this.#policies);
    if ([...this.#selectedBy(engine, document)].every(mayRead)) return undefined;
    return restrict(document, engine.publicSchema, this.#rules, mayRead);
  }

  /** Collected once for each document: rewriting it costs more than the rest of a small operation. */
  #selectedBy(engine: Engine, document: OperationInfo['document']): ReadonlySet<AccessRule> {
    const known = this.#selected.get(document);
    if (known) return known;
    const selected = new Set<AccessRule>();
    restrict(document, engine.publicSchema, this.#rules, (rule) => Boolean(selected.add(rule)));
    this.#selected.set(document, selected);
    return selected;
  }
}
