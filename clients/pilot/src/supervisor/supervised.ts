import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndReason } from '../payload/notice.js';
import { OutputCapture } from '../payload/output-capture.js';
import { Payload, type PayloadServices } from '../payload/payload.js';
import { bootId } from '../processes/process-identity.js';
import { type Masked, MaskedTexts } from '../secrets/output-mask.js';
import { removeSecretFolder } from '../secrets/secret-files.js';
import { longestKeptMs } from '../spool/owner-file.js';
import { AttemptRecord } from './attempt-record.js';
import type { CoreContact, PayloadEnd, StartRequest } from './messages.js';
import { monotonicMs } from './monotonic.js';
import { OutputLogWriter } from './output-log.js';

/** Chunks that are written at once. */
const chunksPerWrite = 12;
/** Time between two tries to write the end of a payload. */
const retryMs = 1000;

/** Called when something of a payload changes. */
export interface SupervisedListener {
  readonly onOutput: (attemptId: string, bytes: number) => void;
  readonly onNoticed: (attemptId: string, at: string) => void;
  readonly onEnded: (attemptId: string, end: PayloadEnd) => void;
}

/**
 * One payload in its supervisor: its log goes to disk, and its end is recorded. `done` resolves once that has
 * happened, or the attempt was forgotten; it never rejects.
 */
export class Supervised {
  readonly attemptId: string;
  readonly #payload: Payload;
  readonly #record: AttemptRecord;
  readonly #request: StartRequest;
  readonly #listener: SupervisedListener;
  readonly #masked: MaskedTexts;
  readonly done: Promise<void>;
  #outputBytes = 0;
  #isForgotten = false;
  #noticedAt: string | undefined;
  /** Set once the payload has ended. */
  end: PayloadEnd | undefined;

  private constructor(
    payload: Payload,
    record: AttemptRecord,
    request: StartRequest,
    listener: SupervisedListener,
    log: OutputLogWriter,
  ) {
    this.attemptId = request.attemptId;
    this.#payload = payload;
    this.#record = record;
    this.#request = request;
    this.#listener = listener;
    this.#masked = new MaskedTexts(buffersOf(request.masked));
    payload.onNotice = () => this.#onNotice();
    this.done = this.#run(log);
  }

  /** @throws the error of the operating system if the payload cannot be started */
  static async start(
    folder: string,
    request: StartRequest,
    services: PayloadServices,
    listener: SupervisedListener,
  ): Promise<Supervised> {
    const { attemptId, spec, limits } = request;
    const record = new AttemptRecord(folder, attemptId);
    const log = await OutputLogWriter.open(record.outputPath);
    try {
      const payload = await Payload.start(attemptId, spec, limits, services);
      // At once: an output without content closes as soon as its last writer has ended.
      const supervised = new Supervised(payload, record, request, listener, log);
      await supervised.#saveStart();
      return supervised;
    } catch (error) {
      await log.close();
      // Its log means that it may have been started.
      await rm(record.outputPath, { force: true });
      throw error;
    }
  }

  get pid(): number {
    return this.#payload.leader.pid;
  }

  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Time at which it received notice of its end, as ISO 8601; undefined without one. */
  get noticedAt(): string | undefined {
    return this.#noticedAt;
  }

  /** Hides the texts of a renewed token in its log, as long as the token may be valid. */
  mask(texts: readonly string[]): void {
    this.#masked.addToken(buffersOf(texts));
  }

  terminate(graceSeconds?: number): void {
    this.#payload.terminate(graceSeconds);
  }

  /** Gives it notice of its end. */
  notify(reason: EndReason, seconds: number): void {
    void this.#payload.notify(reason, seconds);
  }

  /** Ends it once core was silent for its time. */
  endIfSilent({ answeredAtMs, leaseSeconds }: CoreContact, nowMs: number): void {
    const seconds = Math.max(leaseSeconds, this.#request.continueSeconds);
    if (nowMs >= answeredAtMs + seconds * 1000) this.#payload.endInSilence();
  }

  /** Nothing more is recorded. */
  forget(): void {
    this.#isForgotten = true;
  }

  /** The pilot knows before the payload does: what the payload stores then is stored after the notice. */
  #onNotice(): void {
    this.#noticedAt ??= new Date().toISOString();
    this.#listener.onNoticed(this.attemptId, this.#noticedAt);
  }

  async #saveStart(): Promise<void> {
    const { leader } = this.#payload;
    const { secrets } = this.#request;
    const startedAt = new Date().toISOString();
    // The payload runs, whether the disk takes the record or not.
    await this.#record.saveStart({ leader, bootId: bootId(), startedAt, secrets }).catch(() => undefined);
  }

  async #run(log: OutputLogWriter): Promise<void> {
    const { stdout, stderr } = this.#payload;
    const { capture: limits, secrets } = this.#request;
    const capture = new OutputCapture(
      { STDOUT: stdout, STDERR: stderr },
      limits,
      () => new Date(),
      () => this.#masked.all,
    );
    const written = this.#writeOutput(capture, log);
    const result = await this.#payload.result;
    await written;
    if (secrets !== null) await removeSecretFolder(secrets).catch(() => undefined);
    this.end = { result, outputBytes: this.#outputBytes };
    this.#listener.onEnded(this.attemptId, this.end);
    await this.#saveEnd(this.end);
  }

  async #writeOutput(capture: OutputCapture, log: OutputLogWriter): Promise<void> {
    for (;;) {
      const chunks = await capture.nextChunks(chunksPerWrite);
      if (chunks.length === 0) break;
      await log.append(chunks);
      this.#outputBytes = log.bytes;
      this.#listener.onOutput(this.attemptId, log.bytes);
    }
    await log.close();
    this.#outputBytes = log.bytes;
  }

  /** Tries until the disk takes it, or its folder was removed. */
  async #saveEnd(end: PayloadEnd): Promise<void> {
    const until = monotonicMs() + longestKeptMs;
    while (!this.#isForgotten && monotonicMs() < until) {
      try {
        await this.#record.saveEnd(end);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
        await pause(retryMs);
      }
    }
  }
}

function buffersOf(texts: readonly string[]): Masked {
  return texts.map((text) => Buffer.from(text, 'base64'));
}
