import { describe, expect, test } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';

const bare = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }';
let house: TestSystem;
let room: StreamTestSetup;

useStreamSystem(
  (opened) => (house = opened),
  () => room,
);

describe('resuming', () => {
  test('a gap is served from the ring where that reaches back', async () => {
    room = await StreamTestSetup.open(house);
    const first = await room.subscribe();
    const { cursor = '' } = await next(first);
    house.log.append('p');
    house.log.append('q');
    await readTo(first, 'q');
    const resumed = await room.subscribe({ after: cursor });
    expect((await readTo(resumed, 'q')).map((seen) => seen.split(' ')[1])).toEqual(['p', 'q']);
    expect(room.counts.upstreams).toBe(1);
  });

  test('an older gap is served alone; at the first event that both have seen the client joins the others', async () => {
    room = await StreamTestSetup.open(house);
    const from = house.log.append('old');
    house.log.append('gap-1');
    house.log.append('gap-2');
    const first = await room.subscribe();
    await next(first);
    const resumed = await room.subscribe({ after: from });
    expect(await readTo(resumed, 'gap-2')).toHaveLength(2);
    expect(room.counts.upstreams).toBe(2);
    house.log.append('new');
    expect(await readTo(resumed, 'new')).toHaveLength(1);
    await readTo(first, 'new');
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    house.log.append('more');
    expect(await readTo(resumed, 'more')).toHaveLength(1);
  });

  test('1,000 resumers at 1,000 cursors that the ring still has need no upstream of their own', async () => {
    room = await StreamTestSetup.open(house);
    const first = await room.subscribe({ query: bare });
    const cursors = [(await next(first)).cursor ?? ''];
    for (let i = 1; i < 1000; i++) cursors.push(house.log.append(`r${i}`));
    await readTo(first, 'r999');
    const streams = await Promise.all(cursors.map((after) => room.subscribe({ after, query: bare })));
    house.log.append('end');
    for (const [i, stream] of streams.entries()) {
      const seen = await readTo(stream, 'end');
      expect([seen.length, seen[0]?.split(' ')[0]]).toEqual([
        1000 - i,
        `c${Number(cursors[i]?.slice(1)) + 1}`,
      ]);
    }
    expect([house.log.open, room.counts.upstreams]).toEqual([1, 1]);
  });

  test('those who come back at the same cursor after a restart share from the start', async () => {
    room = await StreamTestSetup.open(house);
    const after = house.log.append('last');
    house.log.append('missed');
    const streams = await Promise.all(Array.from({ length: 50 }, () => room.subscribe({ after })));
    for (const stream of streams) expect(await readTo(stream, 'missed')).toHaveLength(1);
    expect([house.log.open, room.counts.upstreams]).toEqual([1, 1]);
  });

  test('one who starts with now is not given the gap of one who resumes, and joins him later', async () => {
    room = await StreamTestSetup.open(house);
    const after = house.log.append('x');
    house.log.append('gap');
    const resumed = await room.subscribe({ after });
    const fresh = await room.subscribe();
    expect((await next(fresh)).text).toContain('"item":null');
    expect(await readTo(resumed, 'gap')).toHaveLength(1);
    house.log.append('now');
    expect(await readTo(fresh, 'now')).toHaveLength(1);
    expect(await readTo(resumed, 'now')).toHaveLength(1);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    expect((await next(await room.subscribe())).cursor).toBe(house.log.cursor);
    expect(house.log.open).toBe(1);
  });

  test('those who start with now share one upstream while the common stream is behind', async () => {
    room = await StreamTestSetup.open(house);
    const after = house.log.append('x');
    for (let i = 0; i < 300; i++) house.log.append(`gap${i}`);
    const resumed = await room.subscribe({ after });
    const fresh = await Promise.all(Array.from({ length: 40 }, () => room.subscribe()));
    for (const stream of fresh) expect((await next(stream)).cursor).toBe(house.log.cursor);
    fresh.push(await room.subscribe());
    expect((await next(fresh.at(-1) ?? resumed)).cursor).toBe(house.log.cursor);
    expect(room.counts.upstreams).toBe(2);
    house.log.append('now');
    for (const stream of fresh) expect(await readTo(stream, 'now')).toHaveLength(1);
    expect(await readTo(resumed, 'now')).toHaveLength(301);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 60_000 });
  });

  test('the cursor beside the operation wins over the argument', async () => {
    room = await StreamTestSetup.open(house);
    const after = house.log.append('x');
    const cursor = house.log.append('y');
    house.log.append('z');
    const stream = await room.subscribe({ after, cursor });
    expect(await readTo(stream, 'z')).toHaveLength(1);
  });

  test('a cursor that is too old is refused with its code, and the next one is not', async () => {
    room = await StreamTestSetup.open(house);
    house.log.forgottenBelow = 5;
    const refused = await room.subscribe({ after: 'c1' });
    expect(await next(refused)).toMatchObject({ last: true, codes: ['CURSOR_EXPIRED'] });
    expect((await refused.next()).done).toBe(true);
    house.log.forgottenBelow = 0;
    expect((await next(await room.subscribe({ after: 'c1' }))).cursor).toBe('c2');
  });

  test('one who reads his gap slowly keeps his own upstream waiting, and nothing is held for him', async () => {
    room = await StreamTestSetup.open(house, { bufferedEvents: 10 });
    const after = house.log.append('x');
    for (let i = 0; i < 2000; i++) house.log.append(`e${i}`);
    const first = await room.subscribe();
    await next(first);
    const slow = await room.subscribe({ after });
    await next(slow);
    await new Promise((resolve) => setImmediate(resolve));
    house.log.append('end');
    expect(await readTo(slow, 'end')).toHaveLength(2000);
  });
});

describe('many who resume beyond the ring', () => {
  /** Upstreams that begin at random among those who wait; of a thousand, ten are to be expected, forty are not met in a lifetime. */
  const few = 40;

  /** Cursors from which there are as many ways to the present, and a stream that is there already. */
  async function gaps(count = 300): Promise<{ readonly cursors: string[]; readonly present: ClientStream }> {
    room = await StreamTestSetup.open(house, { bufferedEvents: 10, streamsPerSubject: 5000 });
    const cursors = Array.from({ length: count }, (_, i) => house.log.append(`g${i}`));
    const present = await room.subscribe({ query: bare });
    await next(present);
    return { cursors, present };
  }

  const numberOf = (cursor: string | undefined): number => Number(cursor?.slice(1).split(' ')[0]);
  /** Whether it has seen every event after its cursor once, in order, up to the newest. */
  function isUnbroken(seen: readonly string[], after: string): boolean {
    const numbers = seen.map(numberOf);
    return (
      numbers.at(-1) === numberOf(house.log.cursor) &&
      numbers.every((number, i) => number === numberOf(after) + 1 + i)
    );
  }

  test.each<[number, string, (cursors: readonly string[]) => readonly string[]]>([
    [300, 'the oldest first', (cursors) => cursors],
    [300, 'the newest first', (cursors) => cursors.toReversed()],
    [
      1000,
      'from both ends',
      (cursors) => cursors.map((_, i) => cursors.at(i % 2 ? -1 - (i >> 1) : i >> 1) ?? ''),
    ],
  ])(
    '%i at as many cursors, %s, need few upstreams, lose and double nothing and end on one',
    async (count, _name, order) => {
      const { cursors } = await gaps(count);
      const ordered = order(cursors);
      const streams = await Promise.all(ordered.map((after) => room.subscribe({ after, query: bare })));
      const reads = streams.map((stream) => readTo(stream, 'end'));
      house.log.append('live');
      house.log.append('end');
      for (const [i, seen] of (await Promise.all(reads)).entries())
        expect([ordered[i], isUnbroken(seen, ordered[i] ?? '')]).toEqual([ordered[i], true]);
      await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
      expect(room.counts.upstreams).toBeLessThanOrEqual(few);
    },
  );

  test('in a stream that is not at the present itself they come along with it', async () => {
    room = await StreamTestSetup.open(house, { bufferedEvents: 10, streamsPerSubject: 5000 });
    const cursors = Array.from({ length: 300 }, (_, i) => house.log.append(`g${i}`));
    const streams = await Promise.all(cursors.map((after) => room.subscribe({ after, query: bare })));
    const reads = streams.map((stream) => readTo(stream, 'end'));
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect([cursors[i], isUnbroken(seen, cursors[i] ?? '')]).toEqual([cursors[i], true]);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
    expect(room.counts.upstreams).toBeLessThanOrEqual(few);
  });

  test('those who do not read hold up nobody, and miss nothing when they do', async () => {
    const { cursors } = await gaps();
    const idle = await Promise.all(
      cursors.slice(0, 100).map((after) => room.subscribe({ after, query: bare })),
    );
    const busy = await Promise.all(
      cursors.slice(100, 300).map((after) => room.subscribe({ after, query: bare })),
    );
    const reads = busy.map((stream) => readTo(stream, 'end'));
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[100 + i] ?? '')).toBe(true);
    for (const [i, stream] of idle.entries())
      expect(isUnbroken(await readTo(stream, 'end'), cursors[i] ?? '')).toBe(true);
    await waitFor('one upstream', () => house.log.open === 1, { deadlineMs: 500 });
  });

  test('those who leave on the way, or before it begins, take nothing along', async () => {
    const { cursors, present } = await gaps();
    const streams = await Promise.all(cursors.map((after) => room.subscribe({ after, query: bare })));
    for (const stream of streams.filter((_, i) => i % 10 > 0)) await stream.return();
    const left = streams.filter((_, i) => i % 10 === 0);
    const reads = left.map((stream) => readTo(stream, 'end'));
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[10 * i] ?? '')).toBe(true);
    for (const stream of left) await stream.return();
    await readTo(present, 'end');
    expect(room.hub.open).toEqual({ streams: 1, upstreams: 1 });
  });

  test('a cursor that is too old ends the way of its own clients, and of no others', async () => {
    const { cursors } = await gaps();
    house.log.forgottenBelow = numberOf(cursors[150]);
    const streams = await Promise.all(cursors.map((after) => room.subscribe({ after, query: bare })));
    const firsts = await Promise.all(streams.slice(0, 150).map(next));
    house.log.forgottenBelow = 0;
    for (const first of firsts) expect(first).toMatchObject({ last: true, codes: ['CURSOR_EXPIRED'] });
    const reads = streams.slice(150).map((stream) => readTo(stream, 'end'));
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[150 + i] ?? '')).toBe(true);
  });

  test('a break on the way is mended for all', async () => {
    const { cursors } = await gaps();
    const streams = await Promise.all(
      cursors.slice(0, 200).map((after) => room.subscribe({ after, query: bare })),
    );
    await next(streams[0] as ClientStream);
    house.log.breakAll(new Error('broken'));
    await room.swap();
    const reads = streams.map((stream) => readTo(stream, 'end'));
    house.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries()) {
      const after = i === 0 ? cursors[1] : cursors[i];
      expect(isUnbroken(seen, after ?? '')).toBe(true);
    }
  });

  test('equal rights share a way, other rights have another', async () => {
    const { cursors } = await gaps();
    const others = testPrincipal({ grants: { beta: 'USER' } });
    const before = room.counts.upstreams;
    const streams = await Promise.all(
      [human('ann'), human('ben'), others].map((principal) =>
        room.subscribe({ after: cursors[0] ?? '', query: bare, principal }),
      ),
    );
    await Promise.all(streams.map(next));
    expect(room.counts.upstreams - before).toBe(2);
  });
});
