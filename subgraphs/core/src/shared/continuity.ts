/**
 * Continuity of jobs while their worker cannot reach core: how long a payload runs on, and when another
 * worker gets the job. A job states its times, its experiment sets defaults and bounds at submit, its queue
 * at the grant. Pure.
 */
import type { InputErrors } from '@rhizome/errors';

/** Times that apply to an attempt, in seconds. Both are 0 if the payload stops with the lease. */
export interface Continuity {
  readonly continueSeconds: number;
  readonly reassignAfterSeconds: number;
}

/** Times that a job states; an absent one follows the queue. */
export type StatedContinuity = Partial<Continuity>;

/** Defaults and bounds of an experiment or a queue; an absent one does not apply. */
export interface ContinuityPolicy {
  readonly defaultContinueSeconds?: number;
  readonly maxContinueSeconds?: number;
  readonly defaultReassignAfterSeconds?: number;
  readonly minReassignAfterSeconds?: number;
  readonly maxReassignAfterSeconds?: number;
}

/** Handling of a payload whose worker cannot reach core. */
export type OnDisconnect = 'CONTINUE' | 'STOP';

type Maybe<T> = T | null | undefined;

/** Continuity as the caller describes it. */
export interface ContinuitySpec {
  readonly onDisconnect?: Maybe<OnDisconnect>;
  readonly continueSeconds?: Maybe<number>;
  readonly reassignAfterSeconds?: Maybe<number>;
}

/** Policy as given: an absent member is not changed, null removes one. */
export type ContinuityPolicyInput = {
  readonly [K in keyof ContinuityPolicy]?: Maybe<number>;
};

/** Times of a job for which nobody has set any. */
export const defaultContinuity: Continuity = { continueSeconds: 86_400, reassignAfterSeconds: 600 };

const stop: Continuity = { continueSeconds: 0, reassignAfterSeconds: 0 };

/** Longest time of either kind: 400 days, like the longest walltime. */
const longestSeconds = 34_560_000;

const policyFields = [
  'defaultContinueSeconds',
  'maxContinueSeconds',
  'defaultReassignAfterSeconds',
  'minReassignAfterSeconds',
  'maxReassignAfterSeconds',
] as const satisfies readonly (keyof ContinuityPolicy)[];

type Path = readonly (string | number)[];

/** Adds the errors of a stated continuity, by itself and against the bounds of the experiment. */
export function checkContinuity(
  spec: ContinuitySpec,
  path: Path,
  errors: Pick<InputErrors<string>, 'add' | 'int'>,
  policy: ContinuityPolicy = {},
): void {
  const { continueSeconds, reassignAfterSeconds } = spec;
  if (spec.onDisconnect === 'STOP') {
    for (const [name, value] of Object.entries({ continueSeconds, reassignAfterSeconds }))
      if (value != null && value !== 0) errors.add([...path, name], value, '0 or absent with STOP');
    return;
  }
  const longest = Math.min(longestSeconds, policy.maxContinueSeconds ?? Infinity);
  if (continueSeconds != null) errors.int([...path, 'continueSeconds'], continueSeconds, 0, longest);
  if (reassignAfterSeconds == null) return;
  const runsOn = Math.min(
    continueSeconds ?? policy.defaultContinueSeconds ?? defaultContinuity.continueSeconds,
    longest,
  );
  const most = Math.min(runsOn, policy.maxReassignAfterSeconds ?? Infinity);
  const least = Math.min(most, policy.minReassignAfterSeconds ?? 0);
  errors.int([...path, 'reassignAfterSeconds'], reassignAfterSeconds, least, most);
}

/** Stored times of a job: as stated, else the experiment's defaults; undefined if neither sets any. */
export function statedContinuity(
  spec: Maybe<ContinuitySpec>,
  policy: ContinuityPolicy = {},
): StatedContinuity | undefined {
  if (spec?.onDisconnect === 'STOP') return stop;
  const { defaultContinueSeconds, defaultReassignAfterSeconds } = policy;
  const stated = {
    continueSeconds: spec?.continueSeconds ?? defaultContinueSeconds,
    reassignAfterSeconds: spec?.reassignAfterSeconds ?? defaultReassignAfterSeconds,
  };
  const setsContinue = stated.continueSeconds !== undefined || policy.maxContinueSeconds !== undefined;
  const setsReassign = stated.reassignAfterSeconds !== undefined || boundsReassign(policy);
  if (!setsContinue && !setsReassign) return undefined;
  const { continueSeconds, reassignAfterSeconds } = bounded(stated, policy);
  return {
    ...(setsContinue ? { continueSeconds } : {}),
    ...(setsReassign ? { reassignAfterSeconds } : {}),
  };
}

/** Times that apply to an attempt: those of the job, else the queue's defaults, within the queue's bounds. */
export function effectiveContinuity(
  stated: StatedContinuity = {},
  policy: ContinuityPolicy = {},
): Continuity {
  const {
    continueSeconds = policy.defaultContinueSeconds,
    reassignAfterSeconds = policy.defaultReassignAfterSeconds,
  } = stated;
  return bounded({ continueSeconds, reassignAfterSeconds }, policy);
}

/** Handling of a payload that has these times. */
export function onDisconnectOf({ continueSeconds }: Continuity): OnDisconnect {
  return continueSeconds > 0 ? 'CONTINUE' : 'STOP';
}

/** Policy after a change. @returns undefined if nothing is set */
export function mergeContinuityPolicy(
  current: ContinuityPolicy | undefined,
  change: Maybe<ContinuityPolicyInput>,
): ContinuityPolicy | undefined {
  const merged = policyFields.flatMap((name) => {
    const given = change?.[name];
    const value = given === undefined ? current?.[name] : (given ?? undefined);
    return value === undefined ? [] : [[name, value] as const];
  });
  return merged.length === 0 ? undefined : Object.fromEntries(merged);
}

/** Adds the errors of a policy. */
export function checkContinuityPolicy(
  errors: InputErrors<string>,
  path: Path,
  policy: ContinuityPolicy | undefined,
): void {
  if (!policy) return;
  for (const name of policyFields) {
    const value = policy[name];
    if (value !== undefined) errors.int([...path, name], value, 0, longestSeconds);
  }
  const { maxContinueSeconds = longestSeconds, maxReassignAfterSeconds = longestSeconds } = policy;
  const most = (name: keyof ContinuityPolicy, limit: number, limitName: string): void => {
    const value = policy[name];
    if (value !== undefined && value > limit)
      errors.add([...path, name], value, `at most ${limitName}, which is ${limit}`);
  };
  most('defaultContinueSeconds', maxContinueSeconds, 'maxContinueSeconds');
  most('defaultReassignAfterSeconds', maxReassignAfterSeconds, 'maxReassignAfterSeconds');
  most('minReassignAfterSeconds', maxReassignAfterSeconds, 'maxReassignAfterSeconds');
}

function boundsReassign({ minReassignAfterSeconds, maxReassignAfterSeconds }: ContinuityPolicy): boolean {
  return minReassignAfterSeconds !== undefined || maxReassignAfterSeconds !== undefined;
}

function bounded(
  { continueSeconds: wanted, reassignAfterSeconds: after }: { [K in keyof Continuity]?: number | undefined },
  {
    maxContinueSeconds = Infinity,
    minReassignAfterSeconds = 0,
    maxReassignAfterSeconds = Infinity,
  }: ContinuityPolicy,
): Continuity {
  const continueSeconds = Math.min(wanted ?? defaultContinuity.continueSeconds, maxContinueSeconds);
  const reassign = Math.max(after ?? defaultContinuity.reassignAfterSeconds, minReassignAfterSeconds);
  return {
    continueSeconds,
    reassignAfterSeconds: Math.min(reassign, maxReassignAfterSeconds, continueSeconds),
  };
}
