/** Writes one hash chain in batches. */
import { Backoff, sleep } from '@rhizome/retry';
import type { Logger } from '@rhizome/log';
import type { AuditEntry, AuditOutcome, ChainLink } from '../chain/entry.js';
import { entryContent, linkHash, outcomeContent } from '../chain/link.js';
import type { ChainTip } from '../heads/head.js';
import type { AuditBatch, OutcomeWrite } from '../store/audit.repository.js';

/** An entry before it has a position in its chain. */
export type NewEntry = Omit<AuditEntry, 'link'>;

/** An entry on its way into the store. */
export class PendingEntry {
  readonly entry: NewEntry;
  /** Resolves when a majority of the store has the entry. */
  readonly stored: Promise<void>;
  isStored = false;
  outcome: Omit<AuditOutcome, 'link'> | undefined;
  readonly #resolve: () => void;

  constructor(entry: NewEntry) {
    this.entry = entry;
    let resolve = (): void => undefined;
    this.stored = new Promise<void>((done) => (resolve = done));
    this.#resolve = resolve;
  }

  markStored(): void {
    this.isStored = true;
    this.#resolve();
  }
}

/** Ports of a {@link ChainWriter}. */
export interface ChainWriterOptions {
  readonly chain: string;
  readonly store: (batch: AuditBatch, isRepeated: boolean) => Promise<void>;
  readonly log: Logger;
}

/** Largest number of entries, and of outcomes, in a batch. */
const mostPerBatch = 1_000;
/**
 * Time for which outcomes are collected, in milliseconds. No call waits for them, and a write of several
 * costs little more than that of one.
 */
const outcomeDelayMs = 250;
/** Wait after a failure, in milliseconds. */
const retryDelays = { initialDelayMs: 50, maxDelayMs: 1_000 };

/**
 * The only writer of its chain. One batch is written at a time, so that what a crash leaves behind is a chain
 * without gaps; entries that arrive meanwhile share the next batch.
 */
export class ChainWriter {
  readonly #options: ChainWriterOptions;
  readonly #backoff = new Backoff(retryDelays);
  readonly #stopping = new AbortController();
  #entries: PendingEntry[] = [];
  #outcomes: PendingEntry[] = [];
  #sequence = 0;
  #hash = '';
  #tip: ChainTip;
  #writing: Promise<void> | undefined;
  #delay: NodeJS.Timeout | undefined;
  /** True if the outcomes are stored with the next batch. */
  #areOutcomesDue = false;
  #failingSince: number | undefined;

  constructor(options: ChainWriterOptions) {
    this.#options = options;
    this.#tip = { chain: options.chain, sequence: 0, hash: '' };
  }

  /** The last link in the store. */
  get tip(): ChainTip {
    return this.#tip;
  }

  /** Entries and outcomes that are not stored yet. */
  get waiting(): number {
    return this.#entries.length + this.#outcomes.length;
  }

  /** Time for which nothing could be stored, in milliseconds; 0 if the store works. */
  get failingMs(): number {
    return this.#failingSince === undefined ? 0 : performance.now() - this.#failingSince;
  }

  /** Adds an entry to the next batch. */
  add(entry: NewEntry): PendingEntry {
    const pending = new PendingEntry(entry);
    this.#entries.push(pending);
    this.#start();
    return pending;
  }

  /** Adds the outcome of an entry to a batch after that of the entry. */
  end(pending: PendingEntry, outcome: Omit<AuditOutcome, 'link'>): void {
    pending.outcome = outcome;
    if (pending.isStored) this.#addOutcome(pending);
  }

  /** Stores what waits; resolves at the latest after `withinMs`. */
  async close(withinMs: number): Promise<void> {
    const giveUp = setTimeout(() => this.#stopping.abort(), withinMs);
    do {
      this.#areOutcomesDue = true;
      this.#start();
      await this.#writing;
    } while (this.waiting > 0 && !this.#stopping.signal.aborted);
    clearTimeout(giveUp);
    clearTimeout(this.#delay);
    this.#stopping.abort();
  }

  #addOutcome(pending: PendingEntry): void {
    this.#outcomes.push(pending);
    this.#delay ??= setTimeout(() => {
      this.#areOutcomesDue = true;
      this.#start();
    }, outcomeDelayMs);
  }

  #start(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      // What was added after the last look.
      if (this.#hasWork && !this.#stopping.signal.aborted) this.#start();
    });
  }

  get #hasWork(): boolean {
    return this.#entries.length > 0 || (this.#areOutcomesDue && this.#outcomes.length > 0);
  }

  /** Outcomes that are due; a call does not wait for those of others. */
  #takeOutcomes(): readonly PendingEntry[] {
    if (!this.#areOutcomesDue) return [];
    const outcomes = this.#outcomes.splice(0, mostPerBatch);
    if (this.#outcomes.length > 0) return outcomes;
    this.#areOutcomesDue = false;
    clearTimeout(this.#delay);
    this.#delay = undefined;
    return outcomes;
  }

  async #write(): Promise<void> {
    // Calls that arrive in the same turn of the event loop share a batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#hasWork && !this.#stopping.signal.aborted) {
      const outcomes = this.#takeOutcomes();
      const entries = this.#entries.splice(0, mostPerBatch);
      const batch = this.#linked(outcomes, entries);
      if (!(await this.#stored(batch))) return;
      const { chain } = this.#options;
      this.#tip = { chain, sequence: this.#sequence, hash: this.#hash };
      for (const entry of entries) {
        entry.markStored();
        if (entry.outcome) this.#addOutcome(entry);
      }
    }
  }

  /** Retries until the batch is stored. @returns false if the writer was closed before */
  async #stored(batch: AuditBatch): Promise<boolean> {
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        await this.#options.store(batch, isRepeated);
        if (this.#failingSince !== undefined) this.#options.log.info('audit store recovered');
        this.#failingSince = undefined;
        this.#backoff.reset();
        return true;
      } catch (error) {
        if (this.#failingSince === undefined)
          this.#options.log.error({ err: error }, 'storing audit entries failed; retrying');
        this.#failingSince ??= performance.now();
        if (!(await sleep(this.#backoff.next(), this.#stopping.signal))) return false;
      }
    }
  }

  #linked(outcomes: readonly PendingEntry[], entries: readonly PendingEntry[]): AuditBatch {
    const { chain } = this.#options;
    const ended = outcomes.flatMap(({ entry, outcome }): OutcomeWrite[] => {
      if (!outcome) return [];
      const link = this.#next((sequence) => outcomeContent({ _id: entry._id, chain }, outcome, sequence));
      return [{ id: entry._id, outcome: { ...outcome, link } }];
    });
    const begun = entries.map(({ entry }) => {
      const unlinked = { ...entry, link: { sequence: 0, previous: '', hash: '' } };
      return { ...entry, link: this.#next((sequence) => entryContent(unlinked, sequence)) };
    });
    return { outcomes: ended, entries: begun };
  }

  #next(contentAt: (sequence: number) => string): ChainLink {
    const sequence = ++this.#sequence;
    const previous = this.#hash;
    this.#hash = linkHash(previous, contentAt(sequence));
    return { sequence, previous, hash: this.#hash };
  }
}
