/**
 * Simulates a policy on attempts that have failed. A call works for a few seconds and returns the totals so
 * far, with a cursor that continues.
 */
import { experimentsFor, type Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import { TimeSlices } from '../../shared/time-slices.js';
import { compilePolicy } from '../compiled-policy.js';
import type { LogTail } from '../decide-failure.js';
import type { LogRef, LogTails } from '../failure-policies.js';
import { logTailCharacters } from '../log-pattern.js';
import { checkedContent, type GivenContent } from '../policy-input.js';
import { bookWith, type PolicyBook, type PolicyBooks } from '../policy-book.js';
import { mostVersions, policyId, versionId } from '../policy.document.js';
import type { PolicyScopes, ScopeErrorCode } from '../policy-scopes.js';
import type { PoliciesRepository } from '../policies.repository.js';
import type { PolicyContent, PolicyScope } from '../policy.types.js';
import { replayJob, type Replay, type ReplayedJob } from './replay.js';
import { simulationCursor, type SimulationPosition, simulationPosition } from './simulation-cursor.js';
import type { ScannedJobs, SimulatedJobs, SimulationRepository } from './simulation.repository.js';
import { addJob, noTotals, raised, type SimulationTotals } from './simulation-totals.js';

/** Dependencies of {@link SimulationsService}. */
export interface SimulationsOptions {
  readonly repository: Pick<PoliciesRepository, 'versions'>;
  readonly jobs: SimulationRepository;
  readonly scopes: PolicyScopes;
  readonly books: PolicyBooks;
  readonly logs: LogTails;
  /** Id of a queue. */
  readonly queueId: (name: string) => Promise<string | null>;
  /** Name of a queue, from memory. */
  readonly queueName: (id: string) => string | undefined;
  readonly clock: Clock;
  readonly limits?: Partial<SimulationLimits>;
}

/** Bounds of a simulation. */
export interface SimulationLimits {
  /** Time after which a call returns, in milliseconds. */
  readonly callMs: number;
  /** Jobs that are read at once. */
  readonly page: number;
  /** Jobs that are scanned in all. */
  readonly jobs: number;
  /** Failed attempts that are replayed in all. */
  readonly attempts: number;
}

const defaultLimits: SimulationLimits = { callMs: 2000, page: 500, jobs: 1_000_000, attempts: 100_000 };
/** Most simulations of a process at the same time. */
const mostAtOnce = 4;
/** Time after which other work gets the event loop, in milliseconds. */
const sliceMs = 10;
/** Jobs whose logs are in memory at once. */
const jobsWithLogs = 50;
/** Jobs that were submitted earlier before the simulated days are left out. */
const reachDays = 30;
const mostDays = 90;
const dayMs = 86_400_000;

/** Policy and days to simulate. */
export interface SimulatePolicy {
  readonly scope: PolicyScope;
  /** Number of a stored version, or its content. */
  readonly version?: number | null | undefined;
  readonly content?: GivenContent | null | undefined;
  readonly days: number;
  /** Cursor of the previous call. */
  readonly after?: string | null | undefined;
}

/** Reason for which a simulation has returned. */
export type SimulationStatus = 'RUNNING' | 'COMPLETE' | 'LIMIT_REACHED';

/** Result of a call. */
export interface Simulation {
  readonly status: SimulationStatus;
  /** Continues the simulation; null at its end. */
  readonly endCursor: string | null;
  readonly since: Date;
  /** Earliest submission of the jobs that were scanned. */
  readonly coveredSince: Date;
  readonly totals: SimulationTotals;
  /** One sentence. */
  readonly coverage: string;
}

/** The simulation, or the errors because of which it was refused. */
export interface SimulationResult {
  readonly simulation: Simulation | null;
  readonly userErrors: readonly InputError<ScopeErrorCode | 'VERSION_NOT_FOUND'>[];
}

interface Run {
  readonly scope: PolicyScope;
  readonly content: PolicyContent;
  readonly book: (jobs: readonly ReplayedJob[]) => Promise<PolicyBook>;
  readonly wanted: Omit<SimulatedJobs, 'before'>;
  readonly digest: string;
}

/** Simulates policies. */
export class SimulationsService {
  readonly #options: SimulationsOptions;
  readonly #limits: SimulationLimits;
  #running = 0;

  constructor(options: SimulationsOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
  }

  /**
   * Simulates a policy, for those who may set it.
   * @throws DomainError FORBIDDEN, CURSOR_INVALID, LIMIT_EXCEEDED
   */
  async simulate(principal: Principal, input: SimulatePolicy): Promise<SimulationResult> {
    const target = await this.#options.scopes.writable(principal, input.scope);
    if ('missing' in target) return { simulation: null, userErrors: [target.missing] };
    const errors = new InputErrors<'VERSION_NOT_FOUND'>();
    const content = await this.#contentOf(input, errors);
    errors.int(['days'], input.days, 1, mostDays);
    if (!content || !errors.isEmpty) return { simulation: null, userErrors: errors.all };
    if (this.#running >= mostAtOnce) throw tooMany();
    this.#running += 1;
    try {
      return { simulation: await this.#run(principal, input, content), userErrors: [] };
    } finally {
      this.#running -= 1;
    }
  }

  async #contentOf(
    { scope, version, content }: SimulatePolicy,
    errors: InputErrors<'VERSION_NOT_FOUND'>,
  ): Promise<PolicyContent | undefined> {
    if ((version == null) === (content == null)) {
      errors.add(['version'], version ?? null, 'the number of a version, or null if content is given');
      return undefined;
    }
    if (content != null) {
      const found = new InputErrors();
      const checked = checkedContent(content, found, scope.kind);
      for (const { path, message } of found.all)
        errors.report('INVALID_VALUE', ['content', ...path], `content.${message}`);
      return checked;
    }
    const number = version ?? 0;
    errors.int(['version'], number, 1, mostVersions);
    if (!errors.isEmpty) return undefined;
    const [stored] = await this.#options.repository.versions([versionId(policyId(scope), number)]);
    if (!stored)
      errors.report('VERSION_NOT_FOUND', ['version'], `version: the policy has no version ${number}`);
    return stored?.content;
  }

  async #run(principal: Principal, input: SimulatePolicy, content: PolicyContent): Promise<Simulation> {
    const { clock } = this.#options;
    const { scope, days, after } = input;
    const digest = digestOf({ scope, content, days, subject: principal.subject });
    const rules = content.rules.map(({ name }) => name);
    const position = after == null ? undefined : simulationPosition(after, digest, rules.length);
    const since = position?.since ?? new Date(clock.now().getTime() - days * dayMs);
    const visible = experimentsFor(principal, 'job:read');
    const wanted = {
      key: await this.#keyOf(scope),
      experiments: visible === '*' ? undefined : visible,
      from: new Date(since.getTime() - reachDays * dayMs),
      since,
    };
    const tried = compilePolicy(policyId(scope), input.version ?? 0, content);
    const book = async (jobs: readonly ReplayedJob[]) =>
      bookWith(await this.#options.books.bookFor(jobs), tried);
    return this.#scan({ scope, content, book, wanted, digest }, position ?? noTotals(rules));
  }

  async #keyOf({ kind, name }: PolicyScope): Promise<SimulatedJobs['key']> {
    if (kind === 'EXPERIMENT') return { experiment: name };
    if (kind === 'TASK') return { taskId: name };
    return { queueId: (await this.#options.queueId(name)) ?? '' };
  }

  async #scan(run: Run, from: SimulationPosition | SimulationTotals): Promise<Simulation> {
    const { clock, jobs } = this.#options;
    const { callMs, page } = this.#limits;
    const begun = clock.monotonicMs();
    let totals = 'totals' in from ? from.totals : from;
    let before = 'totals' in from ? from.last : undefined;
    for (;;) {
      const found = await jobs.page({ ...run.wanted, before }, page);
      totals = raised(await this.#add(totals, found.jobs, run), { scannedJobs: found.scanned });
      const { last } = found;
      if (!last) return simulationOf(run, 'COMPLETE', totals);
      before = last.id;
      if (totals.scannedJobs >= this.#limits.jobs || totals.failedAttempts >= this.#limits.attempts)
        return simulationOf(run, 'LIMIT_REACHED', totals, last);
      if (clock.monotonicMs() - begun >= callMs) return simulationOf(run, 'RUNNING', totals, last);
    }
  }

  async #add(totals: SimulationTotals, jobs: readonly ReplayedJob[], run: Run): Promise<SimulationTotals> {
    const book = await run.book(jobs);
    const id = policyId(run.scope);
    let sum = totals;
    for (let start = 0; start < jobs.length; start += jobsWithLogs) {
      const some = jobs.slice(start, start + jobsWithLogs);
      const { replays, withoutLog } = await this.#replay(some, book, run.wanted.since);
      sum = raised(sum, { attemptsWithoutLog: withoutLog });
      for (const [index, replay] of replays.entries()) {
        const job = some[index];
        if (job) sum = addJob(sum, job, replay, id);
      }
    }
    return sum;
  }

  /** Replays jobs. Logs are read together, those of later attempts once a rule needs them. */
  async #replay(jobs: readonly ReplayedJob[], book: PolicyBook, since: Date) {
    const { clock, logs, queueName } = this.#options;
    const slices = new TimeSlices(clock, sliceMs);
    const tails = new Map<string, string | null>();
    const replays: Replay[] = [];
    let open = jobs.map((job, index) => ({ job, index }));
    while (open.length > 0) {
      const needed: { readonly job: ReplayedJob; readonly index: number; readonly ref: LogRef }[] = [];
      for (const { job, index } of open) {
        await slices.next();
        const log = (attempt: number): LogTail => tails.get(keyOfLog({ jobId: job._id, attempt }));
        const replay = replayJob(job, { book, since, queueName, log });
        if ('logOf' in replay) needed.push({ job, index, ref: { jobId: job._id, attempt: replay.logOf } });
        else replays[index] = replay;
      }
      const read = await logs.tails(
        needed.map(({ ref }) => ref),
        logTailCharacters,
      );
      needed.forEach(({ ref }, at) => tails.set(keyOfLog(ref), read[at] ?? null));
      open = needed;
    }
    return { replays, withoutLog: [...tails.values()].filter((tail) => tail === null).length };
  }
}

function keyOfLog({ jobId, attempt }: LogRef): string {
  return `${jobId}/${attempt}`;
}

function simulationOf(
  { scope, wanted: { from, since }, digest }: Run,
  status: SimulationStatus,
  totals: SimulationTotals,
  last?: ScannedJobs['last'],
): Simulation {
  const endCursor =
    status === 'RUNNING' && last ? simulationCursor(digest, { since, last: last.id, totals }) : null;
  const coveredSince = last?.createdAt ?? from;
  const which = scope.kind === 'QUEUE' ? 'jobs whose latest attempt was in the queue' : 'jobs';
  const older = last
    ? ` Older jobs are not covered${status === 'RUNNING' ? ' yet' : ': the limit is reached'}.`
    : '';
  const coverage =
    `All attempts that failed since ${since.toISOString()}, of ${which} that were submitted since ` +
    `${coveredSince.toISOString()}.${older}`;
  return { status, endCursor, since, coveredSince, totals, coverage };
}

function tooMany(): DomainError {
  const message = `simulations: ${mostAtOnce} are running at the same time; try again later`;
  return new DomainError('LIMIT_EXCEEDED', message, {
    field: 'simulations',
    expected: `at most ${mostAtOnce}`,
  });
}
