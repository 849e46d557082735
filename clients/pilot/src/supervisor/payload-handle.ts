import type { EndReason } from '../payload/notice.js';
import type { PayloadResult } from '../payload/payload.js';
import type { Masked } from '../secrets/output-mask.js';
import type { AttemptRecord } from './attempt-record.js';
import type { PayloadEnd } from './messages.js';
import { OutputLogReader } from './output-log.js';

/** The supervisor of a payload has ended without a report of the payload's end. */
export class SupervisorEnded extends Error {
  constructor() {
    super('the supervisor of the payload has ended');
    this.name = 'SupervisorEnded';
  }
}

/** Another pilot has adopted the payload. */
export class PayloadTaken extends Error {
  constructor() {
    super('another pilot has adopted the payload');
    this.name = 'PayloadTaken';
  }
}

/** Calls of a handle to its supervisor. */
export interface PayloadControl {
  terminate(attemptId: string, graceSeconds: number | undefined): void;
  notify(attemptId: string, reason: EndReason, seconds: number): void;
  mask(attemptId: string, texts: Masked): Promise<void>;
  forget(attemptId: string): void;
}

/** A payload as its pilot sees it. */
export class PayloadHandle {
  readonly #attemptId: string;
  readonly #control: PayloadControl;
  readonly #resolve: (result: PayloadResult) => void;
  readonly #reject: (error: Error) => void;
  readonly output: OutputLogReader;
  /** Its end. Rejects with SupervisorEnded, or with the reason of `leave`. */
  readonly result: Promise<PayloadResult>;

  /** Time at which it received notice of its end, as ISO 8601; undefined without one. */
  noticedAt: string | undefined;
  /** Its first process; null if it is not known. */
  pid: number | null = null;

  constructor(record: AttemptRecord, control: PayloadControl) {
    this.#attemptId = record.attemptId;
    this.#control = control;
    this.output = new OutputLogReader(record.outputPath);
    let resolve: (result: PayloadResult) => void = () => undefined;
    let reject: (error: Error) => void = () => undefined;
    this.result = new Promise((onResult, onError) => {
      resolve = onResult;
      reject = onError;
    });
    // It may fail before it is waited for.
    this.result.catch(() => undefined);
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** A payload that has ended, without its supervisor. */
  static ended(record: AttemptRecord, end: PayloadEnd): PayloadHandle {
    const nothing = (): void => undefined;
    const mask = async (): Promise<void> => Promise.resolve();
    const gone = { terminate: nothing, notify: nothing, mask, forget: nothing };
    const handle = new PayloadHandle(record, gone);
    handle.end(end);
    return handle;
  }

  /** Asks it to end; it is killed after the grace period. */
  terminate(graceSeconds?: number): void {
    this.#control.terminate(this.#attemptId, graceSeconds);
  }

  /** Gives it notice; it is killed when the time is over. */
  notify(reason: EndReason, seconds: number): void {
    this.#control.notify(this.#attemptId, reason, seconds);
  }

  /** Resolves once its log does not show these texts any more. */
  async mask(texts: Masked): Promise<void> {
    await this.#control.mask(this.#attemptId, texts);
  }

  /** Nothing of it is needed any more. */
  forget(): void {
    this.#control.forget(this.#attemptId);
  }

  /** The pilot ends, and the payload runs on. */
  leave(reason: Error): void {
    this.fail(reason);
  }

  /** Called when it has ended. */
  end({ result, outputBytes }: PayloadEnd): void {
    this.output.complete(outputBytes);
    this.#resolve(result);
  }

  /** Called when its end cannot be known. */
  fail(error: Error): void {
    this.output.complete();
    this.#reject(error);
  }
}
