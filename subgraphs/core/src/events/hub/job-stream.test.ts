import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ChangeFeed } from '../feed/change-feed.repository.js';
import { decodeCursor } from '../feed/cursor.js';
import type { EventFilter } from './event-filter.js';
import { EventRing } from './event-ring.js';
import { JobChanges, type JobStateChange, JobStateChanges } from './job-changes.js';
import { toJobEvent, type StreamedJobEvent } from '../feed/job-event.js';
import { JobStream } from './job-stream.js';
import { Replays } from './replays.js';
import { SubscriberIndex } from './subscriber-index.js';
import type { StreamMode, StreamRequest } from './stream.types.js';

/** Places that sort, and can be cursors. */
const token = (n: number): string => `82${n.toString(16).toUpperCase().padStart(16, '0')}0000000000`;

function anEvent(n: number, jobId: string): StreamedJobEvent {
  const last = {
    revision: n,
    from: 'PENDING',
    to: 'ACTIVATED',
    at: new Date(n),
    actor: 'a',
    attempt: 0,
    experiment: 'alpha',
    share: 'alpha/default',
    owner: 'o',
    labels: [],
    classId: 'c',
    priority: 0,
    fence: 0,
  };
  return toJobEvent(token(n), jobId, last);
}

/** A hub without a store: what lies before its ring is lost. */
class Source {
  readonly ring: EventRing;
  readonly index = new SubscriberIndex();
  readonly replays: Replays;
  readonly bufferSize: number;
  readonly #changes = new JobStateChanges();
  #count = 0;

  constructor(ringSize: number, bufferSize: number) {
    this.ring = new EventRing(ringSize, token(0));
    this.bufferSize = bufferSize;
    this.replays = new Replays({ feed: {} as ChangeFeed, covers: (position) => this.ring.covers(position) });
  }

  publish(jobIds: readonly string[]): StreamedJobEvent[] {
    const events = jobIds.map((jobId) => anEvent((this.#count += 1), jobId));
    const head = token(this.#count);
    for (const event of this.ring.append(events, head)) this.index.deliver(event);
    return events;
  }

  follow(filter: EventFilter, mode: StreamMode = 'EVERY', signal = new AbortController().signal): JobChanges {
    const request: StreamRequest = { filter, after: token(0), signal, whenBehind: 'end', mode };
    return new JobChanges(new JobStream(this, request), this.#changes, undefined);
  }
}

/** Takes all that is there, then waits. @returns whether `next` is to be asked */
function drain(stream: JobChanges, into: JobStateChange[], listener: () => void): boolean {
  for (;;) {
    const change = stream.tryNext();
    if (change) into.push(change);
    else {
      const following = stream.follow(listener);
      if (following !== 'take') return following === 'ask';
    }
  }
}

const jobIds = fc.array(fc.constantFrom('job_1', 'job_2', 'job_3'), { minLength: 1, maxLength: 12 });
const steps = fc.array(
  fc.oneof(
    fc.record({ publish: jobIds }),
    fc.constant({ drain: true as const }),
    fc.constant({ next: true as const }),
  ),
  { maxLength: 40 },
);

describe('a stream of events that is read through callbacks and through promises in turn', () => {
  it('gives each event once and in order, or says where it fell behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 2, max: 60 }),
        fc.integer({ min: 1, max: 8 }),
        async (plan, ring, buffer) => {
          const source = new Source(ring, buffer);
          const stream = source.follow({ jobIds: new Set(['job_1', 'job_2']) });
          const wanted: string[] = [];
          const got: JobStateChange[] = [];
          let lagged: string | undefined;
          // It has caught up: what lies before the ring would have to be read from the store.
          drain(stream, got, () => undefined);
          for (const step of plan) {
            if ('publish' in step) {
              const events = source.publish(step.publish);
              wanted.push(...events.filter(({ jobId }) => jobId !== 'job_3').map((event) => event.token));
            } else if ('drain' in step) drain(stream, got, () => undefined);
            // A consumer that has all events would wait.
            else if (got.length < wanted.length) {
              try {
                const item = await stream.next();
                if (item.value) got.push(item.value);
              } catch (error) {
                lagged = (error as { details?: { cursor?: string } }).details?.cursor ?? String(error);
                break;
              }
            }
          }
          const tokens = got.map((change) => change.token);
          expect(tokens).toEqual(wanted.slice(0, tokens.length));
          if (lagged === undefined) {
            if (!drain(stream, got, () => undefined)) expect(got.length).toBe(wanted.length);
          } else expect(decodeCursor(lagged) >= (tokens.at(-1) ?? token(0))).toBe(true);
          await stream.return();
          expect(source.index.size).toBe(0);
        },
      ),
    );
  });

  it('calls back within the very call that brings an event, and gives all consumers one message', () => {
    const source = new Source(100, 10);
    const [a, b]: [JobStateChange[], JobStateChange[]] = [[], []];
    const [one, two] = [source.follow({ jobIds: new Set(['job_1']) }), source.follow({})];
    const pass = (stream: JobChanges, into: JobStateChange[]): void =>
      void drain(stream, into, () => pass(stream, into));
    pass(one, a);
    pass(two, b);
    source.publish(['job_1', 'job_2', 'job_1']);
    expect(a.map(({ token: at }) => at)).toEqual([token(1), token(3)]);
    expect(b.map(({ token: at }) => at)).toEqual([token(1), token(2), token(3)]);
    expect([b[0] === a[0], b[2] === a[1]]).toEqual([true, true]);
  });

  it('gives a subscriber in mode LATEST its own message where it stands for others', () => {
    const source = new Source(100, 10);
    const [slow, quick]: [JobStateChange[], JobStateChange[]] = [[], []];
    const [one, two] = [source.follow({}, 'LATEST'), source.follow({}, 'LATEST')];
    drain(one, slow, () => undefined);
    const pass = (): void => void drain(two, quick, pass);
    pass();
    source.publish(['job_1', 'job_1', 'job_1']);
    drain(one, slow, () => undefined);
    expect(slow.map(({ token: at, coalesced }) => [at, coalesced])).toEqual([[token(3), 2]]);
    expect(quick.map(({ coalesced }) => coalesced)).toEqual([0, 0, 0]);
  });

  it('reports its end, and is over when it is read after that', async () => {
    const source = new Source(100, 10);
    const ending = new AbortController();
    const stream = source.follow({}, 'EVERY', ending.signal);
    let calls = 0;
    expect(stream.follow(() => void (calls += 1))).toBe('wait');
    ending.abort();
    expect(calls).toBeGreaterThan(0);
    expect([stream.tryNext(), stream.follow(() => undefined)]).toEqual([undefined, 'ask']);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(source.index.size).toBe(0);
  });
});
