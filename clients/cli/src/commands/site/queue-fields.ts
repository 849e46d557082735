/** Output of the commands that create and change queues. */
import { policyFields } from '../../flags/continuity-flags.js';
import { type ExitCode, exitCodes } from '../../exit-codes.js';
import type { CliQueueDetailsFragment } from '../../operations.generated.js';
import { type Output, printFields, printJson } from '../../output.js';
import { canaryFields } from './canary-fields.js';
import { experimentLimitFields } from './experiment-limits.js';

/** Prints a queue that was changed. */
export function printQueue(output: Output, queue: CliQueueDetailsFragment | null): ExitCode {
  if (output.json) printJson(output, queue);
  else if (queue) {
    const { limits, continuity } = queue;
    printFields(output, [
      ['queue', queue.name],
      ['site', queue.site.name],
      ['state', queue.state],
      ['reason', queue.stateReason],
      ['experiments', queue.experiments.map(({ name }) => name).join(' ') || 'all'],
      ['executor', queue.executor],
      ['isolation', queue.isolation],
      ['labels', queue.labels.map(({ key, value }) => `${key}=${value}`).join(' ')],
      ['max cores', limits.maxCores],
      ['max memory', limits.maxMemoryMiB === null ? null : `${limits.maxMemoryMiB} MiB`],
      ['max walltime', limits.maxWalltimeSeconds === null ? null : `${limits.maxWalltimeSeconds} s`],
      ['max notice', `${limits.maxNoticeSeconds ?? 300} s`],
      ['max running', limits.maxRunningJobs],
      [
        'preemption',
        limits.maxPreemptionsPerMinute === null ? 'off' : `${limits.maxPreemptionsPerMinute} jobs a minute`,
      ],
      ...experimentLimitFields(queue),
      ['heartbeat', `${limits.heartbeatSeconds} s`],
      ['lease', `${limits.leaseSeconds} s`],
      ['log interval', `${limits.logIntervalMs} ms`],
      ...policyFields(continuity),
      ...canaryFields(queue),
      ['revision', queue.revision],
    ]);
  }
  return queue ? exitCodes.ok : exitCodes.failed;
}
