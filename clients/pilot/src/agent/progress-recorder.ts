import type { Logger } from '@rhizome/log';
import type { Contact } from '../report/contact.js';
import type { JobReports } from '../report/job-reports.js';
import { shipLog } from '../report/log-shipper.js';
import type { AttemptProgress, AttemptRecord } from '../supervisor/attempt-record.js';
import type { OutputChunk } from '../supervisor/output-log.js';
import type { PayloadHandle } from '../supervisor/payload-handle.js';

/** A phase between the end of the payload and that of the attempt. */
export type EndPhase = NonNullable<AttemptProgress['phase']>;

/** Records what core knows of an attempt, so that the next pilot does not report it again. */
export class ProgressRecorder {
  /** The record of the attempt, once there is one. */
  record: AttemptRecord | undefined;
  readonly #reports: JobReports;
  readonly #log: Logger;
  #phase: AttemptProgress['phase'];
  /** The part of the log that core has or that is among the reports on disk; without what is on its way. */
  #shipped: Pick<AttemptProgress, 'outputOffset' | 'nextSequence'> = { outputOffset: 0, nextSequence: 0 };
  #saving: Promise<void> = Promise.resolve();

  constructor(reports: JobReports, log: Logger, phase: AttemptProgress['phase']) {
    this.#reports = reports;
    this.#log = log;
    this.#phase = phase;
  }

  /** Phase after the end of the payload that core knows of; null before. */
  get phase(): AttemptProgress['phase'] {
    return this.#phase;
  }

  /** Records that core knows of a phase; never rejects. */
  async enter(phase: EndPhase): Promise<void> {
    this.#phase = phase;
    await this.save();
  }

  /** Ships the log, and records how much of it; never rejects. */
  async ship(output: PayloadHandle['output'], contact: Contact, dropped: AbortSignal): Promise<void> {
    const append = async (chunks: readonly OutputChunk[]): Promise<void> => {
      await this.#reports.appendLog(chunks, output.offset);
      this.#recordShipped(output.offset);
      await this.save();
    };
    this.#recordShipped(output.offset);
    try {
      await shipLog(output, append, contact, dropped);
    } catch (error) {
      if (!dropped.aborted) this.#log.error({ err: error }, 'job log not shipped');
    }
  }

  /** Records the progress as it is now; never rejects. */
  async save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      const { fence } = this.#reports.held;
      const progress = { fence, ...this.#shipped, phase: this.#phase };
      await this.record?.saveProgress(progress).catch((error: unknown) => {
        this.#log.warn({ err: error }, 'progress of the attempt not recorded');
      });
    });
    await this.#saving;
  }

  /** Resolves when nothing more is being written. */
  settled(): Promise<void> {
    return this.#saving;
  }

  #recordShipped(outputOffset: number): void {
    this.#shipped = { outputOffset, nextSequence: this.#reports.nextSequence };
  }
}
