/** One fault of the native planner, or of the composition library, with the guard against it. */
export interface Guard {
  /** Effect of the fault without the guard: one clause, also the reason in `extensions.plan` and in logs. */
  readonly fault: string;
  /** Action of the guard. */
  readonly remedy: string;
  /** Module that implements it, below `src`. */
  readonly module: string;
  /** The upstream problem that the guard exists for. */
  readonly problem: UpstreamProblem;
}

/**
 * A problem of a library, as its maintainers need it: the reproduction of the guard is the example, the
 * reference page adds the installed version.
 */
export interface UpstreamProblem {
  readonly component: '@graphql-hive/router-query-planner' | '@theguild/federation-composition';
  /** Result of the reproduction with the library alone. */
  readonly actual: string;
  /** Result that would be right. */
  readonly expected: string;
  /** Report in the tracker of the library; undefined if there is none. */
  readonly report?: UpstreamReport | undefined;
}

/** A report in the project that has the fault. */
export interface UpstreamReport {
  readonly url: string;
  /** `exact`: the same fault; `related`: the same part of the planner, another example. */
  readonly match: 'exact' | 'related';
}

const inProject =
  (path: string) =>
  (number: number, match: UpstreamReport['match']): UpstreamReport => ({
    url: `https://github.com/graphql-hive/${path}/${number}`,
    match,
  });

const issue = inProject('router/issues');
const pullRequest = inProject('router/pull');

type Problem = Omit<UpstreamProblem, 'component' | 'report'>;

const ofPlanner = (problem: Problem, report?: UpstreamReport): UpstreamProblem => ({
  component: '@graphql-hive/router-query-planner',
  ...problem,
  report,
});

/**
 * All guards against faults of `@graphql-hive/router-query-planner`, in the order in which a plan passes
 * them. The test of this table fails when a guard is no longer needed; then remove the guard and its row.
 */
export const guards = {
  'interface-object-externals': {
    fault: 'composition does not mark as external the fields that an interface object requires',
    remedy: 'adds the missing `external: true` to the supergraph',
    module: 'planning/native/patch-supergraph',
    problem: {
      component: '@theguild/federation-composition',
      actual:
        'the supergraph has `title` of "labels" without `external: true`, so "labels" gets no `title`: `label` is "See undefined"',
      expected: 'the supergraph marks the field as external and `label` is "See Dune"',
      report: inProject('console/issues')(4642, 'related'),
    },
  },
  conditions: {
    fault:
      'operations with conditions on fragments of abstract types, and operations that conditions leave empty, have no plan',
    remedy: 'plans once for each set of values, with `@skip` and `@include` applied',
    module: 'planning/normalise',
    problem: ofPlanner(
      {
        actual: 'planning fails for both operations',
        expected:
          'a plan for each value of `$x`, and an empty plan for the operation in which nothing is left',
      },
      issue(949, 'related'),
    ),
  },
  'unreachable-fragments': {
    fault: 'an operation with a fragment that no type can meet has no plan',
    remedy: 'drops the fragment',
    module: 'planning/normalise',
    problem: ofPlanner(
      {
        actual: 'planning fails',
        expected: 'a plan without the fragment: `thing` is an empty object',
      },
      issue(1189, 'related'),
    ),
  },
  'aliased-typename': {
    fault: '`__typename` of an interface object is fetched under an alias only, so its type is unknown',
    remedy: 'plans `__typename` without alias; the gateway writes the aliases into the answer',
    module: 'planning/normalise',
    problem: ofPlanner(
      {
        actual: '"owner" is asked for `t: __typename` only, so the type of the entity itself stays unknown',
        expected: '"owner" is asked for `__typename`, too: `t` is "Film" and "Song"',
      },
      pullRequest(1124, 'related'),
    ),
  },
  'reserved-variables': {
    fault: "a client's variable `$representations` is declared twice",
    remedy: 'renames the variable for the planner',
    module: 'planning/normalise',
    problem: ofPlanner({
      actual: 'the fetch declares `$representations` as `[_Any!]!` and as `Int`; the subgraph rejects it',
      expected: 'the variable of the entities, or that of the client, gets a free name',
    }),
  },
  'planner-crash': {
    fault: 'the planner aborts its process',
    remedy: 'runs the planner in a process of its own, and plans the operation with the fallback planner',
    module: 'planning/pool',
    problem: ofPlanner(
      { actual: 'the process aborts', expected: 'a plan, or an error that the caller can catch' },
      issue(1311, 'related'),
    ),
  },
  'planner-errors': {
    fault: 'the planner fails on an operation that can be answered',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/planner',
    problem: ofPlanner(
      {
        actual: 'planning fails for each of the three operations',
        expected: 'a plan: all fields can be reached by the keys',
      },
      issue(1310, 'exact'),
    ),
  },
  'interface-object-types': {
    fault: 'no path is found from an interface object to a field of one of its types',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/is-unplannable',
    problem: ofPlanner({
      actual: 'planning fails',
      expected: 'a plan that finds the type of `top` in "owner" and reads `budget` there',
    }),
  },
  'serial-mutations': {
    fault: 'fetches that belong to one root field of a mutation run after the next root field',
    remedy: 'plans each root field of the mutation separately',
    module: 'planning/planner',
    problem: ofPlanner(
      {
        actual: 'both fetches of `total` run after the second root field: each is 2',
        expected: 'the fetch of `first` runs before the second mutation: 1, then 2',
      },
      pullRequest(161, 'related'),
    ),
  },
  'unused-alias': {
    fault: 'a field is fetched under a name that nothing reads',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    problem: ofPlanner(
      {
        actual:
          '`price(in: 3)` is fetched under an alias, but `price` without argument is sent to "experiment": `cost` is 100',
        expected: 'the value under the alias is sent: `cost` is 300',
      },
      issue(838, 'related'),
    ),
  },
  'conflicting-fields': {
    fault: 'a fetch has fields of one response key that the subgraph cannot merge',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    problem: ofPlanner(
      {
        actual:
          'one fetch selects `weight: Int` and `weight: Int!` under one response key; the subgraph rejects it',
        expected: 'an alias for one of the two, or two fetches',
      },
      issue(876, 'related'),
    ),
  },
  'missing-keys': {
    fault: 'entities are fetched by a key that no earlier fetch brings',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    problem: ofPlanner(
      {
        actual:
          'the representation of `job` takes `price` from an alias that no earlier fetch selects: `cost` of `job` is an error',
        expected: 'the fetch selects the alias: both `cost` are 300',
      },
      issue(838, 'related'),
    ),
  },
  'merged-fields': {
    fault: 'two different fields are merged into one',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/response-key-conflicts',
    problem: ofPlanner(
      {
        actual: '`size(in: 3)` and `price(in: 4)` are fetched under one internal alias: `weight` is 4',
        expected: 'an alias for each: `weight` is 3',
      },
      issue(838, 'related'),
    ),
  },
  'wrong-required-field': {
    fault: 'a field is sent in place of the required one',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/plan-check',
    problem: ofPlanner(
      {
        actual: '`price` without argument is sent as the required one: `cost` of `next` is 100',
        expected: '`price(in: 3)` is sent: `cost` of `next` is 300',
      },
      issue(838, 'related'),
    ),
  },
  'missing-type-conditions': {
    fault: 'a field is fetched for only some of the types that it is selected on',
    remedy: 'plans the operation with the fallback planner',
    module: 'planning/checks/missing-type-conditions',
    problem: ofPlanner(
      {
        actual: '`stars` is fetched for songs only: `c` of the film is null',
        expected: '`stars` is fetched for films and songs: both are 5',
      },
      issue(1309, 'related'),
    ),
  },
  'redundant-fetches': {
    fault: 'a fetch goes back to a subgraph for what an earlier fetch could have brought',
    remedy: 'takes the plan of the fallback planner if it is shorter',
    module: 'planning/checks/redundant-fetch',
    problem: ofPlanner(
      {
        actual: 'four calls: a second one goes to "jobs" for `size` alone',
        expected: 'three calls: the fetch that brings `job` selects `size`',
      },
      issue(1539, 'exact'),
    ),
  },
} as const satisfies Readonly<Record<string, Guard>>;

/** Name of a guard. */
export type GuardName = keyof typeof guards;
