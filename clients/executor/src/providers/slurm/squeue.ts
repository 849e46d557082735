/** Reads the output of `squeue`. Pure. */
import type { BatchJob, BatchJobState } from '../provider.types.js';

/** Format of the list: the same in all versions of Slurm, unlike the JSON. */
export const listFormat = '%A|%F|%K|%T|%j|%r';

/** The batch, and the queue. */
const nameOfJob = /^(pilot_[0-9A-Za-z]+)\.(.+)$/;
const waiting = new Set(['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_FED', 'RESV_DEL_HOLD']);
const running = new Set([
  'RUNNING',
  'COMPLETING',
  'SUSPENDED',
  'STOPPED',
  'SIGNALING',
  'STAGE_OUT',
  'RESIZING',
]);
const held = new Set(['JobHeldAdmin', 'JobHeldUser', 'REQUEUE_HOLD', 'SPECIAL_EXIT']);
/** Reasons for which a job never starts. Slurm accepts it all the same. */
const hopeless =
  /^(PartitionTimeLimit|PartitionNodeLimit|BadConstraints|Invalid(Account|QOS)|(Assoc|QOS)Max\w*PerJob\w*|launch_failed_requeued_held|launch failed requeued held)$/;

/** Name of the Slurm job of a batch: the list of an account may have pilots of several queues. */
export function jobName(batch: string, queue: string): string {
  return `${batch}.${queue}`;
}

/** Batch jobs of the pilots of a queue in a list; undefined if a line is not in the format. */
export function parseList(text: string, queue: string): readonly BatchJob[] | undefined {
  const jobs: BatchJob[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [jobId, arrayId, index, state, name, ...reason] = line.split('|');
    if (jobId === undefined || arrayId === undefined || index === undefined || state === undefined)
      return undefined;
    if (name === undefined || reason.length === 0 || !/^\d+$/.test(jobId)) return undefined;
    const [, batch, ofQueue] = nameOfJob.exec(name) ?? [];
    if (batch === undefined || ofQueue !== queue) continue;
    const isArray = /^\d+$/.test(index);
    jobs.push({
      batch,
      number: isArray ? Number(index) : 0,
      batchJobId: isArray ? `${arrayId}_${index}` : jobId,
      ...stateOf(state, reason.join('|')),
    });
  }
  return jobs;
}

function stateOf(state: string, reason: string): Pick<BatchJob, 'state' | 'reason'> {
  const known = reason === 'None' || reason === '' ? undefined : reason;
  const as = (one: BatchJobState, text = known) => ({
    state: one,
    ...(text === undefined ? {} : { reason: text }),
  });
  if (waiting.has(state) && hopeless.test(reason)) return as('REFUSED');
  if (held.has(state) || (waiting.has(state) && held.has(reason))) return as('HELD');
  if (waiting.has(state)) return as('PENDING');
  if (running.has(state)) return as('RUNNING');
  return as('ENDED', known === undefined ? state : `${state} (${known})`);
}
