import type { Logger } from '@rhizome/log';
import { JobReports, type JobReportsServices } from '../report/job-reports.js';
import { isVoid } from '../report/void-codes.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { Spool } from '../spool/spool.js';
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
  #isOver = false;

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

  drop(reason: string): void {
    this.#log.info({ reason }, 'reports of an earlier pilot discarded');
    this.#reports.discard(new Error(reason));
  }

  /** No payload runs. */
  endInSilence(): void {
    return undefined;
  }

  abandon(reason: string): void {
    this.#reports.leave(new Error(reason));
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

/** Reports of earlier pilots with this name. Attempts whose end is not known are over with their pilot. */
export async function takeOverReports(
  spool: Spool,
  services: JobReportsServices,
): Promise<readonly LeftReports[]> {
  const { log } = services;
  const restore = async (left: AttemptSpool): Promise<readonly LeftReports[]> => {
    try {
      const reports = await JobReports.restore(left, services);
      if (reports !== undefined) return [new LeftReports(reports, log)];
    } catch (error) {
      log.error({ err: error }, 'reports of an earlier pilot lost');
    }
    await left.discard();
    return [];
  };
  const found: LeftReports[] = [];
  for (const left of await spool.takeOver()) found.push(...(await restore(left)));
  return found;
}
