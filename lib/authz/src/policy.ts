import { DomainError } from '@rhizome/errors';
import type { Action } from './actions.js';
import { assertCan } from './permissions.js';
import { describePrincipal, type Principal } from './principal.js';

/** Input of a policy: the caller and the arguments of the field. Nothing is resolved yet. */
export interface PolicyCall<TArgs = unknown, TContext = unknown, TParent = unknown> {
  readonly principal: Principal;
  readonly args: TArgs;
  readonly context: TContext;
  /** The object the field belongs to; for an entity, the representation. */
  readonly parent: TParent;
}

/**
 * One experiment, several (all must be allowed), or nothing: then any experiment does and the service
 * narrows.
 */
export type ExperimentsOfCall = string | readonly string[] | null | undefined;

// Method types are compared bivariantly: a reader of precise arguments may stand in a map of policies.
interface Readers {
  experiment(call: PolicyCall): ExperimentsOfCall | Promise<ExperimentsOfCall>;
  holds(call: PolicyCall): boolean | Promise<boolean>;
}

/** A rule about whose thing it is, beyond what a role can say. */
export interface OwnRule {
  /** The rule as a sentence; it is what a refused caller reads. */
  readonly rule: string;
  /** True lets the call pass. */
  readonly holds: Readers['holds'];
}

/** Needs an action in the experiments of the call and, where `own` is given, that its rule holds. */
export interface ActionPolicy {
  readonly action: Action;
  /**
   * Where the action is needed: a fixed experiment, `*` for everywhere, or read from the call; left out: in
   * any.
   */
  readonly experiment?: string | Readers['experiment'];
  readonly own?: OwnRule;
  /**
   * The result depends on the caller, not only on permissions; must agree with `@perPrincipal` in the SDL.
   */
  readonly perPrincipal?: boolean;
  /** True if the token of an attempt may pass, too; without it, such a token is refused. */
  readonly attempts?: boolean;
}

/** Needs that a rule about the caller holds, and no action. */
export interface OwnPolicy {
  readonly own: OwnRule;
  readonly perPrincipal?: boolean;
  /** True if the token of an attempt may pass, too; without it, such a token is refused. */
  readonly attempts?: boolean;
}

/** Open to every verified principal, for a reason that is written down. */
export interface OpenPolicy {
  readonly open: string;
  readonly perPrincipal?: boolean;
  /** True if the token of an attempt may pass, too; without it, such a token is refused. */
  readonly attempts?: boolean;
}

/** Access rule of one entry point. */
export type Policy = ActionPolicy | OwnPolicy | OpenPolicy;

/**
 * Policies by entry point: `Query.jobs`, `Mutation.submitJobs`, `Subscription.x`, `Job.__resolveReference`,
 * or any field.
 */
export type Policies = Readonly<Record<string, Policy>>;

/**
 * Lets a call pass, or throws DomainError FORBIDDEN that names what is missing. Returns a promise only where
 * the policy itself is asynchronous, so that the usual check costs no turn of the event loop.
 */
export function enforce(policy: Policy, call: PolicyCall): void | Promise<void> {
  if (call.principal.attempt !== undefined && !policy.attempts) throw refusedAttempt(call.principal);
  if ('open' in policy) return;
  const allowed = 'action' in policy ? enforceAction(policy, call) : undefined;
  const { own } = policy;
  if (!own) return allowed;
  return allowed ? allowed.then(() => enforceOwn(own, call)) : enforceOwn(own, call);
}

function refusedAttempt(principal: Principal): DomainError {
  const text = `${describePrincipal(principal)} may only read its own job and work on units, by the token of an attempt`;
  return new DomainError('FORBIDDEN', text, {});
}

/**
 * Returns true for policies that depend on the caller only, so that within one call the result is the same
 * for all objects.
 */
export function isFixed(policy: Policy): boolean {
  if ('open' in policy) return true;
  return !policy.own && 'action' in policy && typeof policy.experiment !== 'function';
}

function enforceAction(policy: ActionPolicy, call: PolicyCall): void | Promise<void> {
  const { action, experiment } = policy;
  const found = typeof experiment === 'function' ? experiment(call) : experiment;
  if (found instanceof Promise)
    return found.then((experiments) => assertIn(call.principal, action, experiments));
  assertIn(call.principal, action, found);
}

function assertIn(principal: Principal, action: Action, experiments: ExperimentsOfCall): void {
  const list = typeof experiments === 'string' ? [experiments] : (experiments ?? []);
  if (list.length === 0) assertCan(principal, action);
  for (const experiment of list) assertCan(principal, action, experiment);
}

function enforceOwn(own: OwnRule, call: PolicyCall): void | Promise<void> {
  const holds = own.holds(call);
  if (holds instanceof Promise) return holds.then((held) => assertHeld(held, own, call));
  assertHeld(holds, own, call);
}

function assertHeld(held: boolean, own: OwnRule, { principal }: PolicyCall): void {
  if (held) return;
  throw new DomainError('FORBIDDEN', `${describePrincipal(principal)} is refused: ${own.rule}`, {
    rule: own.rule,
  });
}
