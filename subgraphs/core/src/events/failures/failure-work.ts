/**
 * Counts failures from the event stream, each once, while this process leads. The position in the stream is
 * stored after the counts; every document also has the position up to which it is complete, so that events
 * which are delivered again after a crash or a change of the leader are left out. Time that superseded
 * attempts lost has no events: it is stored until the counts contain it, and removed together with their
 * update.
 */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import { secondsOf } from '@rhizome/mongo';
import type { JobEventStream } from '../../jobs/ports.js';
import type { ConsumersRepository } from '../../jobs/transitions/consumers.repository.js';
import { keepFollowing } from '../../shared/keep-following.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';
import { decodeCursor } from '../feed/cursor.js';
import type { LostTimeDocument } from '../../workers/adoption/lost-time.document.js';
import {
  type FailureChange,
  failureChange,
  type FailureTarget,
  lostTimeChange,
  targetsOf,
} from './failure-changes.js';
import type { FailureCountsRepository } from './failure-counts.repository.js';
import { FailureTable } from './failure-table.js';

/** Dependencies of {@link FailureWork}. */
export interface FailureWorkOptions {
  readonly stream: JobEventStream;
  readonly counts: FailureCountsRepository;
  readonly consumers: ConsumersRepository;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Logger;
  /** Least time between two writes of the counts, in milliseconds; defaults to 1000. */
  readonly saveMs?: number;
  /** Delay after an error, in milliseconds; defaults to 500. */
  readonly retryMs?: number;
}

/** Name of the position in the stream. */
export const failureConsumer = 'failures';
/** Most rows that stay in memory after they were stored. */
const maxRowsKept = 50_000;
/** Longest time between two records of the position while nothing fails, in milliseconds. */
const idleSaveMs = 30_000;

interface Table {
  readonly target: FailureTarget;
  readonly rows: FailureTable;
}

/** Keeps the counts of failures. */
export class FailureWork {
  readonly #options: FailureWorkOptions;
  readonly #task: LeaderTask;

  constructor(options: FailureWorkOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Declines further leadership and waits for the work in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { log, retryMs } = this.#options;
    await keepFollowing(
      {
        follow: () => this.#follow(signal),
        forget: () => this.#forget(),
        onError: (err) => log.warn({ err }, 'counting of failures interrupted'),
        retryMs,
      },
      signal,
    );
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { stream, counts, consumers, clock, saveMs = 1000 } = this.#options;
    const after = await consumers.cursorOf(failureConsumer);
    const tables = new Map<string, Table>();
    let passedAtMs = Number.NEGATIVE_INFINITY;
    let savedAtMs = Number.NEGATIVE_INFINITY;
    if (after === null) await counts.begin(clock.now());
    for await (const { events, cursor } of stream.follow({ after, signal })) {
      await this.#apply(
        tables,
        events.flatMap((event) => failureChange(event) ?? []),
      );
      const nowMs = clock.monotonicMs();
      if (nowMs - passedAtMs < saveMs) continue;
      passedAtMs = nowMs;
      const lostTimes = await counts.lostTimes();
      await this.#apply(tables, lostTimes.map(lostTimeChange));
      if (signal.aborted) return;
      const isChanged = [...tables.values()].some(({ rows }) => rows.isChanged);
      if (!isChanged && nowMs - savedAtMs < idleSaveMs) continue;
      await this.#save(tables, lostTimes);
      await consumers.save(failureConsumer, cursor, clock.now());
      savedAtMs = nowMs;
    }
  }

  async #apply(tables: Map<string, Table>, all: readonly FailureChange[]): Promise<void> {
    if (all.length === 0) return;
    const changes = all.map((change) => ({ change, targets: targetsOf(change) }));
    const missing = new Map<string, FailureTarget>();
    for (const { targets } of changes)
      for (const target of targets) if (!tables.has(target.id)) missing.set(target.id, target);
    if (missing.size > 0) {
      const stored = await this.#options.counts.find([...missing.keys()]);
      for (const [id, target] of missing)
        tables.set(id, { target, rows: new FailureTable(target.rollup, stored.get(id)) });
    }
    for (const { change, targets } of changes)
      for (const { id } of targets) tables.get(id)?.rows.apply(change);
  }

  async #save(tables: Map<string, Table>, lostTimes: readonly LostTimeDocument[]): Promise<void> {
    const { counts, clock } = this.#options;
    const changed = [...tables.values()].filter(({ rows }) => rows.isChanged);
    await counts.save(
      changed.map(({ target, rows }) => ({ target, changes: rows.changes() })),
      lostTimes,
      clock.now(),
    );
    for (const { rows } of changed) rows.stored();
    const kept = [...tables.values()].reduce((sum, { rows }) => sum + rows.rows.length, 0);
    if (kept > maxRowsKept) tables.clear();
  }

  /** The stream no longer reaches back to the position: counting goes on from now. */
  async #forget(): Promise<void> {
    const { consumers, counts, clock } = this.#options;
    const position = await consumers.cursorOf(failureConsumer);
    if (position === null) return;
    const from = new Date(secondsOf(decodeCursor(position)) * 1000);
    await counts.addGap({ from, to: clock.now() });
    await consumers.forget(failureConsumer);
  }
}
