/** Explains states of tasks, queues and sites. The number of reads does not depend on their jobs. */
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { ErrorGrouping, ErrorFilterSpec } from '../events/failures/error-query.js';
import type { ErrorSummaries, ErrorSummary } from '../events/failures/error-summary.service.js';
import type { JobsService } from '../jobs/jobs.service.js';
import type { LogTails } from '../policies/failure-policies.js';
import type { DowntimesService } from '../queues/downtimes/downtimes.service.js';
import type { QueueDocument } from '../queues/queue.document.js';
import type { Fleet } from '../scheduler/cache/fleet.js';
import type { TaskFacts, TaskProgressFacts } from '../tasks/task.document.js';
import type { QueueHealth } from '../workers/canaries/canary-plan.js';
import type { HostsService } from '../workers/hosts/hosts.service.js';
import {
  assertMayDiagnose,
  type DiagnosesOptions,
  type DiagnosisCaller,
  relatedFields,
} from './diagnoses.service.js';
import type { Diagnosis } from './diagnosis.types.js';
import { type CountedFailures, mostCodes, sampleKey, samplesWithLogs } from './failure-groups.js';
import { attemptWith, failedAttempt } from './failure-causes.js';
import type { RelatedJob } from './job-facts.types.js';
import { readCharacters } from './log-findings.js';
import { diagnosePlace, type PlaceQueue, queueFacts } from './place-diagnosis.js';
import { diagnoseTask } from './task-diagnosis.js';

/** Dependencies of {@link GroupDiagnosesService}. */
export interface GroupDiagnosesOptions {
  readonly jobs: Pick<JobsService, 'findMany' | 'page'>;
  readonly logs: LogTails;
  readonly errors: Pick<ErrorSummaries, 'ask'>;
  readonly pending: DiagnosesOptions['pending'];
  readonly hosts: Pick<HostsService, 'page' | 'viewOf'>;
  readonly downtimes: Pick<DowntimesService, 'windowsOf'>;
  /** Health of queues by id, in order. */
  readonly queueHealth: (queueIds: readonly string[]) => Promise<readonly (QueueHealth | null)[]>;
  /** Progress of tasks, in order. */
  readonly progressOf: (tasks: readonly TaskFacts[]) => Promise<readonly TaskProgressFacts[]>;
  readonly fleet: Pick<Fleet, 'workers'>;
  readonly clock: Clock;
}

const hourMs = 3_600_000;
/** Longest interval in which failures of a task are counted, in hours. */
const taskHours = 7 * 24;
const placeHours = 24;
const mostGroups = 50;
const mostHosts = 20;
const mostQueues = 50;
const mostExperiments = 100;
/** Failed jobs of a task whose codes decide how all are retried. */
const mostFailed = 100;
const noProgress: Pick<TaskProgressFacts, 'states'> = { states: {} };

/** Stored fields from which one waiting job of a task is explained. */
const waitingFields = {
  ...relatedFields,
  ...({
    priority: 1,
    classId: 1,
    hold: 1,
    notBefore: 1,
    avoid: 1,
    waitingFor: 1,
    attempt: 1,
    retry: 1,
  } as const),
};

/** Explains states of tasks, queues and sites. */
export class GroupDiagnosesService {
  readonly #options: GroupDiagnosesOptions;

  constructor(options: GroupDiagnosesOptions) {
    this.#options = options;
  }

  /**
   * Explains what blocks a task, and what its jobs fail by.
   * @throws DomainError FORBIDDEN for pilots and payloads
   */
  async ofTask(task: TaskFacts, caller: DiagnosisCaller): Promise<Diagnosis> {
    const { principal } = caller;
    assertMayDiagnose(principal);
    const now = this.#options.clock.now();
    const earliest = now.getTime() - taskHours * hourMs;
    const from = new Date(Math.max(earliest, task.createdAt.getTime()));
    const filter = { experiments: [task.experiment], taskIds: [task._id], from: earlierThan(from, now) };
    const [summary, [progress = noProgress], pending] = await Promise.all([
      this.#options.errors.ask(principal, filter, ['CODE', 'FAMILY']),
      this.#options.progressOf([task]),
      this.#waiting(task, caller),
    ]);
    const [failures, failedCodes] = await Promise.all([
      this.#failures(summary, principal),
      (progress.states.FAILED ?? 0) > 0 ? this.#failedCodes(task, principal) : [],
    ]);
    return diagnoseTask({ task, states: progress.states, failures, failedCodes, pending });
  }

  /**
   * Explains the state of a queue that the caller may see.
   * @throws DomainError FORBIDDEN for pilots and payloads
   */
  ofQueue(queue: QueueDocument, { principal }: DiagnosisCaller): Promise<Diagnosis> {
    return this.#ofPlace(`Queue ${queue.name}`, [queue], { queues: [queue.name] }, principal);
  }

  /** Explains the state of a site by its queues that the caller may see. @throws DomainError FORBIDDEN */
  ofSite(name: string, queues: readonly QueueDocument[], { principal }: DiagnosisCaller): Promise<Diagnosis> {
    const filter = { queues: queues.slice(0, mostQueues).map((queue) => queue.name) };
    return this.#ofPlace(`Site ${name}`, queues.slice(0, mostQueues), filter, principal);
  }

  async #ofPlace(
    title: string,
    queues: readonly QueueDocument[],
    filter: ErrorFilterSpec,
    principal: Principal,
  ): Promise<Diagnosis> {
    assertMayDiagnose(principal);
    const { errors, hosts, queueHealth, clock } = this.#options;
    const now = clock.now();
    const from = new Date(now.getTime() - placeHours * hourMs);
    const names = queues.map(({ name }) => name);
    const states = ['SUSPECT', 'EXCLUDED', 'HALF_OPEN'] as const;
    const by: readonly ErrorGrouping[] = ['CODE', 'FAMILY'];
    const counted = async () => {
      const experiments = experimentsOf(queues, principal);
      const asked = { ...filter, ...(experiments ? { experiments } : {}), from };
      const summary = await errors.ask(principal, asked, by);
      const [failures, newCodes] = await Promise.all([
        this.#failures(summary, principal),
        summary.totals('NEW', mostGroups),
      ]);
      return { failures, newCodes };
    };
    const [failures, health, page] = await Promise.all([
      counted().catch(uncounted),
      queueHealth(queues.map(({ _id }) => _id)),
      hosts.page({ queues: names, states }, { first: mostHosts, after: null }, principal),
    ]);
    return diagnosePlace({
      ...{ now, title, ...failures },
      queues: this.#placeQueues(queues, health),
      hosts: page.nodes.map((host) => {
        const { state, reason, since } = hosts.viewOf(host);
        return { host: host.host, queue: host.queue, state, reason, since };
      }),
    });
  }

  #placeQueues(
    queues: readonly QueueDocument[],
    health: readonly (QueueHealth | null)[],
  ): readonly PlaceQueue[] {
    const ready = new Map<string, number>();
    for (const { facts } of this.#options.fleet.workers())
      if (facts.state === 'READY') ready.set(facts.queueId, (ready.get(facts.queueId) ?? 0) + 1);
    return queues.map((queue, at) => {
      const facts = queueFacts(queue, health[at], this.#options.downtimes);
      return { ...facts, health: health[at], readyWorkers: ready.get(queue._id) ?? 0 };
    });
  }

  /** Failures by code, with jobs and logs of the most frequent ones. */
  async #failures(summary: ErrorSummary, principal: Principal): Promise<CountedFailures> {
    const { jobs, logs } = this.#options;
    const groups = await summary.groups(mostGroups);
    const ids = [...new Set(groups.slice(0, mostCodes).flatMap((group) => group.jobs))];
    const read = ids.length === 0 ? [] : await jobs.findMany(ids, relatedFields, principal);
    const known = new Map<string, RelatedJob>(read.flatMap((job) => (job ? [[job._id, job] as const] : [])));
    const samples = samplesWithLogs(groups).flatMap((sample) => {
      const job = known.get(sample.jobId);
      const attempt = job && attemptWith(job, sample.code);
      return attempt ? [{ ...sample, attempt: attempt.number }] : [];
    });
    const refs = samples.map(({ jobId, attempt }) => ({ jobId, attempt }));
    const tails = refs.length === 0 ? [] : await logs.tails(refs, readCharacters);
    return {
      ...{ groups, jobs: known },
      logs: new Map(samples.map((sample, at) => [sampleKey(sample), tails[at] ?? null])),
    };
  }

  /** Codes of the latest failed jobs of a task that were not retried. */
  async #failedCodes({ _id }: TaskFacts, principal: Principal): Promise<readonly string[]> {
    const filter = { taskIds: [_id], states: ['FAILED'] as const };
    const request = { order: 'NEWEST', first: mostFailed, projection: relatedFields } as const;
    const { nodes } = await this.#options.jobs.page(principal, filter, request);
    return nodes.flatMap((job) => (job.retriedBy ? [] : (failedAttempt(job)?.error.code ?? [])));
  }

  /** Explanation of the first job of a task that is ready and not sent; undefined if there is none. */
  async #waiting({ _id }: TaskFacts, caller: DiagnosisCaller) {
    const { jobs, pending } = this.#options;
    const filter = { taskIds: [_id], states: ['ACTIVATED'] as const };
    const request = { order: 'OLDEST', first: 1, projection: waitingFields } as const;
    const { nodes } = await jobs.page(caller.principal, filter, request);
    return nodes.length === 0 ? undefined : (await pending(nodes, caller))[0];
  }
}

/** Experiments that the queues admit and the caller may read; undefined for all that it may read. */
function experimentsOf(
  queues: readonly QueueDocument[],
  principal: Principal,
): readonly string[] | undefined {
  const admitted = [...new Set(queues.flatMap(({ experiments }) => experiments))];
  const isOpen = queues.length === 0 || queues.some(({ experiments }) => experiments.length === 0);
  if (isOpen || admitted.length > mostExperiments) return undefined;
  const readable = experimentsFor(principal, 'job:read');
  return readable === '*' ? admitted : admitted.filter((name) => readable.includes(name));
}

/** Stands for counts that would read too much: workers, hosts and downtimes are explained without them. */
function uncounted(error: unknown) {
  if (error instanceof DomainError && error.code === 'BAD_USER_INPUT')
    return { failures: { groups: [], jobs: new Map(), logs: new Map() }, newCodes: [], isUncounted: true };
  throw error;
}

/** A begin before the end, also for a task that was created just now. */
function earlierThan(from: Date, now: Date): Date {
  return from < now ? from : new Date(now.getTime() - 1);
}
