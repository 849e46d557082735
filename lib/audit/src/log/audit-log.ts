/** The audit log of one process. */
import { hostname } from 'node:os';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { fulfilsWithin } from '@rhizome/retry';
import type { AuditCall, AuditOutcome, AuditResult } from '../chain/entry.js';
import type { HeadWriter } from '../heads/head-writer.js';
import type { AuditBatch, AuditRepository } from '../store/audit.repository.js';
import { ChainWriter, type PendingEntry } from './chain-writer.js';
import { Custodian } from './custodian.js';

/** Ports and settings of an {@link AuditLog}. */
export interface AuditLogOptions {
  readonly repository: AuditRepository;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Writes signed heads; undefined: none are written. */
  readonly heads?: ((chain: string) => Promise<HeadWriter>) | undefined;
  /** Called with each batch after it is stored. */
  readonly onStored?: ((batch: AuditBatch) => void) | undefined;
  /** Days for which entries are kept; undefined: without end. */
  readonly retentionDays?: number | undefined;
  /** Time that a call waits for its entry to be stored, in milliseconds. */
  readonly waitMs?: number | undefined;
}

/** End of a call, as the caller of the log knows it. */
export interface CallResult {
  readonly result: AuditResult;
  readonly codes: readonly string[];
}

/** A call whose intent is recorded. */
export interface RecordedCall {
  /** Records the outcome; the call does not wait for it. */
  end(result: CallResult): void;
}

const defaultWaitMs = 5_000;
/** Entries that wait for a store that cannot be reached; further ones are counted only. */
const mostWaiting = 10_000;
/** Time for the last entries at the end of the process, in milliseconds. */
const closeMs = 5_000;
const mostCodes = 20;
/** Larger counts are no integers of the store. */
const mostCount = 2 ** 31 - 1;

/** Records calls in a hash chain of its own. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #writer: ChainWriter;
  #custodian: Custodian | undefined;
  #lost = 0;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
    const { repository, ids, log, onStored } = options;
    const chain = ids.next('chain');
    this.#writer = new ChainWriter({
      chain,
      store: async (batch, isRepeated) => {
        await repository.store(batch, isRepeated);
        onStored?.(batch);
      },
      log,
    });
  }

  /** Begins a chain. @throws DomainError SERVICE_UNAVAILABLE if its first entry cannot be stored */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const audit = new AuditLog(options);
    await audit.record(audit.#ofProcess('gateway.start', 1));
    const heads = await options.heads?.(audit.chain);
    if (heads) audit.#custodian = new Custodian({ ...options, heads, audit });
    return audit;
  }

  /** Identifier of the chain. */
  get chain(): string {
    return this.#writer.tip.chain;
  }

  /** The last link in the store. */
  get tip(): ChainWriter['tip'] {
    return this.#writer.tip;
  }

  /**
   * Stores the intent of a call, and resolves when it is stored. The call must not run before.
   * @throws DomainError SERVICE_UNAVAILABLE if the intent cannot be stored in time
   */
  async begin(call: AuditCall): Promise<RecordedCall> {
    const pending = this.#add(call, null);
    if (pending && (await this.#inTime(pending))) return this.#recorded(pending);
    const codes = ['SERVICE_UNAVAILABLE'];
    if (pending) this.#end(pending, { result: 'REFUSED', codes });
    const text = 'The audit log cannot be written, so nothing was changed; try again later';
    throw new DomainError('SERVICE_UNAVAILABLE', text);
  }

  /** As {@link begin}, but does not wait: for calls that go on without the store. */
  beginUnchecked(call: AuditCall): RecordedCall {
    const pending = this.#add(call, null);
    return pending ? this.#recorded(pending) : { end: () => undefined };
  }

  /** Records a call that has ended; resolves when the entry is stored. @throws as {@link begin} */
  async record(call: AuditCall, result: CallResult = { result: 'SUCCEEDED', codes: [] }): Promise<void> {
    const pending = this.#add(call, result);
    if (pending && (await this.#inTime(pending))) return;
    throw new DomainError('SERVICE_UNAVAILABLE', 'The audit log cannot be written; try again later');
  }

  /** As {@link record}, but does not wait. */
  recordLater(call: AuditCall, result: CallResult): void {
    this.#add(call, result);
  }

  /** Records the end of the process and signs the last head. */
  async close(): Promise<void> {
    this.recordLater(this.#ofProcess('gateway.stop', 1), { result: 'SUCCEEDED', codes: [] });
    await this.#writer.close(closeMs);
    await this.#custodian?.close();
  }

  /** Records something that the process did by itself. */
  recordOwn(action: string, count: number): void {
    this.recordLater(this.#ofProcess(action, count), { result: 'SUCCEEDED', codes: [] });
  }

  #add(call: AuditCall, result: CallResult | null): PendingEntry | undefined {
    const { clock, ids } = this.#options;
    if (this.#writer.waiting >= mostWaiting) {
      this.#lost += 1;
      return undefined;
    }
    if (this.#lost > 0 && this.#writer.failingMs === 0) {
      const lost = this.#lost;
      this.#lost = 0;
      this.recordOwn('audit.lost', lost);
    }
    const at = clock.now();
    const outcome: AuditOutcome | null = result && { ...ended(result, at), link: null };
    const chain = this.chain;
    // One entry that the store refuses would keep all later ones waiting.
    const targets = { ...call.targets, count: Math.min(call.targets.count, mostCount) };
    return this.#writer.add({
      ...call,
      targets,
      _id: ids.next('audit'),
      schemaVersion: 1,
      chain,
      at,
      outcome,
    });
  }

  async #inTime(pending: PendingEntry): Promise<boolean> {
    const { waitMs = defaultWaitMs } = this.#options;
    if (this.#writer.failingMs > waitMs) return false;
    await fulfilsWithin(pending.stored, waitMs);
    return pending.isStored;
  }

  #recorded(pending: PendingEntry): RecordedCall {
    return { end: (result) => this.#end(pending, result) };
  }

  #end(pending: PendingEntry, result: CallResult): void {
    this.#writer.end(pending, ended(result, this.#options.clock.now()));
  }

  #ofProcess(action: string, count: number): AuditCall {
    return {
      kind: 'SYSTEM',
      action,
      actor: null,
      experiment: null,
      targets: { count, ids: [], fields: [], digest: null },
      requestId: this.chain,
      client: { name: `${hostname()}:${process.pid}`, version: '', address: null },
      repeats: 1,
    };
  }
}

function ended({ result, codes }: CallResult, at: Date): Omit<AuditOutcome, 'link'> {
  return { result, codes: [...new Set(codes)].slice(0, mostCodes), at };
}
