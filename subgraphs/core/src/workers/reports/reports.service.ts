/** Rules of workers' words about jobs: that they start, ended well, failed. The fence of a word decides whether it counts. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { JobState } from '../../jobs/model/job-state.js';
import { decideAfterFailure } from '../../jobs/transitions/retry-policy.js';
import type {
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from '../../jobs/transitions/transition.types.js';
import {
  checkFail,
  checkFinish,
  type FailSpec,
  type FinishSpec,
  missingOutput,
  type StartSpec,
  storedEnd,
  storedFailure,
  storedOutputs,
} from './report-input.js';
import { planFail, planFinish, planStart, type ReportStep } from './report-plans.js';
import {
  checkedWords,
  conflict,
  type Known,
  noJob,
  type OpenWord,
  type ReportRules,
  stale,
  type Word,
} from './job-reports.js';
import { maySpeakOf, type Speakers } from '../worker-access.js';
import { silenced, type WorkerProblem } from '../worker-errors.js';
import type { WorkerRegistry } from '../worker-registry.js';

/** What {@link ReportsService} is made of. */
export interface ReportsOptions {
  readonly registry: Pick<WorkerRegistry, 'find'>;
  readonly speakers: Speakers;
  readonly ledger: Pick<Ledger, 'get'>;
  readonly jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
  readonly writer: TransitionWriter;
  readonly clock: Clock;
}

/** What became of a report. */
export interface ReportResult {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly WorkerProblem[];
}

/** What became of a report of failures. */
export interface FailResult extends ReportResult {
  readonly retriedIds: readonly string[];
}

/** Steps of one word at most, with those that meet a job that moved meanwhile. */
const maxSteps = 6;

/** See the head of this file. */
export class ReportsService {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Payloads start. */
  async start(principal: Principal, workerId: string, words: readonly StartSpec[]): Promise<ReportResult> {
    const plan = (word: StartSpec, known: Known): ReportStep => planStart(word.phase, known.state);
    const { accepted, problems } = await this.#report(principal, workerId, words, {
      plan,
      check: () => undefined,
      needs: 'state',
    });
    return { acceptedIds: accepted.map(({ word }) => word.id), userErrors: problems };
  }

  /** Payloads ended well. */
  async finish(principal: Principal, workerId: string, words: readonly FinishSpec[]): Promise<ReportResult> {
    const { accepted, problems } = await this.#report(principal, workerId, words, {
      needs: 'outputs',
      check: (word, at, found) => checkFinish(found, at, word),
      refuse: (word, { outputs }, index) => missingOutput(word, outputs ?? [], index),
      plan: (word, known) =>
        planFinish(
          {
            phase: word.phase ?? 'FINISHED',
            end: storedEnd(word),
            outputs: storedOutputs(word),
            hasDeclaredOutputs: (known.outputs ?? []).length > 0,
          },
          known.state,
        ),
    });
    return { acceptedIds: accepted.map(({ word }) => word.id), userErrors: problems };
  }

  /** Attempts failed: another follows by the job's policy, or the job is FAILED. */
  async fail(principal: Principal, workerId: string, words: readonly FailSpec[]): Promise<FailResult> {
    const { clock } = this.#options;
    const { accepted, problems } = await this.#report(principal, workerId, words, {
      needs: 'all',
      check: (word, at, found) => checkFail(found, at, word),
      plan: (word, { state, full }) => {
        const end = storedFailure(word);
        const decide = () =>
          full ? decideAfterFailure(full, end.error, clock.now()) : ({ to: 'FAILED' } as const);
        return planFail(end, decide, state);
      },
    });
    const retried = accepted.filter(({ known }) => known.state !== 'FAILED');
    return {
      acceptedIds: accepted.map(({ word }) => word.id),
      retriedIds: retried.map(({ word }) => word.id),
      userErrors: problems,
    };
  }

  async #report<TWord extends Word>(
    principal: Principal,
    workerId: string,
    words: readonly TWord[],
    rules: ReportRules<TWord>,
  ): Promise<{ accepted: readonly OpenWord<TWord>[]; problems: readonly WorkerProblem[] }> {
    const { registry, speakers } = this.#options;
    const worker = await registry.find(workerId);
    if (worker) await speakers.assert(principal, 'job:report', worker.queue);
    const refusal = silenced(workerId, worker);
    if (refusal) return { accepted: [], problems: [refusal] };
    const { fit, problems } = checkedWords(words, rules);
    const open = await this.#open({ principal, workerId }, fit, rules, problems);
    const accepted: OpenWord<TWord>[] = [];
    let left = open;
    for (let step = 0; step < maxSteps && left.length > 0; step += 1)
      left = await this.#step(left, rules, principal.subject, accepted, problems);
    for (const { index, word, known } of left)
      problems.push(conflict(index, word, known.state, 'a state that stays for a moment'));
    return { accepted: accepted.sort((a, b) => a.index - b.index), problems };
  }

  /** Words about jobs that are the worker's under the fence given, and of experiments that its speaker may report of. */
  async #open<TWord extends Word>(
    { principal, workerId }: { readonly principal: Principal; readonly workerId: string },
    words: readonly { readonly index: number; readonly word: TWord }[],
    { needs, refuse, plan }: ReportRules<TWord>,
    problems: WorkerProblem[],
  ): Promise<OpenWord<TWord>[]> {
    const mayTell = (share: string): boolean => maySpeakOf(principal, 'job:report', share);
    const known = new Map<string, Known>();
    for (const { word } of words) {
      const entry = this.#options.ledger.get(word.id);
      if (entry?.workerId !== workerId || entry.fence !== word.fence || !mayTell(entry.share)) continue;
      if (needs === 'all' || (needs === 'outputs' && !entry.outputs)) continue;
      const facts: Known = { state: entry.state, outputs: entry.outputs, full: undefined };
      // A report that another process accepted may not have reached this memory: only the store's state refuses one.
      if (plan(word, facts).kind !== 'conflict') known.set(word.id, facts);
    }
    const unknown = words.filter(({ word }) => !known.has(word.id));
    const found =
      unknown.length === 0 ? [] : await this.#options.jobs.reported(unknown.map(({ word }) => word.id));
    const byId = new Map(found.map((job) => [job._id, job]));
    return words.flatMap(({ index, word }) => {
      const job = byId.get(word.id);
      const facts =
        known.get(word.id) ?? (job && { state: job.state, outputs: job.payload.outputs, full: job });
      if (!facts || (job && !mayTell(job.share))) problems.push(noJob(index, word));
      else if (job && (job.fence !== word.fence || job.workerId !== workerId))
        problems.push(stale(index, word));
      else {
        const problem = refuse?.(word, facts, index);
        if (!problem) return [{ index, word, known: facts }];
        problems.push(problem);
      }
      return [];
    });
  }

  /** Takes the next step of each word. @returns those that need another */
  async #step<TWord extends Word>(
    open: readonly OpenWord<TWord>[],
    { plan }: ReportRules<TWord>,
    actor: string,
    accepted: OpenWord<TWord>[],
    problems: WorkerProblem[],
  ): Promise<OpenWord<TWord>[]> {
    const writing: {
      readonly one: OpenWord<TWord>;
      readonly request: TransitionRequest;
      readonly isLast: boolean;
    }[] = [];
    for (const one of open) {
      const step = plan(one.word, one.known);
      if (step.kind === 'done') accepted.push(one);
      else if (step.kind === 'conflict')
        problems.push(conflict(one.index, one.word, one.known.state, step.expected));
      else
        writing.push({
          one,
          isLast: step.isLast,
          request: requestOf(one.word, one.known.state, step, actor),
        });
    }
    const outcomes = await this.#options.writer.apply(writing.map(({ request }) => request));
    const again: OpenWord<TWord>[] = [];
    writing.forEach(({ one, request, isLast }, position) => {
      const outcome = outcomes[position];
      if (outcome?.applied) {
        one.known = { ...one.known, state: request.to };
        (isLast ? accepted : again).push(one);
      } else if (outcome) {
        const problem = this.#met(one, outcome);
        if (problem) problems.push(problem);
        else again.push(one);
      }
    });
    return again;
  }

  /** The job was not in the state that was thought. @returns the problem, or undefined if the word may still be right */
  #met<TWord extends Word>(
    one: OpenWord<TWord>,
    outcome: TransitionOutcome & { readonly applied: false },
  ): WorkerProblem | undefined {
    const { current } = outcome;
    if (!current) return noJob(one.index, one.word);
    if (current.fence !== one.word.fence) return stale(one.index, one.word);
    one.known = { ...one.known, state: current.state };
    return undefined;
  }
}

function requestOf(
  word: Word,
  from: JobState,
  step: ReportStep & { readonly kind: 'step' },
  actor: string,
): TransitionRequest {
  return {
    jobId: word.id,
    from,
    to: step.to,
    by: 'worker',
    actor,
    fence: word.fence,
    ...(step.reason === undefined ? {} : { reason: step.reason }),
    ...(step.change ? { change: step.change } : {}),
  };
}
