/**
 * Explains states of jobs by what core knows. All jobs of a call are read together: the number of reads does
 * not depend on the number of jobs, hosts or failures.
 */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { ErrorSummaries } from '../events/failures/error-summary.service.js';
import type { JobProgressDocument } from '../jobs/checkpoints/job-progress.document.js';
import type { JobsService } from '../jobs/jobs.service.js';
import { isHeld, isTerminal } from '../jobs/model/job-state.js';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { LogTails } from '../policies/failure-policies.js';
import type { DowntimesService } from '../queues/downtimes/downtimes.service.js';
import type { QueuesService } from '../queues/queues.service.js';
import type { PendingFacts } from '../scheduler/explain/pending.types.js';
import type { ExplanationCaller } from '../scheduler/explain/explanations.js';
import type { QueueHealth } from '../workers/canaries/canary-plan.js';
import type { HostsService } from '../workers/hosts/hosts.service.js';
import type { Diagnosis } from './diagnosis.types.js';
import { failedAttempt } from './failure-causes.js';
import { diagnoseJob } from './job-diagnosis.js';
import type { HostFacts, QueueFacts, RelatedJob } from './job-facts.types.js';
import { readCharacters } from './log-findings.js';
import { outcomeFields } from './outcomes.js';
import { kindKey, type Peers, peersOf } from './peers.js';
import { queueFacts } from './place-diagnosis.js';

/** Dependencies of {@link DiagnosesService}. */
export interface DiagnosesOptions {
  readonly jobs: Pick<JobsService, 'findMany'>;
  readonly logs: LogTails;
  readonly errors: Pick<ErrorSummaries, 'ask'>;
  readonly progress: { findMany(ids: readonly string[]): Promise<readonly (JobProgressDocument | null)[]> };
  readonly pending: (
    jobs: readonly JobDocument[],
    caller: ExplanationCaller,
  ) => Promise<readonly (PendingFacts | null)[]>;
  readonly hosts: Pick<HostsService, 'find' | 'viewOf' | 'pinOf'>;
  readonly queues: Pick<QueuesService, 'byNames' | 'isVisible'>;
  readonly downtimes: Pick<DowntimesService, 'windowsOf'>;
  /** Health of queues by id, in order. */
  readonly queueHealth: (queueIds: readonly string[]) => Promise<readonly (QueueHealth | null)[]>;
  readonly clock: Clock;
}

/** Principal of a call, and how it came here. */
export interface DiagnosisCaller extends ExplanationCaller {
  readonly principal: Principal;
}

/** Interval in which failures of other jobs are counted. */
const peerHours = 24;
/** Most groups of failures, by experiment, code, site and host. */
const mostGroups = 1000;
/** Most jobs with similar failures, and most parents, that are read for one call. */
const mostSimilar = 200;
const mostParents = 200;
const parentsShown = 10;
/** Parents of a closed job among which the one is that did not finish. */
const mostOfOne = 100;

type ById = ReadonlyMap<string, RelatedJob>;

/** Explains states. */
export class DiagnosesService {
  readonly #options: DiagnosesOptions;

  constructor(options: DiagnosesOptions) {
    this.#options = options;
  }

  /**
   * Explains the states of jobs that the caller may read, in order.
   * @throws DomainError FORBIDDEN for pilots and payloads
   */
  async ofJobs(jobs: readonly JobDocument[], caller: DiagnosisCaller): Promise<readonly Diagnosis[]> {
    const { principal } = caller;
    assertMayDiagnose(principal);
    const now = this.#options.clock.now();
    const [pending, logs, peers, progress, queues] = await Promise.all([
      this.#pendingOf(jobs, caller),
      this.#logsOf(jobs),
      this.#peersOf(jobs, principal),
      this.#progressOf(jobs),
      this.#queuesOf(jobs, principal),
    ]);
    const related = await this.#related(jobs, peers, principal);
    const copies = await this.#copiesOf(related, principal);
    return jobs.map((job) => {
      const own = kindOf(job);
      const counted = own === undefined ? undefined : peers.get(own);
      const queue = queues.get(queueName(job) ?? '');
      return diagnoseJob({
        ...{ job, now, queue, peers: counted, copies },
        pending: pending.get(job._id),
        log: logs.get(job._id),
        similar: found(counted?.jobs ?? [], related),
        parents: unfinished(found(parentsOf(job), related)),
        host: queue && this.#hostOf(job, queue.name),
        progress: progress.get(job._id)?.progress,
      });
    });
  }

  /** Explanations of the jobs that wait, or whose worker may be out of contact. */
  async #pendingOf(
    jobs: readonly JobDocument[],
    caller: DiagnosisCaller,
  ): Promise<ReadonlyMap<string, PendingFacts | null>> {
    const live = jobs.filter(({ state }) => !isTerminal(state));
    const facts = live.length === 0 ? [] : await this.#options.pending(live, caller);
    return new Map(live.map(({ _id }, at) => [_id, facts[at] ?? null]));
  }

  /** Ends of the logs of latest attempts that failed. */
  async #logsOf(jobs: readonly JobDocument[]): Promise<ReadonlyMap<string, string | null>> {
    const refs = jobs.flatMap((job) => {
      const attempt = failedAttempt(job);
      return attempt ? [{ jobId: job._id, attempt: attempt.number }] : [];
    });
    const tails = refs.length === 0 ? [] : await this.#options.logs.tails(refs, readCharacters);
    return new Map(refs.map(({ jobId }, at) => [jobId, tails[at] ?? null]));
  }

  /** Failures with the codes of latest attempts, in the experiments of the jobs. */
  async #peersOf(jobs: readonly JobDocument[], principal: Principal): Promise<ReadonlyMap<string, Peers>> {
    const failed = jobs.filter((job) => failedAttempt(job));
    if (failed.length === 0) return new Map();
    const experiments = [...new Set(failed.map(({ experiment }) => experiment))];
    const codes = [...new Set(failed.flatMap((job) => failedAttempt(job)?.error.code ?? []))];
    const by = ['EXPERIMENT', 'CODE', 'SITE', 'HOST'] as const;
    const summary = await this.#options.errors.ask(principal, { experiments, codes }, by);
    return peersOf(await summary.groups(mostGroups), peerHours);
  }

  async #progressOf(jobs: readonly JobDocument[]): Promise<ReadonlyMap<string, JobProgressDocument>> {
    const ids = jobs.filter(({ state }) => isHeld(state)).map(({ _id }) => _id);
    const read = ids.length === 0 ? [] : await this.#options.progress.findMany(ids);
    return new Map(read.flatMap((one) => (one ? [[one._id, one] as const] : [])));
  }

  /** Queues of the jobs that the caller may see, by name. */
  async #queuesOf(
    jobs: readonly JobDocument[],
    principal: Principal,
  ): Promise<ReadonlyMap<string, QueueFacts>> {
    const { queues, downtimes, queueHealth } = this.#options;
    const names = [...new Set(jobs.flatMap((job) => queueName(job) ?? []))];
    if (names.length === 0) return new Map();
    const read = await queues.byNames(names);
    const known = read.flatMap((queue) => (queue && queues.isVisible(queue, principal) ? [queue] : []));
    const health = await queueHealth(known.map(({ _id }) => _id));
    return new Map(
      known.map((queue, at) => {
        return [queue.name, queueFacts(queue, health[at], downtimes)];
      }),
    );
  }

  /** Parents of the jobs that have not finished, and jobs with similar failures. */
  async #related(
    jobs: readonly JobDocument[],
    peers: ReadonlyMap<string, Peers>,
    principal: Principal,
  ): Promise<ById> {
    const parents = jobs.flatMap(parentsOf).slice(0, mostParents);
    const similar = inTurns([...peers.values()].map((one) => one.jobs)).slice(0, mostSimilar);
    return this.#read([...new Set([...parents, ...similar])], principal);
  }

  /** The first copies of jobs that were retried. */
  #copiesOf(related: ById, principal: Principal): Promise<ById> {
    return this.#read(
      [...related.values()].flatMap(({ retriedBy }) => retriedBy ?? []),
      principal,
    );
  }

  async #read(ids: readonly string[], principal: Principal): Promise<ById> {
    if (ids.length === 0) return new Map();
    const read = await this.#options.jobs.findMany(ids, relatedFields, principal);
    return new Map(read.flatMap((job) => (job ? [[job._id, job] as const] : [])));
  }

  /** The host of the latest attempt, if it is not healthy. */
  #hostOf({ attempts }: JobDocument, queue: string): HostFacts | undefined {
    const host = attempts.at(-1)?.host;
    const known = host === undefined ? null : this.#options.hosts.find({ queue, host });
    if (host === undefined || !known) return undefined;
    const { state, reason, since } = this.#options.hosts.viewOf(known);
    if (state === 'HEALTHY') return undefined;
    const isOperators = this.#options.hosts.pinOf(known) !== null;
    const judged = isOperators ? null : known.evidence;
    return { host, queue, state, reason, since, ...(judged ? { judged } : {}) };
  }
}

/** Stored fields of jobs that were looked at, with those that their visibility depends on. */
export const relatedFields = {
  ...outcomeFields,
  name: 1,
  owner: 1,
  submittedBy: 1,
  taskId: 1,
  share: 1,
  queue: 1,
  workerId: 1,
  fence: 1,
} as const;

/** Rejects pilots and payloads. @throws DomainError FORBIDDEN */
export function assertMayDiagnose({ kind, attempt }: Principal): void {
  if (kind !== 'PILOT' && attempt === undefined) return;
  throw new DomainError('FORBIDDEN', 'Pilots and payloads may not read diagnoses', { field: 'diagnosis' });
}

/** The queue of the latest attempt, or the one that a job which waits requires. */
function queueName({ state, queue, requirements }: JobDocument): string | undefined {
  return isTerminal(state) || isHeld(state) ? queue : requirements.queue;
}

/** Key of failures like that of the job; undefined if its latest attempt did not fail. */
function kindOf(job: JobDocument): string | undefined {
  const attempt = failedAttempt(job);
  return attempt && kindKey({ experiment: job.experiment, code: attempt.error.code });
}

/** Parents for which the job waits, or because of which it was closed. */
function parentsOf({ state, dependsOn, waitingFor }: JobDocument): readonly string[] {
  return state === 'CLOSED' ? dependsOn.slice(0, mostOfOne) : waitingFor.slice(0, parentsShown);
}

function unfinished(parents: readonly RelatedJob[]): readonly RelatedJob[] {
  return parents.filter(({ state }) => state !== 'FINISHED').slice(0, parentsShown);
}

function found(ids: readonly string[], jobs: ById): readonly RelatedJob[] {
  return ids.flatMap((id) => jobs.get(id) ?? []);
}

/** The first of each list, then the second of each: no kind of failure takes the place of the others. */
function inTurns(lists: readonly (readonly string[])[]): readonly string[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list[at] ?? [])).flat();
}
