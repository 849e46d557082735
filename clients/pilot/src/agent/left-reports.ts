import type { Logger } from '@rhizome/log';
import { JobReports, type JobReportsServices } from '../report/job-reports.js';
import { isVoid } from '../report/void-codes.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { HeldRun } from './held-jobs.js';

/**
 * Reports about an attempt that has ended, which an earlier pilot left on disk. They are sent as if that
 * pilot did it.
 */
export class LeftReports implements HeldRun {
  readonly #reports: JobReports;
  readonly #log: Logger;
  readonly done: Promise<void>;
  readonly continueSeconds = Infinity;
  readonly noticeSeconds = 0;
  readonly progress = undefined;
  #isOver = false;
  #isLeft = false;

  constructor(reports: JobReports, log: Logger) {
    this.#reports = reports;
    this.#log = log.child({ jobId: reports.held.jobId });
    this.done = this.#deliver();
  }

  get held(): HeldRun['held'] {
    return this.#reports.held;
  }

  get isHeld(): boolean {
    return !this.#isOver;
  }

  get isLeft(): boolean {
    return this.#isLeft;
  }

  drop(reason: string): void {
    this.#log.info({ reason }, 'reports of an earlier pilot discarded');
    this.#reports.discard(new Error(reason));
  }

  notify(): void {
    return undefined;
  }

  /** No payload runs. */
  preempt(): void {
    return undefined;
  }

  /** No payload runs. */
  endInSilence(): void {
    return undefined;
  }

  abandon(reason: string): void {
    if (!this.isHeld) return;
    this.#isLeft = true;
    this.#reports.leave(new Error(reason));
  }

  leave(reason: string): void {
    this.abandon(reason);
  }

  adopt(fence: number): void {
    this.#reports.adopt(fence);
  }

  async #deliver(): Promise<void> {
    this.#reports.listen({
      onRefused: (refusal) => {
        if (isVoid(refusal)) this.drop(`${refusal.code}: ${refusal.message}`);
        else this.#log.error(refusal, 'report of an earlier pilot refused');
      },
      onLogRefused: () => undefined,
    });
    await this.#reports.delivered().catch(() => undefined);
    this.#isOver = true;
    await this.#reports.close();
  }
}

/** The reports about an attempt, if its end is among them. */
export async function leftReports(
  spool: AttemptSpool,
  services: JobReportsServices,
): Promise<LeftReports | undefined> {
  const { log } = services;
  try {
    const reports = await JobReports.restore(spool, services);
    return reports && new LeftReports(reports, log);
  } catch (error) {
    log.error({ err: error }, 'reports of an earlier pilot lost');
    return undefined;
  }
}

/** Reports of earlier pilots whose payloads have no record. Attempts whose end is not known are over. */
export async function takeOverReports(
  spools: Iterable<AttemptSpool>,
  services: JobReportsServices,
): Promise<readonly LeftReports[]> {
  const found: LeftReports[] = [];
  for (const spool of spools) {
    const reports = await leftReports(spool, services);
    if (reports === undefined) await spool.discard();
    else found.push(reports);
  }
  return found;
}
