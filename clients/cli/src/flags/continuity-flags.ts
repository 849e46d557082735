/** Flags for the continuity of jobs while their worker cannot reach core. */
import { type Command, Option } from 'commander';
import { numberOr, type OptionalNumber, wholeNumber } from './flags.js';
import type {
  CliContinuityPolicyFragment,
  ContinuityPolicyInput,
  JobContinuityInput,
  OnDisconnect,
} from '../operations.generated.js';
import { onDisconnects } from '../states.js';

/** Flags of a queue or an experiment. */
export interface PolicyFlags {
  readonly continue?: OptionalNumber;
  readonly maxContinue?: OptionalNumber;
  readonly reassignAfter?: OptionalNumber;
  readonly minReassignAfter?: OptionalNumber;
  readonly maxReassignAfter?: OptionalNumber;
}

/** Flags of a job. */
export interface JobContinuityFlags {
  readonly onDisconnect?: OnDisconnect;
  readonly continueSeconds?: number;
  readonly reassignAfter?: number;
}

const maxSeconds = 34_560_000;
const time = wholeNumber(0, maxSeconds);
const timeOrNone = numberOr('none', 0, maxSeconds);

/** Adds the flags of a queue or an experiment. */
export function withPolicy(command: Command): Command {
  return command
    .option('--continue <seconds>', 'time for which payloads run on without contact, by default', timeOrNone)
    .option(
      '--max-continue <seconds>',
      'longest time for which payloads may run on without contact',
      timeOrNone,
    )
    .option('--reassign-after <seconds>', 'time until another worker gets a job, by default', timeOrNone)
    .option('--min-reassign-after <seconds>', 'shortest time until another worker gets a job', timeOrNone)
    .option('--max-reassign-after <seconds>', 'longest time until another worker gets a job', timeOrNone)
    .addHelpText('after', '\nA time of "none" removes the setting.');
}

/** The settings that the flags name; undefined if there are none. */
export function policyOf(flags: PolicyFlags): ContinuityPolicyInput | undefined {
  const policy: ContinuityPolicyInput = {
    ...(flags.continue && { defaultContinueSeconds: flags.continue.value }),
    ...(flags.maxContinue && { maxContinueSeconds: flags.maxContinue.value }),
    ...(flags.reassignAfter && { defaultReassignAfterSeconds: flags.reassignAfter.value }),
    ...(flags.minReassignAfter && { minReassignAfterSeconds: flags.minReassignAfter.value }),
    ...(flags.maxReassignAfter && { maxReassignAfterSeconds: flags.maxReassignAfter.value }),
  };
  return Object.keys(policy).length > 0 ? policy : undefined;
}

/** Names and values of a policy, for people. */
export function policyFields(
  policy: CliContinuityPolicyFragment,
): readonly (readonly [string, string | null])[] {
  const seconds = (value: number | null): string | null => (value === null ? null : `${value} s`);
  return [
    ['continue', seconds(policy.defaultContinueSeconds)],
    ['max continue', seconds(policy.maxContinueSeconds)],
    ['reassign after', seconds(policy.defaultReassignAfterSeconds)],
    ['min reassign after', seconds(policy.minReassignAfterSeconds)],
    ['max reassign after', seconds(policy.maxReassignAfterSeconds)],
  ];
}

/** Adds the flags of a job. */
export function withJobContinuity(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--on-disconnect <what>',
        'what the payload does while its worker has no contact: CONTINUE (default), or STOP with the lease',
      ).choices(onDisconnects),
    )
    .option('--continue-seconds <seconds>', 'time for which the payload runs on without contact', time)
    .option('--reassign-after <seconds>', 'time without contact until another worker gets the job', time);
}

/** The continuity of a job; undefined if no flag states any. */
export function jobContinuityOf(flags: JobContinuityFlags): JobContinuityInput | undefined {
  const { onDisconnect, continueSeconds, reassignAfter } = flags;
  const continuity: JobContinuityInput = {
    ...(onDisconnect === undefined ? {} : { onDisconnect }),
    ...(continueSeconds === undefined ? {} : { continueSeconds }),
    ...(reassignAfter === undefined ? {} : { reassignAfterSeconds: reassignAfter }),
  };
  return Object.keys(continuity).length > 0 ? continuity : undefined;
}

/** Continuity of a job, for people. */
export function continuityText({
  onDisconnect,
  continueSeconds,
  reassignAfterSeconds,
}: {
  readonly onDisconnect: OnDisconnect;
  readonly continueSeconds: number;
  readonly reassignAfterSeconds: number;
}): string {
  if (onDisconnect === 'STOP') return 'stops with the lease';
  return `runs on for ${continueSeconds} s; another worker gets the job after ${reassignAfterSeconds} s`;
}
