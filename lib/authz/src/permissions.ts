import { DomainError } from '@rhizome/errors';
import { type Action, actionsOfRole, actionsVersion, isAction } from './actions.js';
import { describePrincipal, type Grant, type Principal } from './principal.js';

/** For each action a principal has: everywhere (`*`), or the experiments it has it in. */
export type Permissions = ReadonlyMap<Action, '*' | ReadonlySet<string>>;

const derived = new WeakMap<Principal, { version: number; permissions: Permissions }>();

/**
 * The principal's permissions, computed from its grants once. Agents keep only the reads of what both they
 * and their humans are granted, pilots only what pilots do: a token of theirs lies on a worker node, and
 * is no way to the jobs of others whatever roles somebody gave it.
 */
export function permissionsOf(principal: Principal): Permissions {
  const version = actionsVersion();
  const known = derived.get(principal);
  if (known?.version === version) return known.permissions;
  const permissions = compute(principal);
  derived.set(principal, { version, permissions });
  return permissions;
}

function compute(principal: Principal): Permissions {
  const own = granted(principal.grants, keptBy(principal));
  const bound = principal.boundedBy ?? (principal.kind === 'AGENT' ? [] : undefined);
  return bound
    ? intersection(
        own,
        granted(bound, () => true),
      )
    : own;
}

/** The actions that both allow, where both allow them. */
function intersection(one: Permissions, other: Permissions): Permissions {
  const found = new Map<Action, '*' | ReadonlySet<string>>();
  for (const [action, scope] of one) {
    const limit = other.get(action);
    if (limit === undefined) continue;
    const both = scope === '*' ? limit : limit === '*' ? scope : intersectionOf(scope, limit);
    if (both === '*' || both.size > 0) found.set(action, both);
  }
  return found;
}

function intersectionOf(one: ReadonlySet<string>, other: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...one].filter((experiment) => other.has(experiment)));
}

function granted(grants: readonly Grant[], keeps: (action: Action) => boolean): Permissions {
  const found = new Map<Action, '*' | Set<string>>();
  for (const { experiment, roles } of grants) {
    for (const action of roles.flatMap((role) => actionsOfRole(role))) {
      if (!keeps(action)) continue;
      const scope = found.get(action);
      if (scope === '*') continue;
      if (experiment === '*') found.set(action, '*');
      else if (scope) scope.add(experiment);
      else found.set(action, new Set([experiment]));
    }
  }
  return found;
}

/** Upper limit of the actions of a principal: of its kind, and those that its token is limited to. */
function keptBy(principal: Principal): (action: Action) => boolean {
  const ofKind = keptByKind(principal);
  if (!principal.actions) return ofKind;
  const named = new Set(principal.actions);
  return (action) => named.has(action) && ofKind(action);
}

function keptByKind({ kind }: Principal): (action: Action) => boolean {
  if (kind === 'AGENT') return (action) => action.endsWith(':read');
  if (kind !== 'PILOT') return () => true;
  const known = new Set(actionsOfRole('PILOT'));
  return (action) => known.has(action);
}

function scopeOf(principal: Principal, action: Action): '*' | ReadonlySet<string> | undefined {
  if (!isAction(action)) {
    throw new DomainError('CONFIG_INVALID', `Action "${String(action)}" is not in the list of actions`, {
      field: 'action',
      value: action,
      expected: 'an action of core, or one made by defineActions',
    });
  }
  return permissionsOf(principal).get(action);
}

/**
 * Whether the principal may do this in the experiment. Without an experiment: whether it may do it in any at
 * all, which is the right question only where the answer is then narrowed by {@link experimentsFor}. With
 * `*`: everywhere.
 */
export function can(principal: Principal, action: Action, experiment?: string): boolean {
  const scope = scopeOf(principal, action);
  if (scope === undefined) return false;
  if (scope === '*' || experiment === undefined) return true;
  return scope.has(experiment);
}

/** As {@link can}, but throws DomainError FORBIDDEN that names the action and the experiment. */
export function assertCan(principal: Principal, action: Action, experiment?: string): void {
  if (can(principal, action, experiment)) return;
  const where =
    experiment === undefined ? '' : experiment === '*' ? ' in all experiments' : ` in "${experiment}"`;
  throw new DomainError('FORBIDDEN', `${describePrincipal(principal)} may not ${action}${where}`, {
    action,
    ...(experiment === undefined ? {} : { experiment }),
  });
}

/** The experiments in which the principal has the action, sorted: what a filter is narrowed to. */
export function experimentsFor(principal: Principal, action: Action): '*' | readonly string[] {
  const scope = scopeOf(principal, action);
  if (scope === '*') return '*';
  return scope ? [...scope].sort() : [];
}

/**
 * Stable key, equal for two principals exactly if only fields marked `perPrincipal` can differ between them.
 * It lists roles because they determine all permissions, also in experiments unknown to this process.
 */
export function authorisationScope(principal: Principal): string {
  const limit = principal.actions && ` only ${[...new Set(principal.actions)].sort().join(' ')}`;
  const bound = principal.boundedBy && ` within ${rolesText(principal.boundedBy)}`;
  const { attempt } = principal;
  const of = attempt && ` of ${attempt.jobId} ${attempt.fence}`;
  return `${principal.kind} ${rolesText(principal.grants)}${bound ?? ''}${limit ?? ''}${of ?? ''}`;
}

function rolesText(grants: readonly Grant[]): string {
  const pairs = grants.flatMap(({ experiment, roles }) =>
    roles.map((role) => `${JSON.stringify(experiment)}:${role}`),
  );
  return [...new Set(pairs)].sort().join(' ');
}
