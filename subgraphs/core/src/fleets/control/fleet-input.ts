/** Pure checks of inputs about fleets. */
import { InputErrors } from '@rhizome/errors';
import { checkJob } from '../../jobs/submit/job-input.js';
import type { JobInputErrorCode } from '../../jobs/submit/job-input-error.types.js';
import type { RequirementChecks } from '../../jobs/submit/requirement-checks.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import { ceilingOf, type FleetQueue, type FleetSettings, maxFleetJobs } from '../model/fleet.types.js';

type Maybe<T> = T | null | undefined;

/** Settings as the caller states them. */
export interface FleetSettingsInput {
  readonly min?: Maybe<number>;
  readonly max?: Maybe<number>;
  readonly targetLagSeconds?: Maybe<number>;
  readonly upCooldownSeconds?: Maybe<number>;
  readonly downCooldownSeconds?: Maybe<number>;
  readonly idleSeconds?: Maybe<number>;
  readonly drainSeconds?: Maybe<number>;
  readonly queues?: Maybe<readonly FleetQueue[]>;
}

/** Jobs of a fleet as the caller describes them. */
export type FleetJobInput = Omit<JobSpec, 'share' | 'dependsOn'>;

/** Fleet to create. */
export interface CreateFleet {
  readonly poolId: string;
  readonly name: string;
  readonly share?: Maybe<string>;
  readonly settings?: Maybe<FleetSettingsInput>;
  readonly job: FleetJobInput;
}

const fleetCodes = ['QUEUE_NOT_FOUND', 'SELECTOR_INVALID', 'SECRET_NOT_FOUND', 'SHARE_NOT_FOUND'] as const;

/** Codes of errors of settings and jobs. */
export type FleetInputCode = (typeof fleetCodes)[number];

const day = 86_400;
const nameForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Most queues of a fleet. */
const maxQueues = 50;

/** Settings with the given ones; the others stay as they are, or have their defaults. */
export function settingsOf(input: Maybe<FleetSettingsInput>, known?: FleetSettings): FleetSettings {
  const { min, max, targetLagSeconds, upCooldownSeconds, downCooldownSeconds } = input ?? {};
  const { idleSeconds, drainSeconds, queues } = input ?? {};
  return {
    min: min ?? known?.min ?? 0,
    max: max ?? known?.max ?? 10,
    targetLagSeconds: targetLagSeconds ?? known?.targetLagSeconds ?? 30,
    upCooldownSeconds: upCooldownSeconds ?? known?.upCooldownSeconds ?? 10,
    downCooldownSeconds: downCooldownSeconds ?? known?.downCooldownSeconds ?? 120,
    idleSeconds: idleSeconds ?? known?.idleSeconds ?? 120,
    drainSeconds: drainSeconds ?? known?.drainSeconds ?? 600,
    queues: queues?.map(({ queue, max: most }) => ({ queue, max: most })) ?? known?.queues ?? [],
  };
}

/** Checks the name of a fleet. */
export function checkName(errors: InputErrors<string>, name: string): void {
  const expected = '1 to 100 letters, digits, `.`, `_`, `-`, beginning with a letter or digit';
  errors.form(['name'], name, nameForm, expected);
}

/** Checks settings that were completed. */
export function checkSettings(
  errors: InputErrors<FleetInputCode>,
  settings: FleetSettings,
  queueProblem: RequirementChecks['queue'],
): void {
  const range = (field: keyof FleetSettings, from: number, to: number): void =>
    errors.int(['settings', field], settings[field] as number, from, to);
  range('min', 0, maxFleetJobs);
  range('max', 1, maxFleetJobs);
  range('targetLagSeconds', 1, day);
  range('upCooldownSeconds', 0, day);
  range('downCooldownSeconds', 0, day);
  range('idleSeconds', 1, day);
  range('drainSeconds', 1, day);
  const { min, max, queues } = settings;
  if (min > max) errors.add(['settings', 'min'], min, `at most \`max\`, ${max}`);
  errors.list(['settings', 'queues'], queues, maxQueues);
  const names = queues.map(({ queue }) => queue);
  errors.distinct(['settings', 'queues'], names, maxQueues);
  queues.slice(0, maxQueues).forEach(({ queue, max: most }, at) => {
    const path = ['settings', 'queues', at];
    errors.int([...path, 'max'], most, 1, maxFleetJobs);
    const wanted = queueProblem(queue);
    if (wanted !== undefined) errors.add([...path, 'queue'], queue, wanted, 'QUEUE_NOT_FOUND');
  });
  const places = ceilingOf(settings);
  if (queues.length > 0 && min <= max && places < min)
    errors.add(
      ['settings', 'queues'],
      `queues for ${places} jobs`,
      `queues for at least \`min\`, ${min} jobs`,
    );
}

/** Checks the jobs of a fleet. */
export function checkFleetJob(
  errors: InputErrors<FleetInputCode>,
  job: FleetJobInput,
  { queues }: FleetSettings,
  checks: RequirementChecks,
): void {
  const found = new InputErrors<JobInputErrorCode>();
  checkJob(job, ['job'], found, checks);
  addJobErrors(errors, found);
  const { requirements } = job;
  if (requirements?.queue != null && queues.length > 0)
    errors.add(
      ['job', 'requirements', 'queue'],
      requirements.queue,
      'absent, because `settings.queues` names the queues',
    );
}

/** Adds errors of a job. */
export function addJobErrors(
  errors: InputErrors<FleetInputCode>,
  found: InputErrors<JobInputErrorCode>,
): void {
  for (const { code, path, message } of found.all)
    errors.report(isFleetCode(code) ? code : 'INVALID_VALUE', path, message);
}

function isFleetCode(code: string): code is FleetInputCode {
  return (fleetCodes as readonly string[]).includes(code);
}
