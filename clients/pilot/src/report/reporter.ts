import {
  CoreRefused,
  type CheckpointReport,
  type CoreProtocol,
  type FailReport,
  type FinishReport,
  type HeldJob,
  type Refusal,
  type ReportAnswer,
  type StartReport,
} from '../protocol/core-protocol.js';
import { Batcher } from './batcher.js';
import { isWorkerLost } from './void-codes.js';

/** Result of one report. */
export type ReportResult =
  { readonly accepted: true } | { readonly accepted: false; readonly refusal: Refusal };

/**
 * Reports about jobs of one worker. Reports of several jobs travel together. Each throws CoreRefused if the
 * whole call was refused, CoreUnavailable, or the signal's reason; fences make a repeated report count once.
 */
export class Reporter {
  readonly #starts: Batcher<StartReport, ReportResult>;
  readonly #finishes: Batcher<FinishReport, ReportResult>;
  readonly #fails: Batcher<FailReport, ReportResult>;
  readonly #checkpoints: Batcher<CheckpointReport, ReportResult>;

  /** @param signal ends all calls */
  constructor(core: CoreProtocol, workerId: string, signal: AbortSignal) {
    this.#starts = new Batcher(async (reports) =>
      resultsOf(reports, await core.startJobs(workerId, reports, signal)),
    );
    this.#finishes = new Batcher(async (reports) =>
      resultsOf(reports, await core.finishJobs(workerId, reports, signal)),
    );
    this.#fails = new Batcher(async (reports) =>
      resultsOf(reports, await core.failJobs(workerId, reports, signal)),
    );
    this.#checkpoints = new Batcher(async (reports) =>
      resultsOf(reports, await core.reportCheckpoints(workerId, reports, signal)),
    );
  }

  async start(report: StartReport): Promise<ReportResult> {
    return this.#starts.add(report);
  }

  async finish(report: FinishReport): Promise<ReportResult> {
    return this.#finishes.add(report);
  }

  async checkpoints(report: CheckpointReport): Promise<ReportResult> {
    return this.#checkpoints.add(report);
  }

  async fail(report: FailReport): Promise<ReportResult> {
    return this.#fails.add(report);
  }
}

/** @throws CoreRefused if core has given up the worker */
function resultsOf(reports: readonly HeldJob[], { refused }: ReportAnswer): readonly ReportResult[] {
  const lost = [...refused.values()].find(isWorkerLost);
  if (lost !== undefined) throw new CoreRefused(lost.code, lost.message);
  return reports.map(({ jobId }) => {
    const refusal = refused.get(jobId);
    return refusal === undefined ? { accepted: true } : { accepted: false, refusal };
  });
}
