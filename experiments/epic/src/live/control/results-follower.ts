/**
 * Follows the results of one lane through core's stream. The cursor is stored together with what was derived
 * from the results before it, so that each slice counts once, also after a crash.
 */
import type { ApiClient } from '@rhizome/client';
import type { Clock } from '@rhizome/clock';
import { isCursorLost } from '@rhizome/experiment';
import type { Logger } from '@rhizome/log';
import { Backoff, sleep } from '@rhizome/retry';
import {
  EpicCompletedUnitsDocument,
  type EpicCompletedUnitsSubscription,
} from '../../operations.generated.js';
import { frameId, sliceOfKey } from '../model/frame-numbers.js';
import { type ResultsDocument, resultsCollection } from '../model/live-collections.js';
import { noLatency } from '../model/latency.js';
import { withResults } from '../model/result-sums.js';
import type { ResultsRepository } from '../store/results.repository.js';
import type { LanePlace } from './core-calls.js';

type Message = EpicCompletedUnitsSubscription['workUnitCompleted'];
/** Units that one job completed together. */
type CompletedEvent = NonNullable<Message['event']>;

/** Dependencies of {@link ResultsFollower}. */
export interface ResultsFollowerOptions {
  readonly core: ApiClient;
  readonly results: ResultsRepository;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Identifier of the results of a lane. */
export function resultsId({ run, path, index }: Pick<LanePlace, 'run' | 'path' | 'index'>): string {
  return `${run._id}/${path}/${index}`;
}

export class ResultsFollower {
  readonly #options: ResultsFollowerOptions;
  readonly #place: LanePlace;
  readonly #poolId: string;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;

  constructor(options: ResultsFollowerOptions, place: LanePlace, poolId: string) {
    this.#options = options;
    this.#place = place;
    this.#poolId = poolId;
    this.#running = this.#run();
  }

  /** Stops after the current message. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const backoff = new Backoff({ initialDelayMs: 200, maxDelayMs: 5000 });
    let isLost = false;
    while (!signal.aborted) {
      try {
        await this.#follow(isLost, () => backoff.reset());
        isLost = false;
      } catch (error) {
        if (signal.aborted) return;
        isLost = isCursorLost(error);
        this.#options.log.warn(
          { err: error, poolId: this.#poolId },
          'stream of results failed; it is opened again',
        );
      }
      await sleep(backoff.next(), signal);
    }
  }

  /**
   * Reads the stream from the stored cursor, until another process has moved it.
   * @param isLost from now: it does not reach back so far
   */
  async #follow(isLost: boolean, going: () => void): Promise<void> {
    const { core, results } = this.#options;
    const { signal } = this.#stopping;
    const id = resultsId(this.#place);
    let sums = await results.find(id);
    const after = isLost ? null : (sums?.cursor ?? null);
    const stream = core.subscribeResumable(
      EpicCompletedUnitsDocument,
      { poolId: this.#poolId, after },
      { cursorOf: ({ workUnitCompleted }) => workUnitCompleted.cursor, signal },
    );
    try {
      for await (const { workUnitCompleted } of stream) {
        if (signal.aborted) return;
        const { cursor, event } = workUnitCompleted;
        // Sums go on from what was written here: what is stored may be another process's by now.
        if (!sums) sums = await results.begin(this.#none(cursor));
        else if (isLost) sums = await this.#skipTo(sums, cursor);
        else if (event) sums = await this.#record(sums, cursor, event);
        if (!sums) return;
        isLost = false;
        going();
      }
    } finally {
      await stream.return?.();
    }
  }

  /** @returns the sums as they are stored; null if another process has moved the cursor */
  async #skipTo(sums: ResultsDocument, cursor: string): Promise<ResultsDocument | null> {
    const { results, clock } = this.#options;
    const isMoved = await results.skipTo(sums._id, sums.cursor, cursor, clock.now());
    return isMoved ? { ...sums, cursor, hasGap: true } : null;
  }

  /** @returns the sums as they are stored; null if another process has recorded results */
  async #record(
    sums: ResultsDocument,
    cursor: string,
    event: CompletedEvent,
  ): Promise<ResultsDocument | null> {
    const { results, clock } = this.#options;
    const { run, path } = this.#place;
    const numbers = new Set(event.units.flatMap(({ key }) => sliceOfKey(key)?.frame ?? []));
    const frames = await results.frames([...numbers].map((number) => frameId(run._id, number)));
    const { sums: next, done } = withResults(sums, path, event, frames);
    const after = { ...next, cursor, updatedAt: clock.now() };
    return (await results.record(sums.cursor, after, path, done)) ? after : null;
  }

  #none(cursor: string): ResultsDocument {
    const { run, path, index } = this.#place;
    return {
      _id: resultsId(this.#place),
      schemaVersion: resultsCollection.schemaVersion,
      revision: 1,
      updatedAt: this.#options.clock.now(),
      ...{ runId: run._id, path, lane: index, cursor, completed: 0, seconds: 0 },
      ...{ latency: noLatency(), slowest: [], sites: [], failures: [], hasGap: false },
    };
  }
}
