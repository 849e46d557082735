// Two processes that follow one lane: each result counts once, in whichever order they write.
import { describe, expect, it } from '@jest/globals';
import type { ApiClient } from '@rhizome/client';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { testDatabase, waitFor } from '@rhizome/testkit';
import { newLiveRun } from '../model/live-input.js';
import { ResultsRepository } from '../store/results.repository.js';
import type { LanePlace } from './core-calls.js';
import { lanesOf } from './lane-view.js';
import { ResultsFollower, resultsId } from './results-follower.js';

const minute = { deadlineMs: 60_000 };
const input = { runNumber: 1, detectorConfiguration: 'd', paths: [{ name: 'FAST', command: 'c' }] } as const;
const run = newLiveRun(input, { id: 'run', subject: 'me', now: new Date() });
const [place] = lanesOf(run) as [LanePlace];
const id = resultsId(place);

/** Core's stream: each event is one slice, and its cursor its number. It stays open until it is ended. */
class Stream {
  last = 0;
  readonly #waiting = new Set<() => void>();

  add(count: number): void {
    this.last += count;
    for (const wake of this.#waiting) wake();
  }

  client(): ApiClient {
    const read = (after: string | null, signal: AbortSignal) => this.#read(after, signal);
    const subscribeResumable = (
      _document: unknown,
      { after }: { after: string | null },
      { signal }: { signal: AbortSignal },
    ) => read(after, signal);
    return { subscribeResumable } as unknown as ApiClient;
  }

  async *#read(after: string | null, signal: AbortSignal) {
    let at = after === null ? this.last : Number(after);
    yield { workUnitCompleted: { cursor: String(at), event: null } };
    while (!signal.aborted) {
      if (at < this.last) {
        at += 1;
        const unit = { key: `0000000${at}-000`, seconds: 1 };
        const event = { jobId: 'job', site: null, completedAt: new Date(), units: [unit] };
        yield { workUnitCompleted: { cursor: String(at), event } };
      } else
        await new Promise<void>((wake) => {
          this.#waiting.add(wake);
          signal.addEventListener('abort', () => wake(), { once: true });
        });
    }
  }
}

/** Waits after each write, or before the first one, until a test lets it go on. */
class Held extends ResultsRepository {
  readonly reached: Promise<void>;
  readonly go: () => void;
  readonly #reach: () => void;
  readonly #gone: Promise<void>;
  readonly #at: 'begin' | 'record';

  constructor(db: ConstructorParameters<typeof ResultsRepository>[0], at: 'begin' | 'record') {
    super(db);
    this.#at = at;
    let [reach, go] = [(): void => undefined, (): void => undefined];
    this.reached = new Promise((resolve) => (reach = resolve));
    this.#gone = new Promise((resolve) => (go = resolve));
    [this.#reach, this.go] = [reach, go];
  }

  async #hold(at: 'begin' | 'record'): Promise<void> {
    if (at !== this.#at) return;
    this.#reach();
    await this.#gone;
  }

  override async begin(...of: Parameters<ResultsRepository['begin']>) {
    await this.#hold('begin');
    return super.begin(...of);
  }

  override async record(...of: Parameters<ResultsRepository['record']>) {
    const isRecorded = await super.record(...of);
    await this.#hold('record');
    return isRecorded;
  }
}

describe('ResultsFollower', () => {
  const follower = (results: ResultsRepository, stream: Stream): ResultsFollower =>
    new ResultsFollower(
      { core: stream.client(), results, clock: systemClock, log: silentLogger() },
      place,
      'pool',
    );
  const completed = async (results: ResultsRepository): Promise<number | undefined> =>
    (await results.find(id))?.completed;
  const until = (results: ResultsRepository, count: number) =>
    waitFor(`${count} results`, async () => (await completed(results)) === count, minute);

  it('counts no result again that another process has counted meanwhile', async () => {
    const db = await testDatabase('epic');
    const stream = new Stream();
    const [slow, other] = [new Held(db, 'record'), new ResultsRepository(db)];
    const first = follower(slow, stream);
    await until(other, 0);
    stream.add(1);
    await slow.reached;
    const second = follower(other, stream);
    stream.add(3);
    await until(other, 4);
    slow.go();
    await second.stop();
    stream.add(2);
    await waitFor('the last results', async () => (await other.find(id))?.cursor === '6', minute);
    await first.stop();
    expect(await completed(other)).toBe(6);
  });

  it('begins where another process has begun', async () => {
    const db = await testDatabase('epic');
    const stream = new Stream();
    const [slow, other] = [new Held(db, 'begin'), new ResultsRepository(db)];
    const second = follower(other, stream);
    await until(other, 0);
    await second.stop();
    const { cursor, ...none } = (await other.find(id)) ?? { cursor: '' };
    await db.collection('liveResults').deleteMany({});
    stream.add(5);
    const first = follower(slow, stream);
    await slow.reached;
    await other.begin({ ...none, cursor } as Parameters<ResultsRepository['begin']>[0]);
    slow.go();
    stream.add(1);
    await waitFor('the last results', async () => (await other.find(id))?.cursor === '6', minute);
    await first.stop();
    expect(await completed(other)).toBe(6);
  });

  it('keeps failures that are noted while it records', async () => {
    const db = await testDatabase('epic');
    const stream = new Stream();
    const results = new ResultsRepository(db);
    const follows = follower(results, stream);
    await until(results, 0);
    const failures = [{ site: 'POLE', failedAttempts: 2 }];
    await results.noteFailures(id, failures, new Date());
    stream.add(1);
    await until(results, 1);
    await follows.stop();
    expect((await results.find(id))?.failures).toEqual(failures);
  });
});
