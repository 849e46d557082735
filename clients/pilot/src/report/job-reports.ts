import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import type { OutputChunk } from '../supervisor/output-log.js';
import {
  CoreRefused,
  type CoreProtocol,
  type HeldJob,
  type Refusal,
  type StartReport,
} from '../protocol/core-protocol.js';
import { unavailableBackoff } from '../protocol/until-answered.js';
import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { SpooledLog } from '../spool/spool-space.js';
import type { AttemptState, JobRecord } from '../spool/spool.types.js';
import type { Contact, WorkerLink } from './contact.js';
import { damagedMark, isEnd, PendingRecord } from './pending-record.js';
import type { ReportResult } from './reporter.js';
import { isVoid } from './void-codes.js';

/** Services that the reports of a job need. */
export interface JobReportsServices {
  readonly core: Pick<CoreProtocol, 'appendJobLog'>;
  readonly contact: Contact;
  readonly log: Logger;
}

/** Called for refusals. */
export interface RefusalListener {
  /** A report was refused, also one that nobody waits for any more. */
  readonly onRefused: (refusal: Refusal) => void;
  /** Core takes no more of the log. */
  readonly onLogRefused: (refusal: Refusal) => void;
}

/** Time for which a report that is not answered stays in memory only. */
const longestInMemoryMs = 1000;
const accepted: ReportResult = { accepted: true };
const staleFence = 'FENCE_STALE';

/**
 * The reports about one attempt, in their order: each is sent after the one before it was answered. A report
 * that is not answered soon is written to disk, where it stays until core has answered it.
 */
export class JobReports implements SpooledLog {
  readonly #services: JobReportsServices;
  readonly #spool: AttemptSpool;
  readonly #queue: PendingRecord[] = [];
  readonly #ended = new AbortController();
  #state: AttemptState;
  #listener: RefusalListener | undefined;
  #nextNumber = 0;
  #leftOffset = 0;
  #isDelivering = false;
  #isLogRefused = false;
  #writing: Promise<void> = Promise.resolve();
  #unregister: (() => void) | undefined;

  constructor(state: AttemptState, spool: AttemptSpool, services: JobReportsServices) {
    this.#state = state;
    this.#spool = spool;
    this.#services = services;
  }

  /**
   * The reports that an earlier pilot left; undefined if they have no end: its payload died with it. A log
   * may be as large as the space: one record is in memory at a time.
   * @throws Error if the state or the end is damaged
   */
  static async restore(spool: AttemptSpool, services: JobReportsServices): Promise<JobReports | undefined> {
    const reports = new JobReports(await spool.readState(), spool, services);
    const last = (await spool.numbers()).at(-1);
    if (last === undefined || !isEnd(await spool.read(last))) return undefined;
    await reports.#load();
    return reports;
  }

  /**
   * The reports about an attempt whose payload still runs, or has ended without a report: those that an
   * earlier pilot left come first.
   * @param state what is known of the attempt otherwise
   */
  static async resume(
    state: AttemptState,
    spool: AttemptSpool,
    services: JobReportsServices,
  ): Promise<JobReports> {
    const left = spool.isMade ? await spool.readState().catch(() => state) : state;
    const fence = Math.max(state.fence, left.fence);
    const nextSequence = Math.max(state.nextSequence, left.nextSequence);
    const reports = new JobReports({ ...state, fence, nextSequence }, spool, services);
    reports.#leftOffset = left.outputOffset ?? 0;
    if (spool.isMade) await reports.#load();
    return reports;
  }

  /** The job and its fence. */
  get held(): HeldJob {
    const { jobId, fence } = this.#state;
    return { jobId, fence };
  }

  /** Sequence number of the next chunk of the log that is sent. */
  get nextSequence(): number {
    return this.#state.nextSequence;
  }

  /** Bytes of the payload's log that an earlier pilot has reported, or left among its reports. */
  get leftOffset(): number {
    return this.#leftOffset;
  }

  /** True if the end of the attempt is on disk: it will be reported, if need be by the next pilot. */
  get isEndSpooled(): boolean {
    return this.#queue.some(({ isEnd: ends, isSpooled }) => ends && isSpooled);
  }

  get removableBytes(): number {
    return this.#queue.reduce((sum, record) => sum + record.removableBytes, 0);
  }

  /** Starts to send what an earlier pilot left, or calls the listener from now on. */
  listen(listener: RefusalListener): void {
    this.#listener = listener;
    void this.#deliver();
  }

  /** All further reports carry this fence. */
  adopt(fence: number): void {
    this.#state = { ...this.#state, fence };
    this.#saveState();
  }

  /** Reports a start: never kept, because core decides whether it may be. @throws the signal's reason */
  async start(report: Omit<StartReport, keyof HeldJob>, signal: AbortSignal): Promise<ReportResult> {
    const make = async ({ reporter }: WorkerLink): Promise<ReportResult> =>
      current(await reporter.start({ ...this.held, ...report }));
    return this.call(make, signal).catch(refused);
  }

  /**
   * Makes a call about the job. If core calls its fence outdated, core is asked once more: it may give the
   * job back under another fence.
   * @throws CoreRefused; the signal's reason
   */
  async call<T>(make: (link: WorkerLink) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { contact } = this.#services;
    for (;;) {
      const { fence } = this.#state;
      try {
        return await contact.call(make, signal);
      } catch (error) {
        if (!(error instanceof CoreRefused) || error.code !== staleFence) throw error;
        const isConfirmed = await contact.confirm();
        signal.throwIfAborted();
        if (isConfirmed && contact.isOpen && this.#state.fence === fence) throw error;
      }
    }
  }

  /**
   * Resolves once core has the chunks, or they are on disk.
   * @param outputOffset bytes of the payload's log up to their end
   */
  async appendLog(chunks: readonly OutputChunk[], outputOffset = 0): Promise<void> {
    if (this.#isLogRefused) return;
    await this.submit({
      kind: 'LOG',
      chunks: chunks.map(({ stream, text, at }) => ({ stream, text, at: at.toISOString() })),
      outputOffset,
    });
  }

  /** The answer to a report, or acceptance as soon as it is on disk. @throws the end's reason */
  async submit(record: JobRecord): Promise<ReportResult> {
    const pending = this.#add(record);
    return Promise.race([pending.answered, pending.spooled.then(() => accepted)]);
  }

  /** The answer to a report. @throws the end's reason */
  async deliver(record: JobRecord): Promise<ReportResult> {
    return this.#add(record).answered;
  }

  /** Waits until core has answered everything. @throws the end's reason */
  async delivered(): Promise<void> {
    for (let last = this.#queue.at(-1); last !== undefined; last = this.#queue.at(-1)) await last.answered;
  }

  /** Ends with nothing more to report: the job is no longer this pilot's. */
  discard(reason: Error): void {
    this.#end(reason);
    this.#write(async () => this.#removeAll());
  }

  /** Ends, and leaves what is on disk to the next pilot. */
  leave(reason: Error): void {
    this.#end(reason);
  }

  /** Waits for the disk, after everything was answered or the end. */
  async close(): Promise<void> {
    if (!this.#ended.signal.aborted) this.discard(new Error('everything was reported'));
    await this.#writing;
    this.#unregister?.();
  }

  async leaveOutOldest(): Promise<void> {
    const at = this.#queue.findIndex(({ removableBytes }) => removableBytes > 0);
    const [before, record] = [this.#queue[at - 1], this.#queue[at]];
    if (record === undefined) return;
    await record.leaveOut(this.#spool);
    if (before?.isMark !== true || before.isInDoubt || record.isInDoubt) return;
    this.#queue.splice(this.#queue.indexOf(record), 1);
    await before.merge(record, this.#spool);
    await record.forget(this.#spool);
    record.answer(accepted);
  }

  async #load(): Promise<void> {
    for (const number of await this.#spool.numbers()) {
      const record = await this.#spool.read(number).catch(damagedMark);
      const bytes = Buffer.byteLength(JSON.stringify(record));
      await this.#spool.space.take(bytes, false);
      this.#queue.push(new PendingRecord(number, record, bytes));
      this.#nextNumber = number + 1;
      if (record.kind === 'LOG') this.#leftOffset = Math.max(this.#leftOffset, record.outputOffset ?? 0);
    }
    this.#unregister = this.#spool.space.register(this);
  }

  #add(record: JobRecord): PendingRecord {
    if (record.kind === 'CHECKPOINT') this.#replaceCheckpoints();
    const pending = new PendingRecord(this.#nextNumber, record);
    this.#nextNumber += 1;
    const { signal } = this.#ended;
    if (signal.aborted) pending.fail(signal.reason);
    else {
      this.#queue.push(pending);
      void this.#deliver();
      void this.#spoolUnlessAnswered(pending);
    }
    return pending;
  }

  /** Each report of checkpoints has all of them: one that waits behind others is not needed any more. */
  #replaceCheckpoints(): void {
    const at = this.#queue.findIndex(
      ({ kind, isInDoubt }, index) => index > 0 && kind === 'CHECKPOINT' && !isInDoubt,
    );
    const [replaced] = at < 0 ? [] : this.#queue.splice(at, 1);
    if (replaced === undefined) return;
    this.#forget(replaced);
    replaced.fail(new Error('a later report has taken its place'));
  }

  async #deliver(): Promise<void> {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let [first] = this.#queue; first !== undefined; [first] = this.#queue) {
      const result = await this.#send(first).catch((error: unknown) => error as Error);
      if (this.#ended.signal.aborted) break;
      this.#queue.shift();
      this.#forget(first);
      if (result instanceof Error) first.fail(result);
      else {
        if (!result.accepted) this.#listener?.onRefused(result.refusal);
        first.answer(result);
      }
    }
    this.#isDelivering = false;
  }

  async #send(pending: PendingRecord): Promise<ReportResult> {
    if (pending.kind === 'LOG' && this.#isLogRefused) return accepted;
    const make = async (link: WorkerLink): Promise<ReportResult> => {
      pending.isInDoubt = true;
      const record = await this.#read(pending);
      if (record.kind === 'LOG') return this.#sendLog(record, link);
      return current(await this.#sendReport(record, link));
    };
    try {
      return await this.call(make, this.#ended.signal);
    } catch (error) {
      const result = refused(error);
      const { refusal } = result;
      return pending.kind === 'LOG' && !isVoid(refusal) ? this.#endLog(refusal) : result;
    }
  }

  async #sendReport(
    record: Exclude<JobRecord, { kind: 'LOG' }>,
    { reporter }: WorkerLink,
  ): Promise<ReportResult> {
    switch (record.kind) {
      case 'CHECKPOINT':
        return reporter.checkpoints({ ...this.held, checkpoints: record.checkpoints });
      case 'FINISH':
        return reporter.finish({ ...this.held, ...record.report });
      case 'FAIL':
        return reporter.fail({ ...this.held, ...record.report });
    }
  }

  async #sendLog(
    { chunks, outputOffset }: Extract<JobRecord, { kind: 'LOG' }>,
    { workerId, signal }: WorkerLink,
  ): Promise<ReportResult> {
    const { nextSequence } = this.#state;
    const numbered = chunks.map(({ stream, text, at }, index) => ({
      sequence: nextSequence + index,
      stream,
      text,
      at: new Date(at),
    }));
    await this.#services.core.appendJobLog(workerId, this.held, numbered, signal);
    // Together: a pilot that was killed between the two would report chunks twice.
    const reported = outputOffset === undefined ? {} : { outputOffset };
    this.#state = { ...this.#state, nextSequence: nextSequence + chunks.length, ...reported };
    this.#saveState();
    return accepted;
  }

  /** A log that cannot be shown is no reason for the job to fail. */
  #endLog(refusal: Refusal): ReportResult {
    this.#isLogRefused = true;
    this.#services.log.warn({ code: refusal.code, reason: refusal.message }, 'rest of the job log discarded');
    this.#listener?.onLogRefused(refusal);
    return accepted;
  }

  async #read(pending: PendingRecord): Promise<JobRecord> {
    try {
      return await pending.read(this.#spool);
    } catch (error) {
      this.#services.log.error({ err: error }, 'part of the job log lost');
      return damagedMark();
    }
  }

  async #spoolUnlessAnswered(pending: PendingRecord): Promise<void> {
    await this.#services.contact.wait(pending.answered, longestInMemoryMs);
    this.#write(async () => this.#store(pending));
  }

  async #store(pending: PendingRecord): Promise<void> {
    const { signal } = this.#ended;
    const backoff = new Backoff(unavailableBackoff);
    while (!pending.isAnswered && !signal.aborted) {
      try {
        await this.#spool.make(this.#state);
        this.#unregister ??= this.#spool.space.register(this);
        await pending.store(this.#spool);
        return;
      } catch (error) {
        this.#services.log.error({ err: error }, 'report not written to disk; retrying');
        await Promise.race([sleep(backoff.next(), signal), pending.answered.catch(() => undefined)]);
      }
    }
  }

  #forget(pending: PendingRecord): void {
    pending.isAnswered = true;
    this.#write(async () => pending.forget(this.#spool));
  }

  #saveState(): void {
    this.#write(async () => this.#spool.saveState(this.#state));
  }

  /** Changes the spool, one change after the other. */
  #write(change: () => Promise<void>): void {
    this.#writing = this.#writing
      .then(change)
      .catch((error: unknown) => this.#services.log.error({ err: error }, 'spool not updated'));
  }

  #end(reason: Error): void {
    this.#ended.abort(reason);
    this.#queue.forEach((pending) => pending.fail(reason));
  }

  async #removeAll(): Promise<void> {
    for (const pending of this.#queue.splice(0)) await pending.forget(this.#spool);
    await this.#spool.discard();
  }
}

/** The result of a report whose whole call was refused. @throws the error if it is no refusal */
function refused(error: unknown): { readonly accepted: false; readonly refusal: Refusal } {
  if (!(error instanceof CoreRefused)) throw error;
  const { code, message } = error;
  return { accepted: false, refusal: { code, message } };
}

/** The result of a report. @throws CoreRefused if its fence is outdated */
function current(result: ReportResult): ReportResult {
  if (result.accepted || result.refusal.code !== staleFence) return result;
  throw new CoreRefused(result.refusal.code, result.refusal.message);
}
