import { untilAnswered } from '../protocol/until-answered.js';
import type {
  CoreProtocol,
  FailReport,
  FinishReport,
  HeldJob,
  Refusal,
  ReportAnswer,
  StartReport,
} from '../protocol/core-protocol.js';
import { Batcher } from './batcher.js';

/** Result of one report. */
export type ReportResult =
  { readonly accepted: true } | { readonly accepted: false; readonly refusal: Refusal };

/**
 * Reports about jobs of one worker. Reports of several jobs travel together. A report that core does not
 * answer is repeated, with delays, until its signal; fences make it count once.
 */
export class Reporter {
  readonly #starts: Batcher<StartReport, ReportResult>;
  readonly #finishes: Batcher<FinishReport, ReportResult>;
  readonly #fails: Batcher<FailReport, ReportResult>;

  constructor(core: CoreProtocol, workerId: string) {
    this.#starts = new Batcher(async (reports) =>
      resultsOf(reports, await core.startJobs(workerId, reports)),
    );
    this.#finishes = new Batcher(async (reports) =>
      resultsOf(reports, await core.finishJobs(workerId, reports)),
    );
    this.#fails = new Batcher(async (reports) => resultsOf(reports, await core.failJobs(workerId, reports)));
  }

  /** @throws CoreRefused if the whole call was refused; the signal's reason */
  async start(report: StartReport, signal: AbortSignal): Promise<ReportResult> {
    return untilAnswered(() => this.#starts.add(report), signal);
  }

  /** @throws as `start` */
  async finish(report: FinishReport, signal: AbortSignal): Promise<ReportResult> {
    return untilAnswered(() => this.#finishes.add(report), signal);
  }

  /** @throws as `start` */
  async fail(report: FailReport, signal: AbortSignal): Promise<ReportResult> {
    return untilAnswered(() => this.#fails.add(report), signal);
  }
}

function resultsOf(reports: readonly HeldJob[], { refused }: ReportAnswer): readonly ReportResult[] {
  return reports.map(({ jobId }) => {
    const refusal = refused.get(jobId);
    return refusal === undefined ? { accepted: true } : { accepted: false, refusal };
  });
}
