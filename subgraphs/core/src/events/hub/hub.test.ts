import { describe, expect, it } from '@jest/globals';
import { positionsAround, secondsOf } from '@rhizome/mongo';
import { testPrincipal } from '@rhizome/testkit';
import fc from 'fast-check';
import {
  buildSchema,
  parse,
  type FieldNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
} from 'graphql';
import { Timestamp } from 'mongodb';
import type { StoredLastEvent } from '../../jobs/model/job.types.js';
import { decodeCursor, encodeCursor } from '../feed/cursor.js';
import { EventBuffer, type TakenEvents } from './event-buffer.js';
import { isKnownFromEvent, jobOfEvent } from '../graphql/event-job.js';
import { compileFilter, matches, type EventFilter } from './event-filter.js';
import { EventRing } from './event-ring.js';
import { toJobEvent, type StreamedJobEvent } from '../feed/job-event.js';
import { SubscriberIndex } from './subscriber-index.js';

const real =
  '826B0645BF000000022B022C0100296E5A1004BF36EB0FFC9F4084BBAED621E882DF82463C5F6964003C6A6F625F30314A3042000004';

function anEvent(token: string, change: Partial<StoredLastEvent> = {}, jobId = 'job_1'): StreamedJobEvent {
  const last = {
    revision: 1,
    from: null,
    to: 'ACTIVATED',
    at: new Date(0),
    actor: 'a',
    attempt: 0,
    experiment: 'alpha',
    share: 'alpha/default',
    owner: 'o',
    labels: ['a=b'],
    classId: 'c',
    priority: 0,
    fence: 0,
    ...change,
  };
  return toJobEvent(token, jobId, last);
}

describe('cursors', () => {
  it('encodes a position and decodes it, opaque and shorter', () => {
    const cursor = encodeCursor(real);
    expect(decodeCursor(cursor)).toBe(real);
    expect(cursor.length).toBeLessThan(real.length);
    expect(secondsOf(real)).toBe(0x6b0645bf);
  });

  it('rejects what is not a cursor', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `e1.${text}`),
          fc.base64String().map((text) => `e1.${text}`),
        ),
        (text) => {
          expect(() => decodeCursor(text)).toThrow(/after: .* is not a cursor of this stream/);
        },
      ),
    );
  });

  it('sorts the positions around a time before and after the events of that time', () => {
    const { before, behind } = positionsAround(new Timestamp({ t: 0x6b0645bf, i: 2 }));
    expect(before < real && real < behind).toBe(true);
    expect(positionsAround(new Timestamp({ t: 0x6b0645bf, i: 3 })).before > real).toBe(true);
  });
});

describe('the ring', () => {
  const token = (n: number): string => String(n).padStart(6, '0');

  it('holds the newest events, and knows from which positions it can serve', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 20 }),
        (capacity, batches) => {
          const ring = new EventRing(capacity, token(0));
          const all: number[] = [];
          let next = 0;
          for (const size of batches) {
            const batch = Array.from({ length: size }, () => (next += 10));
            all.push(...batch);
            ring.append(
              batch.map((n) => anEvent(token(n))),
              token((next += 1)),
            );
          }
          expect(ring.size).toBe(Math.min(capacity, all.length));
          for (let place = 0; place <= next + 1; place++) {
            const expected = all.filter((n) => n > place);
            expect(ring.covers(token(place))).toBe(
              expected.length <= ring.size && place >= (all.at(-ring.size - 1) ?? 0),
            );
            if (!ring.covers(token(place))) continue;
            const got: string[] = [];
            for (let number = ring.numberAfter(token(place)); ; number++) {
              const event = ring.at(number);
              if (!event) break;
              got.push(event.token);
            }
            expect(got).toEqual(expected.map(token));
          }
        },
      ),
    );
  });

  it('takes an event once, even when the driver delivers it twice', () => {
    const ring = new EventRing(10, token(0));
    ring.append([anEvent(token(1)), anEvent(token(2))], token(2));
    expect(ring.append([anEvent(token(2)), anEvent(token(3))], token(3)).map((event) => event.token)).toEqual(
      [token(3)],
    );
    expect(ring.size).toBe(3);
  });

  it('treats an event at the time of the scan as counted, and serves from just before it', () => {
    const ring = new EventRing(10, '000005~', '000005');
    expect(
      ring.append([anEvent('000005AA'), anEvent('000006AA')], '000006AA').map((event) => event.token),
    ).toEqual(['000006AA']);
    expect(ring.covers('000005AA')).toBe(true);
    expect(ring.covers('000004FF')).toBe(false);
  });
});

describe('subscribers', () => {
  const filters: EventFilter[] = [
    {},
    { jobIds: new Set(['job_1', 'job_2']) },
    { jobIds: new Set() },
    { taskIds: new Set(['task_1', 'task_2']) },
    { queues: new Set(['north']), experiments: new Set(['alpha']) },
    { shares: new Set(['alpha/default']), states: new Set(['SENT']) },
    { owners: new Set(['o']), labels: new Set(['a=b']) },
    { labels: new Set(['a=b', 'a=c']) },
    { states: new Set(['SENT', 'RUNNING']) },
    { experiments: new Set(['alpha', 'beta']) },
    { experiments: new Set() },
  ];
  const event = fc.record({
    jobId: fc.constantFrom('job_1', 'job_2', 'job_3'),
    last: fc.record(
      {
        experiment: fc.constantFrom('alpha', 'beta', 'gamma'),
        taskId: fc.constantFrom('task_1', 'task_2'),
        queue: fc.constantFrom('north', 'south'),
        share: fc.constantFrom('alpha/default', 'beta/default'),
        owner: fc.constantFrom('o', 'p'),
        to: fc.constantFrom('SENT' as const, 'RUNNING' as const),
        labels: fc.constantFrom(['a=b'], ['a=c'], ['a=b', 'a=c'], []),
      },
      { requiredKeys: ['experiment', 'share', 'owner', 'to', 'labels'] },
    ),
  });

  it('gives each subscriber exactly the matching events, once, and none after it left', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 20 }), fc.nat(), (given, leaving) => {
        const index = new SubscriberIndex();
        const got = filters.map(() => [] as StreamedJobEvent[]);
        const leaves = filters.map((filter, at) =>
          index.add({ filter, push: (one) => got[at]?.push(one), close: () => undefined }),
        );
        expect(index.size).toBe(filters.length);
        const gone = leaving % filters.length;
        leaves[gone]?.();
        leaves[gone]?.();
        const events = given.map(({ jobId, last }) => anEvent('82', last, jobId));
        events.forEach((one) => index.deliver(one));
        filters.forEach((filter, at) => {
          expect(got[at]).toEqual(at === gone ? [] : events.filter((one) => matches(filter, one)));
        });
        leaves.forEach((leave) => leave());
        expect(index.size).toBe(0);
      }),
    );
  });

  it('shows a principal only what it may both follow and read', () => {
    const principal = testPrincipal({ grants: { alpha: 'READER', beta: 'PILOT', gamma: 'USER' } });
    expect([...(compileFilter({}, principal).experiments ?? [])].sort()).toEqual(['alpha', 'gamma']);
    expect(compileFilter({}, testPrincipal()).experiments).toBeUndefined();
    expect(() => compileFilter({ experiments: ['alpha', 'beta'] }, principal)).toThrow(
      /events:read in "beta"/,
    );
    expect(() => compileFilter({ ids: Array.from({ length: 1001 }, () => 'j') }, principal)).toThrow(
      /at most 1000/,
    );
  });
});

it('distinguishes a label whose key has a `=`, which no key has, from a shorter key with a longer value', () => {
  const filter = compileFilter({ labels: [{ key: 'a=b', value: 'c' }] }, testPrincipal());
  expect(matches(filter, anEvent('82', { labels: ['a=b=c'] }))).toBe(false);
});

describe('events that wait for a consumer', () => {
  const walk = fc.array(fc.record({ job: fc.integer({ min: 1, max: 5 }), takes: fc.nat(3) }), {
    maxLength: 60,
  });

  it('keeps the last event of each job in mode LATEST, in the order of the stream, and counts the others', () => {
    fc.assert(
      fc.property(walk, (steps) => {
        const buffer = new EventBuffer('LATEST');
        const taken: { token: string; jobId: string; coalesced: number }[] = [];
        const take = ({ events, coalesced }: TakenEvents): void =>
          events.forEach(({ token, jobId }, at) =>
            taken.push({ token, jobId, coalesced: coalesced[at] ?? 0 }),
          );
        steps.forEach(({ job, takes }, at) => {
          const event = anEvent(String(at).padStart(4, '0'), {}, `job_${job}`);
          const before = buffer.size;
          const isAbsorbed = buffer.absorbs(event);
          buffer.add(event);
          expect(buffer.size).toBe(isAbsorbed ? before : before + 1);
          for (let count = 0; count < takes - 1 && buffer.size > 0; count++) take(buffer.removeFirst());
        });
        take(buffer.removeAll());
        expect(buffer.size).toBe(0);
        const tokens = taken.map(({ token }) => token);
        expect(tokens).toEqual([...tokens].sort());
        expect(taken.reduce((sum, { coalesced }) => sum + 1 + coalesced, 0)).toBe(steps.length);
        for (let job = 1; job <= 5; job++) {
          const last = steps.map(({ job: of }) => of).lastIndexOf(job);
          const token = taken.filter(({ jobId }) => jobId === `job_${job}`).at(-1)?.token;
          expect(token).toBe(last < 0 ? undefined : String(last).padStart(4, '0'));
        }
      }),
    );
  });

  it('keeps every event in mode EVERY, however they are taken', () => {
    const buffer = new EventBuffer();
    const events = ['01', '02', '03'].map((token) => anEvent(token));
    events.forEach((event) => buffer.add(event));
    expect(buffer.removeFirst().events).toEqual([events[0]]);
    expect(buffer.removeAll().events).toEqual(events.slice(1));
    expect(buffer.removeAll().events).toEqual([]);
  });
});

describe('the job of an event', () => {
  const schema = buildSchema('type Query { a: Int }');
  const selection = (text: string) => {
    const { definitions } = parse(
      `query { job ${text} } fragment F on Job { id labels { key } } fragment G on Job { name }`,
    );
    const [operation, ...fragments] = definitions as [OperationDefinitionNode, ...FragmentDefinitionNode[]];
    return {
      fieldNodes: operation.selectionSet.selections as readonly FieldNode[],
      fragments: Object.fromEntries(fragments.map((fragment) => [fragment.name.value, fragment])),
      schema,
    };
  };

  it.each<[string, boolean]>([
    ['{ id state taskIndex task { id } }', true],
    ['{ __typename id experiment { title } task { name } worker { host } }', true],
    ['{ id ... on Job { owner ...F } }', true],
    ['{ id name }', false],
    ['{ id ...G }', false],
    ['{ id ... { payload { command } } }', false],
  ])('decides for %s whether the event has it: %p', (text, expected) => {
    expect(isKnownFromEvent(selection(text))).toBe(expected);
  });

  it('has what the event has', () => {
    const job = jobOfEvent(
      anEvent('82', { to: 'SENT', taskId: 't', taskIndex: 7, labels: ['a=b=c'], workerId: 'w', revision: 3 }),
    );
    expect(job).toMatchObject({
      _id: 'job_1',
      state: 'SENT',
      taskId: 't',
      taskIndex: 7,
      labels: [{ key: 'a', value: 'b=c' }],
      workerId: 'w',
      revision: 3,
    });
  });
});
