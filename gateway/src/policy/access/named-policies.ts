import { can, isAction, type Principal, type Role } from '@rhizome/authz';
import type { AccessRule, ScopeRule } from './access-rules.js';

/** A named policy of the configuration: each given part must hold. */
export interface NamedPolicy {
  /** Kinds of principals. */
  readonly kinds?: readonly string[] | undefined;
  /** Roles, of which one must be held in one of the experiments. */
  readonly roles?: readonly Role[] | undefined;
  /** Experiments for the roles; default: any. `*` asks for the role in all experiments. */
  readonly experiments?: readonly string[] | undefined;
}

/** Policies by name. */
export type NamedPolicies = Readonly<Record<string, NamedPolicy>>;

/** Returns true if a caller meets the rule. An unknown scope or policy is met by nobody. */
export function meets(rule: AccessRule, principal: Principal | undefined, policies: NamedPolicies): boolean {
  if (!principal) return false;
  return (
    rule.scopes.every((scope) => meetsScope(scope, principal)) &&
    rule.policies.every((alternatives) =>
      alternatives.some((names) => names.every((name) => meetsPolicy(policies[name], principal))),
    )
  );
}

function meetsScope({ alternatives, experiments }: ScopeRule, principal: Principal): boolean {
  const where = experiments.length > 0 ? experiments : ['*'];
  const holds = (scope: string): boolean =>
    where.every((experiment) =>
      isAction(scope) ? can(principal, scope, experiment) : holdsUnknown(principal, scope, experiment),
    );
  return alternatives.some((scopes) => scopes.every(holds));
}

/** An action that only the experiment knows is held by its ADMIN, as all actions are; agents only read. */
function holdsUnknown({ kind, grants, actions }: Principal, scope: string, experiment: string): boolean {
  if (kind === 'PILOT' || (kind === 'AGENT' && !scope.endsWith(':read'))) return false;
  if (actions && !actions.includes(scope)) return false;
  return grants.some(
    (grant) => (grant.experiment === '*' || grant.experiment === experiment) && grant.roles.includes('ADMIN'),
  );
}

function meetsPolicy(policy: NamedPolicy | undefined, { kind, grants }: Principal): boolean {
  if (!policy) return false;
  const { kinds, roles, experiments } = policy;
  if (kinds && !kinds.includes(kind)) return false;
  if (!roles) return true;
  return grants.some(
    (grant) =>
      (!experiments || grant.experiment === '*' || experiments.includes(grant.experiment)) &&
      grant.roles.some((role) => roles.includes(role)),
  );
}
