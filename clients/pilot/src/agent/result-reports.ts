import type { Logger } from '@rhizome/log';
import { AttemptError } from '../payload/attempt-error.js';
import type { FailReport, HeldJob, Refusal, StartReport } from '../protocol/core-protocol.js';
import type { JobReports } from '../report/job-reports.js';
import type { ReportResult } from '../report/reporter.js';
import type { JobRecord } from '../spool/spool.types.js';

/**
 * Reports about an attempt that must be accepted: its start, its phases and its end. One that core calls
 * invalid is an error of the attempt.
 */
export class ResultReports {
  readonly #reports: JobReports;
  readonly #log: Logger;
  readonly #dropped: AbortSignal;
  readonly #onRefused: (refusal: Refusal) => void;
  #hasReportedEnd = false;

  /**
   * @param dropped aborted once the job was taken from this worker
   * @param onRefused called for each refusal; drops the job if the refusal says that it is no longer this
   *   worker's
   */
  constructor(reports: JobReports, log: Logger, dropped: AbortSignal, onRefused: (refusal: Refusal) => void) {
    this.#reports = reports;
    this.#log = log;
    this.#dropped = dropped;
    this.#onRefused = onRefused;
  }

  /** True once core has accepted the end of the attempt. */
  get hasReportedEnd(): boolean {
    return this.#hasReportedEnd;
  }

  async start(report: Omit<StartReport, keyof HeldJob>, stopped: AbortSignal): Promise<void> {
    await this.#accepted(this.#reports.start(report, stopped));
  }

  /** Reports a phase after the end of the payload. */
  async enter(phase: JobRecord): Promise<void> {
    await this.#accepted(this.#reports.submit(phase));
  }

  async finish(end: JobRecord): Promise<void> {
    await this.#accepted(this.#reports.deliver(end));
    this.#hasReportedEnd = true;
  }

  async fail(error: AttemptError, end: Omit<FailReport, keyof HeldJob | 'error'>): Promise<void> {
    const { family, code, message, retryable } = error;
    this.#log.info({ family, code, reason: message }, 'attempt failed');
    const reported = { family, code, message: message.slice(0, 2000), retryable };
    await this.finish({ kind: 'FAIL', report: { ...end, error: reported } });
  }

  /**
   * Waits for the answer to a report. A report that core calls outdated drops the job; one that it calls
   * invalid fails the attempt.
   * @throws the reason of the drop, or AttemptError
   */
  async #accepted(answer: Promise<ReportResult>): Promise<void> {
    const result = await answer;
    if (result.accepted) return;
    const { code, message } = result.refusal;
    this.#onRefused(result.refusal);
    this.#dropped.throwIfAborted();
    throw new AttemptError(
      'SYSTEM',
      'REPORT_REFUSED',
      `Core refused a report with ${code}: ${message}`,
      true,
    );
  }
}
