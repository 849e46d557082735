/** Diagnosis of a queue, or of the queues of a site. Pure. */
import type { ErrorTotal } from '../events/failures/error-summary.types.js';
import type { DowntimesService } from '../queues/downtimes/downtimes.service.js';
import type { QueueDocument } from '../queues/queue.document.js';
import type { QueueHealth } from '../workers/canaries/canary-plan.js';
import { plural } from '../shared/plural.js';
import type { Action, Cause, Diagnosis, Evidence } from './diagnosis.types.js';
import { type CountedFailures, groupCauses } from './failure-groups.js';
import type { HostFacts, QueueFacts } from './job-facts.types.js';
import { byShare, ranked } from './ranking.js';
import { queueCauses } from './waiting-causes.js';

/** Queue with its workers and health. */
export interface PlaceQueue extends QueueFacts {
  /** Workers that take jobs. */
  readonly readyWorkers: number;
  readonly health?: QueueHealth | null | undefined;
}

/** Facts of a queue, for the diagnosis of its jobs and of itself. */
export function queueFacts(
  queue: QueueDocument,
  health: QueueHealth | null | undefined,
  downtimes: Pick<DowntimesService, 'windowsOf'>,
): QueueFacts {
  const { name, state, stateReason, stateChangedAt } = queue;
  return {
    ...{ name, state, stateChangedAt, downtimes: downtimes.windowsOf(queue) ?? [] },
    ...(stateReason === undefined ? {} : { stateReason }),
    ...(health?.hostProblem == null ? {} : { hostProblem: health.hostProblem }),
  };
}

/** Facts of a queue or site. */
export interface PlaceFacts {
  readonly now: Date;
  /** `Queue north` or `Site Pole`. */
  readonly title: string;
  readonly queues: readonly PlaceQueue[];
  /** Hosts that are not healthy. */
  readonly hosts: readonly HostFacts[];
  readonly failures: CountedFailures;
  /** True if the failures could not be counted. */
  readonly isUncounted?: boolean;
  /** Codes that occurred there for the first time within the interval. */
  readonly newCodes: readonly ErrorTotal[];
}

/** Fraction of canary jobs that succeed, below which the queue has a problem. */
const leastSuccess = 0.8;
const shownHosts = 5;

/** Explains the state of a queue or site by its operators' decisions, its hosts and its failures. */
export function diagnosePlace(facts: PlaceFacts): Diagnosis {
  const { title, queues, hosts, failures, isUncounted = false, newCodes, now } = facts;
  const found = [
    ...queues.flatMap((queue) => [
      ...queueCauses(queue, now),
      ...workerCauses(queue),
      ...canaryCauses(queue),
    ]),
    ...hostCauses(hosts),
    ...newCodeCauses(newCodes),
    ...groupCauses(failures),
    ...(isUncounted ? [notCounted] : []),
  ];
  const causes = ranked(found, byShare);
  const workers = queues.reduce((sum, { readyWorkers }) => sum + readyWorkers, 0);
  const first = causes[0];
  const problem = first ? first.statement : 'Nothing is wrong that core knows of.';
  return {
    summary: `${title} has ${plural(workers, 'worker')} that ${workers === 1 ? 'takes' : 'take'} jobs. ${problem}`,
    since: first?.evidence[0]?.since ?? null,
    causes,
    helped: [],
    actions: hosts
      .filter(({ state }) => state === 'EXCLUDED')
      .map(clearAction)
      .slice(0, shownHosts),
  };
}

const notCounted: Cause = {
  kind: 'UNKNOWN',
  statement: 'Failures could not be counted: you may read those of too many experiments.',
  ...{ confidence: 0.1, evidence: [] },
};

function workerCauses({ name, readyWorkers }: PlaceQueue): readonly Cause[] {
  if (readyWorkers > 0) return [];
  const statement = `No worker of queue ${name} takes jobs.`;
  const evidence: Evidence = { kind: 'QUEUE', text: statement, target: { kind: 'QUEUE', id: name } };
  return [{ kind: 'NO_WORKERS', statement, confidence: 1, evidence: [evidence] }];
}

function canaryCauses({ name, health }: PlaceQueue): readonly Cause[] {
  if (!health) return [];
  const { canaryCount, successFraction, since, problem, latest } = health;
  const target = { kind: 'QUEUE', id: name } as const;
  if (problem !== null) {
    const statement = `Core could not submit the canary job of queue ${name}: ${problem}.`;
    return [
      { kind: 'UNKNOWN', statement, confidence: 0.5, evidence: [{ kind: 'QUEUE', text: statement, target }] },
    ];
  }
  if (successFraction === null || successFraction >= leastSuccess) return [];
  const failed = Math.round(canaryCount * (1 - successFraction));
  const statement = `${failed} of ${plural(canaryCount, 'canary job')} of queue ${name} failed.`;
  const code = latest?.code === undefined ? '' : ` The latest failed with ${latest.code}.`;
  const evidence: Evidence = { kind: 'QUEUE', text: `${statement}${code}`, target, count: failed, since };
  return [{ kind: 'SITE', statement, confidence: 0.8, evidence: [evidence] }];
}

function hostCauses(hosts: readonly HostFacts[]): readonly Cause[] {
  if (hosts.length === 0) return [];
  const evidence = hosts
    .slice(0, shownHosts)
    .map(({ host: id, queue: queueName, state, reason, since }): Evidence => ({
      ...{ kind: 'HOST', text: `Host ${id} is ${state}: ${reason}`, since },
      target: { kind: 'HOST', id, queueName },
    }));
  const get = hosts.length === 1 ? 'gets' : 'get';
  const statement = `${plural(hosts.length, 'host')} ${get} no jobs, or only one at a time.`;
  return [{ kind: 'HOST', statement, confidence: 0.9, evidence }];
}

function newCodeCauses(newCodes: readonly ErrorTotal[]): readonly Cause[] {
  if (newCodes.length === 0) return [];
  const evidence = newCodes
    .slice(0, shownHosts)
    .map(({ code, experiment, count, firstAt: since }): Evidence => ({
      ...{ kind: 'PEERS', text: `${code} of ${experiment} had never occurred there before.`, count, since },
      target: { kind: 'ERROR_CODE', id: code },
    }));
  const statement = `${plural(newCodes.length, 'code')} of errors occurred there for the first time.`;
  return [{ kind: 'SITE', statement, confidence: 0.4, evidence }];
}

function clearAction({ host, queue }: HostFacts): Action {
  return {
    ...{ title: `Take host ${host} back`, operation: 'clearHost', variables: { input: { queue, host } } },
    ...{ effect: 'The host gets jobs at once; do this after it was repaired.', isUndoable: true },
  };
}
