/** Changes of the records of classes that events make. Pure. */
import { isCanary } from '../../jobs/model/canary-owner.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { type ClassRecord, maxHosts, type MeasuredAttempts } from '../../scheduler/requirements/measured.js';
import { mayBeOfHost } from '../hosts/host-failure.js';
import { maxQueues } from './class-record.document.js';

/** An ended attempt that counts. */
export interface EndedRun {
  /** Position of its event in the stream. */
  readonly token: string;
  readonly classId: string;
  readonly queue: string;
  readonly site: string;
  readonly host: string;
  readonly hasFinished: boolean;
  readonly seconds: number;
}

/** Part of a record that events change. */
export type RecordCounts = Pick<ClassRecord, 'queues' | 'hosts'>;

/**
 * The attempt that an event ended, if preferences of its job read what was measured and its end says
 * something about the place.
 */
export function endedRun({ token, last }: JobEvent): EndedRun | undefined {
  const { run, to, failure } = last;
  if (!run || isCanary(last)) return undefined;
  const { classId, queue, site = '', host, seconds } = run;
  const hasFinished = to === 'FINISHED';
  if (queue === undefined || host === undefined) return undefined;
  if (!hasFinished && !(failure && mayBeOfHost(failure))) return undefined;
  if (hasFinished && seconds === undefined) return undefined;
  return { token, classId, queue, site, host, hasFinished, seconds: Math.max(0, seconds ?? 0) };
}

/**
 * Adds an attempt. The entries of its queue and host become the last ones. Of too many, the oldest are left
 * out: of hosts, first those without failures.
 */
export function withRun({ queues, hosts }: RecordCounts, run: EndedRun): RecordCounts {
  const { queue, site, host } = run;
  const isQueue = (one: { readonly queue: string }): boolean => one.queue === queue;
  const isHost = (one: RecordCounts['hosts'][number]): boolean => one.queue === queue && one.host === host;
  return {
    queues: moved(queues, isQueue, (old) => ({ queue, site, ...added(old, run) })).slice(-maxQueues),
    hosts: bounded(moved(hosts, isHost, (old) => ({ queue, host, ...added(old, run) }))),
  };
}

function moved<T>(
  all: readonly T[],
  isOwn: (one: T) => boolean,
  next: (old: T | undefined) => T,
): readonly T[] {
  const others = all.filter((one) => !isOwn(one));
  return [...others, next(all.find(isOwn))];
}

function bounded(hosts: RecordCounts['hosts']): RecordCounts['hosts'] {
  if (hosts.length <= maxHosts) return hosts;
  const unfailing = hosts.findIndex(({ failed }) => failed === 0);
  const left = unfailing === -1 || unfailing === hosts.length - 1 ? 0 : unfailing;
  return hosts.toSpliced(left, 1);
}

function added(
  { finished, failed, seconds }: MeasuredAttempts = { finished: 0, failed: 0, seconds: 0 },
  run: EndedRun,
): MeasuredAttempts {
  if (!run.hasFinished) return { finished, failed: failed + 1, seconds };
  return { finished: finished + 1, failed, seconds: seconds + run.seconds };
}
