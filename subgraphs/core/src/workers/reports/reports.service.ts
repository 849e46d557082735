/**
 * Processes reports of workers about jobs: started, ended well, failed. The fence of a report decides whether
 * it counts.
 */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { JobProgress } from '../../jobs/checkpoints/job-progress.js';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type {
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from '../../jobs/transitions/transition.types.js';
import type { FailureDecision } from '../../policies/failure.types.js';
import type { FailurePolicies } from '../../policies/failure-policies.js';
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
  undeclaredKept,
} from './report-input.js';
import { checkCheckpoints, type CheckpointsSpec, storedCheckpoint } from './progress-input.js';
import { planCheckpoints, planFail, planFinish, planStart, type ReportStep } from './report-plans.js';
import {
  checkedReports,
  conflict,
  type Known,
  noJob,
  type OpenReport,
  type ReportRules,
  stale,
  type JobReport,
} from './job-reports.js';
import type { WorkerReturns } from '../adoption/worker-returns.js';
import { mayActFor, type WorkerAccess } from '../worker-access.js';
import {
  rejectUnknownOrLost,
  type ReportCode,
  type WorkerErrorCode,
  type WorkerProblem,
} from '../worker-errors.js';
import type { WorkerRegistry } from '../worker-registry.js';

/** Dependencies of {@link ReportsService}. */
export interface ReportsOptions {
  readonly registry: Pick<WorkerRegistry, 'find'>;
  readonly access: WorkerAccess;
  readonly returns: Pick<WorkerReturns, 'present'>;
  readonly ledger: Pick<Ledger, 'get'>;
  readonly jobs: { reported(ids: readonly string[]): Promise<readonly ReportedJob[]> };
  readonly writer: TransitionWriter;
  readonly policies: Pick<FailurePolicies, 'decide'>;
  readonly progress: Pick<JobProgress, 'keepCheckpoints'>;
  readonly clock: Clock;
}

/** Result of a report. `C` lists its error codes in addition to those of all reports. */
export interface ReportResult<C extends WorkerErrorCode = never> {
  readonly acceptedIds: readonly string[];
  readonly userErrors: readonly WorkerProblem<ReportCode | C>[];
}

/** Result of a report of failures. */
export interface FailResult extends ReportResult {
  readonly retriedIds: readonly string[];
}

/** Most steps of one report, including those that meet a job that changed meanwhile. */
const maxSteps = 6;

/** Processes reports about jobs. */
export class ReportsService {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Processes reports that payloads start. */
  async start(principal: Principal, workerId: string, reports: readonly StartSpec[]): Promise<ReportResult> {
    const plan = (report: StartSpec, known: Known): ReportStep => planStart(report, known.state);
    const { accepted, errors } = await this.#report(principal, workerId, reports, {
      plan,
      check: () => undefined,
      needs: 'state',
    });
    return { acceptedIds: accepted.map(({ report }) => report.id), userErrors: errors };
  }

  /** Processes reports that payloads ended well. */
  async finish(
    principal: Principal,
    workerId: string,
    reports: readonly FinishSpec[],
  ): Promise<ReportResult<'OUTPUT_MISSING'>> {
    const { accepted, errors } = await this.#report(principal, workerId, reports, {
      needs: 'outputs',
      check: (report, at, found) => checkFinish(found, at, report),
      refuse: (report, { outputs }, index) => missingOutput(report, outputs ?? [], index),
      plan: (report, known) =>
        planFinish(
          {
            phase: report.phase ?? 'FINISHED',
            end: storedEnd(report),
            outputs: storedOutputs(report),
            hasDeclaredOutputs: (known.outputs ?? []).length > 0,
          },
          known.state,
        ),
    });
    return { acceptedIds: accepted.map(({ report }) => report.id), userErrors: errors };
  }

  /**
   * Processes reports that attempts failed. What follows is decided by the policies of the job's task, queue
   * and experiment, and by the retry policy of the job.
   */
  async fail(principal: Principal, workerId: string, reports: readonly FailSpec[]): Promise<FailResult> {
    const decisions = new Map<string, FailureDecision>();
    const { accepted, errors } = await this.#report(principal, workerId, reports, {
      needs: 'all',
      check: (report, at, found) => checkFail(found, at, report),
      refuse: (report, { full }, index) => undeclaredKept(report, full?.payload.keepOnFailure ?? [], index),
      prepare: async (open) => {
        const failures = open.flatMap(({ report, known: { full, state } }) =>
          full && isHeld(state) ? [{ job: full, end: storedFailure(report) }] : [],
        );
        const decided = await this.#options.policies.decide(failures);
        for (const [index, decision] of decided.entries())
          decisions.set(failures[index]?.job._id ?? '', decision);
      },
      plan: (report, { state }) => {
        const decide = (): FailureDecision => decisions.get(report.id) ?? { after: { to: 'FAILED' } };
        return planFail(storedFailure(report), decide, state);
      },
    });
    const retried = accepted.filter(({ known }) => known.state !== 'FAILED');
    return {
      acceptedIds: accepted.map(({ report }) => report.id),
      retriedIds: retried.map(({ report }) => report.id),
      userErrors: errors,
    };
  }

  /** Replaces the checkpoints of jobs. No state changes. */
  async checkpoint(
    principal: Principal,
    workerId: string,
    reports: readonly CheckpointsSpec[],
  ): Promise<ReportResult> {
    const { accepted, errors } = await this.#report(principal, workerId, reports, {
      needs: 'state',
      check: (report, at, found) => checkCheckpoints(found, at, report),
      plan: (_report, { state }) => planCheckpoints(state),
    });
    const now = this.#options.clock.now();
    await this.#options.progress.keepCheckpoints(
      accepted.map(({ report: { id: jobId, fence, checkpoints } }) => ({
        jobId,
        fence,
        checkpoints: checkpoints.map((one) => storedCheckpoint(one, now)),
      })),
    );
    return { acceptedIds: accepted.map(({ report }) => report.id), userErrors: errors };
  }

  async #report<TReport extends JobReport, C extends WorkerErrorCode = never>(
    principal: Principal,
    workerId: string,
    reports: readonly TReport[],
    rules: ReportRules<TReport, C>,
  ): Promise<{
    accepted: readonly OpenReport<TReport>[];
    errors: readonly WorkerProblem<ReportCode | C>[];
  }> {
    const { registry, access, returns } = this.#options;
    const known = await access.workerFor(principal, 'job:report', await registry.find(workerId));
    const worker = known && (await returns.present(principal, known));
    const refusal = rejectUnknownOrLost(workerId, worker);
    if (refusal) return { accepted: [], errors: [refusal] };
    const { fit, errors: malformed } = checkedReports(reports, rules);
    const errors: WorkerProblem<ReportCode | C>[] = [...malformed];
    const open = await this.#open({ principal, workerId }, fit, rules, errors);
    await rules.prepare?.(open);
    const accepted: OpenReport<TReport>[] = [];
    let left = open;
    for (let step = 0; step < maxSteps && left.length > 0; step += 1) {
      if (step > 0 && rules.prepare) await this.#prepareAgain(left, rules.prepare);
      left = await this.#step(left, rules, principal.subject, accepted, errors);
    }
    for (const { index, report, known } of left)
      errors.push(conflict(index, report, known.state, 'a state that does not change during the report'));
    return { accepted: accepted.sort((a, b) => a.index - b.index), errors };
  }

  /**
   * Returns the reports about jobs that the worker holds under the given fence, and whose experiment the
   * caller may report about.
   */
  async #open<TReport extends JobReport, C extends WorkerErrorCode>(
    { principal, workerId }: { readonly principal: Principal; readonly workerId: string },
    reports: readonly { readonly index: number; readonly report: TReport }[],
    { needs, refuse, plan }: ReportRules<TReport, C>,
    errors: WorkerProblem<ReportCode | C>[],
  ): Promise<OpenReport<TReport>[]> {
    const mayReport = (share: string): boolean => mayActFor(principal, 'job:report', share);
    const known = new Map<string, Known>();
    for (const { report } of reports) {
      const entry = this.#options.ledger.get(report.id);
      if (entry?.workerId !== workerId || entry.fence !== report.fence || !mayReport(entry.share)) continue;
      if (needs === 'all' || (needs === 'outputs' && !entry.outputs)) continue;
      const facts: Known = { state: entry.state, outputs: entry.outputs, full: undefined };
      // This memory may not have a report that another process accepted yet, so only the state in the store
      // refuses a report.
      if (plan(report, facts).kind !== 'conflict') known.set(report.id, facts);
    }
    const unknown = reports.filter(({ report }) => !known.has(report.id));
    const found =
      unknown.length === 0 ? [] : await this.#options.jobs.reported(unknown.map(({ report }) => report.id));
    const byId = new Map(found.map((job) => [job._id, job]));
    return reports.flatMap(({ index, report }) => {
      const job = byId.get(report.id);
      const facts =
        known.get(report.id) ?? (job && { state: job.state, outputs: job.payload.outputs, full: job });
      if (!facts || (job && !mayReport(job.share))) errors.push(noJob(index, report));
      else if (job && (job.fence !== report.fence || job.workerId !== workerId))
        errors.push(stale(index, report));
      else {
        const problem = refuse?.(report, facts, index);
        if (!problem) return [{ index, report, known: facts }];
        errors.push(problem);
      }
      return [];
    });
  }

  /** Jobs that have changed since they were read are read again: an attempt may have been given back. */
  async #prepareAgain<TReport extends JobReport>(
    open: readonly OpenReport<TReport>[],
    prepare: NonNullable<ReportRules<TReport>['prepare']>,
  ): Promise<void> {
    const found = await this.#options.jobs.reported(open.map(({ report }) => report.id));
    const byId = new Map(found.map((job) => [job._id, job]));
    for (const one of open) {
      const full = byId.get(one.report.id);
      if (full?.fence === one.report.fence) one.known = { ...one.known, state: full.state, full };
    }
    await prepare(open);
  }

  /** Takes the next step of each report. @returns the reports that need another step */
  async #step<TReport extends JobReport, C extends WorkerErrorCode>(
    open: readonly OpenReport<TReport>[],
    { plan }: Pick<ReportRules<TReport>, 'plan'>,
    actor: string,
    accepted: OpenReport<TReport>[],
    errors: WorkerProblem<ReportCode | C>[],
  ): Promise<OpenReport<TReport>[]> {
    const writing: {
      readonly one: OpenReport<TReport>;
      readonly request: TransitionRequest;
      readonly isLast: boolean;
    }[] = [];
    for (const one of open) {
      const step = plan(one.report, one.known);
      if (step.kind === 'done') accepted.push(one);
      else if (step.kind === 'conflict')
        errors.push(conflict(one.index, one.report, one.known.state, step.expected));
      else
        writing.push({
          one,
          isLast: step.isLast,
          request: requestOf(one.report, one.known.state, step, actor),
        });
    }
    const outcomes = await this.#options.writer.apply(writing.map(({ request }) => request));
    const again: OpenReport<TReport>[] = [];
    writing.forEach(({ one, request, isLast }, position) => {
      const outcome = outcomes[position];
      if (outcome?.applied) {
        one.known = { ...one.known, state: request.to };
        (isLast ? accepted : again).push(one);
      } else if (outcome) {
        const problem = this.#met(one, outcome);
        if (problem) errors.push(problem);
        else again.push(one);
      }
    });
    return again;
  }

  /**
   * Handles a job that was not in the expected state. @returns the error, or undefined if the report may
   * still be right
   */
  #met<TReport extends JobReport>(
    one: OpenReport<TReport>,
    outcome: TransitionOutcome & { readonly applied: false },
  ): WorkerProblem<ReportCode> | undefined {
    const { current } = outcome;
    if (!current) return noJob(one.index, one.report);
    if (current.fence !== one.report.fence) return stale(one.index, one.report);
    one.known = { ...one.known, state: current.state };
    return undefined;
  }
}

function requestOf(
  report: JobReport,
  from: JobState,
  step: ReportStep & { readonly kind: 'step' },
  actor: string,
): TransitionRequest {
  return {
    jobId: report.id,
    from,
    to: step.to,
    by: 'worker',
    actor,
    fence: report.fence,
    ...(step.uncountedEnds === undefined ? {} : { uncountedEnds: step.uncountedEnds }),
    ...(step.reason === undefined ? {} : { reason: step.reason }),
    ...(step.change ? { change: step.change } : {}),
  };
}
