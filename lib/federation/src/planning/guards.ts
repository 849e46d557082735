/** One fault of the native planner, or of the composition library, with the guard against it. */
export interface Guard {
  /** Effect of the fault without the guard: one clause, also the reason in `extensions.plan` and in logs. */
  readonly fault: string;
  /** Action of the guard. */
  readonly remedy: string;
  /** Module that implements it, below `src`. */
  readonly module: string;
  /** Upstream report; undefined if there is none. */
  readonly upstream?: UpstreamReport | undefined;
}

/** A report in the project that has the fault. */
export interface UpstreamReport {
  readonly url: string;
  /** `exact`: the same fault; `related`: the same part of the planner, another example. */
  readonly match: 'exact' | 'related';
}

const router = (number: number, match: UpstreamReport['match']): UpstreamReport => ({
  url: `https://github.com/graphql-hive/router/issues/${number}`,
  match,
});

/**
 * All guards against faults of `@graphql-hive/router-query-planner`, in the order in which a plan passes
 * them. The test of this table fails when a guard is no longer needed; then remove the guard and its row.
 */
export const guards = {
  'interface-object-externals': {
    fault: 'composition does not mark the fields that an interface object requires as external',
    remedy: 'adds the missing `external: true` to the supergraph',
    module: 'planning/native/patch-supergraph',
  },
  conditions: {
    fault:
      'operations with conditions on fragments of abstract types, or with nothing left of them, have no plan',
    remedy: 'plans once for each set of values, with `@skip` and `@include` applied',
    module: 'planning/normalise',
    upstream: router(949, 'related'),
  },
  'unreachable-fragments': {
    fault: 'an operation with a fragment that no type can meet has no plan',
    remedy: 'drops the fragment',
    module: 'planning/normalise',
  },
  'aliased-typename': {
    fault: 'an alias of `__typename` is fetched instead of the type of an interface object',
    remedy: 'asks for `__typename` without alias; the answer is written from the type',
    module: 'planning/normalise',
  },
  'reserved-variables': {
    fault: "a client's variable `$representations` is declared twice",
    remedy: 'renames the variable for the planner',
    module: 'planning/normalise',
  },
  'planner-crash': {
    fault: 'the planner aborts its process',
    remedy: 'runs the planner in a process of its own, and plans the operation with the fallback planner',
    module: 'planning/pool',
    upstream: router(1311, 'related'),
  },
  'planner-errors': {
    fault: 'the planner fails on an operation that can be answered',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/planner',
    upstream: router(1310, 'exact'),
  },
  'interface-object-types': {
    fault: 'no path is found from an interface object to a field of one of its types',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/is-unplannable',
  },
  'serial-mutations': {
    fault: 'fetches that belong to one mutation run after the next mutation',
    remedy: 'plans each mutation for itself',
    module: 'planning/planner',
  },
  'unused-alias': {
    fault: 'a field is fetched under a name that nothing reads',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    upstream: router(838, 'related'),
  },
  'conflicting-fields': {
    fault: 'a fetch has fields of one response key that the subgraph cannot merge',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    upstream: router(876, 'related'),
  },
  'missing-keys': {
    fault: 'entities are fetched by a key that no earlier fetch brings',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    upstream: router(838, 'related'),
  },
  'merged-fields': {
    fault: 'two different fields are merged into one',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/response-key-conflicts',
    upstream: router(838, 'related'),
  },
  'wrong-required-field': {
    fault: 'a field is sent in place of the required one',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    upstream: router(838, 'related'),
  },
  'missing-type-conditions': {
    fault: 'a field is fetched for only some of the types that it is selected on',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/missing-type-conditions',
  },
  'redundant-fetches': {
    fault: 'a fetch goes back to a subgraph for what an earlier fetch could have brought',
    remedy: 'takes the plan of the fallback planner if it is shorter',
    module: 'planning/checks/redundant-fetch',
    upstream: router(1539, 'exact'),
  },
} as const satisfies Readonly<Record<string, Guard>>;

/** Name of a guard. */
export type GuardName = keyof typeof guards;
