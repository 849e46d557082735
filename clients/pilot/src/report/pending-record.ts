import type { AttemptSpool } from '../spool/attempt-spool.js';
import type { JobRecord, SpooledChunk } from '../spool/spool.types.js';
import type { ReportResult } from './reporter.js';

/** A report that core has not answered yet. */
export class PendingRecord {
  /** Its place among the reports of the attempt. */
  readonly number: number;
  readonly kind: JobRecord['kind'];
  /** Undefined for a log that is only on disk. */
  #record: JobRecord | undefined;
  readonly #textBytes: number;
  #outputOffset: number;
  /** Size on disk; 0 while it is only in memory. */
  #spooledBytes: number;
  #leftOutBytes = 0;
  #change: Promise<unknown> = Promise.resolve();
  readonly answered: Promise<ReportResult>;
  /** Resolves once the report is on disk. */
  readonly spooled: Promise<void>;
  readonly #resolveAnswered: (result: ReportResult) => void;
  readonly #reject: (error: unknown) => void;
  readonly #resolveSpooled: () => void;
  /** True once it was sent: core may have it, so that it must not change. */
  isInDoubt = false;
  isAnswered = false;

  /** @param spooledBytes its size, if it is on disk */
  constructor(number: number, record: JobRecord, spooledBytes = 0) {
    this.number = number;
    this.kind = record.kind;
    // Logs may be long: what is on disk is read again when it is sent.
    this.#record = spooledBytes > 0 && record.kind === 'LOG' ? undefined : record;
    this.#spooledBytes = spooledBytes;
    this.#textBytes = record.kind === 'LOG' ? sizeOf(record.chunks) : 0;
    this.#outputOffset = record.kind === 'LOG' ? (record.outputOffset ?? 0) : 0;
    let resolveAnswered: (result: ReportResult) => void = () => undefined;
    let reject: (error: unknown) => void = () => undefined;
    let resolveSpooled: () => void = () => undefined;
    this.answered = new Promise((resolve, fail) => {
      resolveAnswered = resolve;
      reject = fail;
    });
    this.answered.catch(() => undefined);
    this.spooled = new Promise((resolve) => (resolveSpooled = resolve));
    this.#resolveAnswered = resolveAnswered;
    this.#reject = reject;
    this.#resolveSpooled = resolveSpooled;
  }

  /** True if it ends the attempt. */
  get isEnd(): boolean {
    return isEnd(this.#record);
  }

  get isSpooled(): boolean {
    return this.#spooledBytes > 0;
  }

  /** Bytes that it gives back if it is left out. */
  get removableBytes(): number {
    const isRemovable = this.kind === 'LOG' && !this.isInDoubt && !this.isAnswered && !this.isMark;
    return isRemovable ? this.#spooledBytes : 0;
  }

  /** True if it stands for a part of the log that was left out. */
  get isMark(): boolean {
    return this.#leftOutBytes > 0;
  }

  answer(result: ReportResult): void {
    this.isAnswered = true;
    this.#resolveAnswered(result);
  }

  fail(error: unknown): void {
    this.isAnswered = true;
    this.#reject(error);
  }

  /** The content, after changes that are under way. @throws Error if its file is damaged */
  async read(spool: AttemptSpool): Promise<JobRecord> {
    await this.#change.catch(() => undefined);
    return this.#record ?? spool.read(this.number);
  }

  /** Writes it to disk; a log without space becomes a mark. @throws the error of the disk */
  async store(spool: AttemptSpool): Promise<void> {
    const record = this.#record;
    if (this.isSpooled || record === undefined) return;
    let bytes = await spool.write(this.number, record);
    if (bytes === undefined && !this.isInDoubt) {
      this.#leftOutBytes = this.#textBytes;
      bytes = await spool.replace(this.number, this.#mark(), 0);
    }
    if (bytes === undefined) return;
    this.#spooledBytes = bytes;
    if (this.kind === 'LOG') this.#record = undefined;
    this.#resolveSpooled();
  }

  /** Replaces a log on disk with a mark. */
  async leaveOut(spool: AttemptSpool): Promise<void> {
    this.#leftOutBytes = this.#textBytes;
    await this.#rewrite(spool);
  }

  /** Takes over what another mark stands for. */
  async merge(other: PendingRecord, spool: AttemptSpool): Promise<void> {
    this.#leftOutBytes += other.#leftOutBytes;
    this.#outputOffset = Math.max(this.#outputOffset, other.#outputOffset);
    await this.#rewrite(spool);
  }

  /** Removes it from the disk. */
  async forget(spool: AttemptSpool): Promise<void> {
    if (!this.isSpooled) return;
    const bytes = this.#spooledBytes;
    this.#spooledBytes = 0;
    await spool.remove(this.number, bytes);
  }

  async #rewrite(spool: AttemptSpool): Promise<void> {
    const change = spool.replace(this.number, this.#mark(), this.#spooledBytes);
    this.#change = change;
    this.#spooledBytes = await change;
  }

  #mark(): JobRecord {
    const text = `\n[rhizome: ${this.#leftOutBytes} bytes left out here; core was out of reach and the space for reports was full]\n`;
    const at = new Date().toISOString();
    return { kind: 'LOG', chunks: [{ stream: 'STDERR', text, at }], outputOffset: this.#outputOffset };
  }
}

/** A mark in the log for a record that cannot be read. */
export function damagedMark(): JobRecord {
  const text = '\n[rhizome: a part is missing here; the disk returned it damaged]\n';
  return { kind: 'LOG', chunks: [{ stream: 'STDERR', text, at: new Date().toISOString() }] };
}

/** True if core expects nothing more after the report. */
export function isEnd(record: JobRecord | undefined): boolean {
  return record?.kind === 'FAIL' || (record?.kind === 'FINISH' && record.report.phase === 'FINISHED');
}

function sizeOf(chunks: readonly SpooledChunk[]): number {
  return chunks.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
}
