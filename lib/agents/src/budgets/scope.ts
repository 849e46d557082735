/** Rules about the agents that a budget or a stop concerns, and the people who may set one. */
import { can, experimentsFor, owns, permissionsOf, type Principal } from '@rhizome/authz';
import { isPerson } from '../proposals/visibility.js';
import type { AgentScope, Authority } from './budget.document.js';

/** Facts of a caller by which its budgets and stops are found. */
export interface Concerned {
  /** Subject of the agent; undefined for a person, which all of its agents concern. */
  readonly agent?: string | undefined;
  readonly people: readonly string[];
  readonly experiments: '*' | readonly string[];
}

/** Budgets and stops that a caller may list. */
export interface VisibleScopes {
  readonly people: readonly string[];
  readonly experiments: '*' | readonly string[];
}

/** Facts of an agent or a person; undefined for other principals, which no budget concerns. */
export function concernedOf(principal: Principal): Concerned | undefined {
  const { kind, subject, actsFor, linked = [] } = principal;
  const experiments = experimentsOf(principal);
  if (kind === 'AGENT')
    return { agent: subject, people: actsFor === undefined ? [] : [actsFor], experiments };
  return isPerson(principal) ? { people: [subject, ...linked], experiments } : undefined;
}

/** True if a scope concerns an agent, or the agents of a person. */
export function fitsScope({ agent, people, experiments }: Concerned, scope: AgentScope): boolean {
  // A person sees the limits of its own agents only, not those of others in the same experiment.
  const isOfAgent = agent === undefined ? scope.person !== null : scope.agent === agent;
  return (
    (scope.agent === null || isOfAgent) &&
    (scope.person === null || people.includes(scope.person)) &&
    (scope.experiment === null || experiments === '*' || experiments.includes(scope.experiment))
  );
}

/** The scopes that a principal may list: its own, and those of experiments that it administers. */
export function visibleScopes(principal: Principal): VisibleScopes {
  const { subject, linked = [] } = principal;
  return {
    people: isPerson(principal) ? [subject, ...linked] : [],
    experiments: experimentsFor(principal, 'admin:*'),
  };
}

/** The right by which a person may set a budget or a stop for a scope; undefined if it may not. */
export function authorityFor(
  principal: Principal,
  { person, experiment }: Pick<AgentScope, 'person' | 'experiment'>,
): Authority | undefined {
  if (!isPerson(principal)) return undefined;
  if (experiment !== null && can(principal, 'admin:*', experiment)) return 'EXPERIMENT';
  if (can(principal, 'admin:*', '*')) return 'INSTALLATION';
  return person !== null && owns(principal, person) ? 'PERSON' : undefined;
}

/**
 * Experiments of a principal. Those of an agent are the ones in which it may propose changes: by its grants
 * and those of its person, whatever actions its token is limited to.
 */
function experimentsOf(principal: Principal): '*' | readonly string[] {
  const { kind, grants, boundedBy } = principal;
  if (kind !== 'AGENT') return union(permissionsOf(principal).values());
  const own = namesOf(grants);
  const bound = boundedBy ? namesOf(boundedBy) : '*';
  if (own === '*') return bound;
  return bound === '*' ? own : own.filter((one) => bound.includes(one));
}

function namesOf(grants: Principal['grants']): '*' | readonly string[] {
  return union(grants.map(({ experiment }) => (experiment === '*' ? '*' : [experiment])));
}

function union(scopes: Iterable<'*' | Iterable<string>>): '*' | readonly string[] {
  const found = new Set<string>();
  for (const scope of scopes) {
    if (scope === '*') return '*';
    for (const experiment of scope) found.add(experiment);
  }
  return [...found].sort();
}
