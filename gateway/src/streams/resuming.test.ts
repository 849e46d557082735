import { describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { TestSystem } from '../testing/test-system.js';
import { useStreamSystem } from '../testing/stream-system.js';
import { human, next, readTo, StreamTestSetup } from '../testing/stream-test-setup.js';
import type { ClientStream } from './client-stream.js';

const bare = 'subscription ($after: String) { itemChanged(after: $after) { cursor item { id } } }';
let system: TestSystem;
let setup: StreamTestSetup;

useStreamSystem(
  (opened) => (system = opened),
  () => setup,
);

describe('resuming', () => {
  it('serves a gap from the history if that reaches back', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe();
    const { cursor = '' } = await next(first);
    system.log.append('p');
    system.log.append('q');
    await readTo(first, 'q');
    const resumed = await setup.subscribe({ after: cursor });
    expect((await readTo(resumed, 'q')).map((seen) => seen.split(' ')[1])).toEqual(['p', 'q']);
    expect(setup.counts.upstreams).toBe(1);
  });

  it('serves an older gap separately until the client joins the others at a common event', async () => {
    setup = await StreamTestSetup.open(system);
    const from = system.log.append('old');
    system.log.append('gap-1');
    system.log.append('gap-2');
    const first = await setup.subscribe();
    await next(first);
    const resumed = await setup.subscribe({ after: from });
    expect(await readTo(resumed, 'gap-2')).toHaveLength(2);
    expect(setup.counts.upstreams).toBe(2);
    system.log.append('new');
    expect(await readTo(resumed, 'new')).toHaveLength(1);
    await readTo(first, 'new');
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
    system.log.append('more');
    expect(await readTo(resumed, 'more')).toHaveLength(1);
  });

  it('serves 1,000 resumers at 1,000 cursors in the history without further upstreams', async () => {
    setup = await StreamTestSetup.open(system);
    const first = await setup.subscribe({ query: bare });
    const cursors = [(await next(first)).cursor ?? ''];
    for (let i = 1; i < 1000; i++) cursors.push(system.log.append(`r${i}`));
    await readTo(first, 'r999');
    const streams = await Promise.all(cursors.map((after) => setup.subscribe({ after, query: bare })));
    system.log.append('end');
    for (const [i, stream] of streams.entries()) {
      const seen = await readTo(stream, 'end');
      expect([seen.length, seen[0]?.split(' ')[0]]).toEqual([
        1000 - i,
        `c${Number(cursors[i]?.slice(1)) + 1}`,
      ]);
    }
    expect([system.log.open, setup.counts.upstreams]).toEqual([1, 1]);
  });

  it('shares one upstream between clients that return at the same cursor after a restart', async () => {
    setup = await StreamTestSetup.open(system);
    const after = system.log.append('last');
    system.log.append('missed');
    const streams = await Promise.all(Array.from({ length: 50 }, () => setup.subscribe({ after })));
    for (const stream of streams) expect(await readTo(stream, 'missed')).toHaveLength(1);
    expect([system.log.open, setup.counts.upstreams]).toEqual([1, 1]);
  });

  it('gives a client that starts at the present no gap of a resumer, and merges both later', async () => {
    setup = await StreamTestSetup.open(system);
    const after = system.log.append('x');
    system.log.append('gap');
    const resumed = await setup.subscribe({ after });
    const fresh = await setup.subscribe();
    expect((await next(fresh)).text).toContain('"item":null');
    expect(await readTo(resumed, 'gap')).toHaveLength(1);
    system.log.append('now');
    expect(await readTo(fresh, 'now')).toHaveLength(1);
    expect(await readTo(resumed, 'now')).toHaveLength(1);
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
    expect((await next(await setup.subscribe())).cursor).toBe(system.log.cursor);
    expect(system.log.open).toBe(1);
  });

  it('shares one upstream between clients at the present while the common stream is behind', async () => {
    setup = await StreamTestSetup.open(system);
    const after = system.log.append('x');
    for (let i = 0; i < 300; i++) system.log.append(`gap${i}`);
    const resumed = await setup.subscribe({ after });
    const fresh = await Promise.all(Array.from({ length: 40 }, () => setup.subscribe()));
    for (const stream of fresh) expect((await next(stream)).cursor).toBe(system.log.cursor);
    fresh.push(await setup.subscribe());
    expect((await next(fresh.at(-1) ?? resumed)).cursor).toBe(system.log.cursor);
    expect(setup.counts.upstreams).toBe(2);
    system.log.append('now');
    for (const stream of fresh) expect(await readTo(stream, 'now')).toHaveLength(1);
    expect(await readTo(resumed, 'now')).toHaveLength(301);
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 60_000 });
  });

  it('prefers the cursor next to the operation to the argument', async () => {
    setup = await StreamTestSetup.open(system);
    const after = system.log.append('x');
    const cursor = system.log.append('y');
    system.log.append('z');
    const stream = await setup.subscribe({ after, cursor });
    expect(await readTo(stream, 'z')).toHaveLength(1);
  });

  it('refuses a cursor that is too old with its code, but not the next one', async () => {
    setup = await StreamTestSetup.open(system);
    system.log.forgottenBelow = 5;
    const refused = await setup.subscribe({ after: 'c1' });
    expect(await next(refused)).toMatchObject({ last: true, codes: ['CURSOR_EXPIRED'] });
    expect((await refused.next()).done).toBe(true);
    system.log.forgottenBelow = 0;
    expect((await next(await setup.subscribe({ after: 'c1' }))).cursor).toBe('c2');
  });

  it('pauses the upstream of a client that reads its gap slowly, without buffering', async () => {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10 });
    const after = system.log.append('x');
    for (let i = 0; i < 2000; i++) system.log.append(`e${i}`);
    const first = await setup.subscribe();
    await next(first);
    const slow = await setup.subscribe({ after });
    await next(slow);
    await new Promise((resolve) => setImmediate(resolve));
    system.log.append('end');
    expect(await readTo(slow, 'end')).toHaveLength(2000);
  });
});

describe('many clients that resume beyond the history', () => {
  /**
   * Upstreams that begin at random cursors of waiting clients: for a thousand clients about ten, practically
   * never forty.
   */
  const few = 40;

  /** Cursors with as many upstreams to the present, next to a stream that is at the present already. */
  async function gaps(count = 300): Promise<{ readonly cursors: string[]; readonly present: ClientStream }> {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10, streamsPerSubject: 5000 });
    const cursors = Array.from({ length: count }, (_, i) => system.log.append(`g${i}`));
    const present = await setup.subscribe({ query: bare });
    await next(present);
    return { cursors, present };
  }

  const numberOf = (cursor: string | undefined): number => Number(cursor?.slice(1).split(' ')[0]);
  /** True if it has seen every event after its cursor once, in order, up to the newest. */
  function isUnbroken(seen: readonly string[], after: string): boolean {
    const numbers = seen.map(numberOf);
    return (
      numbers.at(-1) === numberOf(system.log.cursor) &&
      numbers.every((number, i) => number === numberOf(after) + 1 + i)
    );
  }

  it.each<[number, string, (cursors: readonly string[]) => readonly string[]]>([
    [300, 'the oldest first', (cursors) => cursors],
    [300, 'the newest first', (cursors) => cursors.toReversed()],
    [
      1000,
      'from both ends',
      (cursors) => cursors.map((_, i) => cursors.at(i % 2 ? -1 - (i >> 1) : i >> 1) ?? ''),
    ],
  ])(
    'serves %i clients at as many cursors, %s, with few upstreams, each event once, and ends on one',
    async (count, _name, order) => {
      const { cursors } = await gaps(count);
      const ordered = order(cursors);
      const streams = await Promise.all(ordered.map((after) => setup.subscribe({ after, query: bare })));
      const reads = streams.map((stream) => readTo(stream, 'end'));
      system.log.append('live');
      system.log.append('end');
      for (const [i, seen] of (await Promise.all(reads)).entries())
        expect([ordered[i], isUnbroken(seen, ordered[i] ?? '')]).toEqual([ordered[i], true]);
      await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
      expect(setup.counts.upstreams).toBeLessThanOrEqual(few);
    },
  );

  it('brings clients along in a stream that is not at the present itself', async () => {
    setup = await StreamTestSetup.open(system, { bufferedEvents: 10, streamsPerSubject: 5000 });
    const cursors = Array.from({ length: 300 }, (_, i) => system.log.append(`g${i}`));
    const streams = await Promise.all(cursors.map((after) => setup.subscribe({ after, query: bare })));
    const reads = streams.map((stream) => readTo(stream, 'end'));
    system.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect([cursors[i], isUnbroken(seen, cursors[i] ?? '')]).toEqual([cursors[i], true]);
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
    expect(setup.counts.upstreams).toBeLessThanOrEqual(few);
  });

  it('never waits for clients that do not read, which still miss nothing', async () => {
    const { cursors } = await gaps();
    const idle = await Promise.all(
      cursors.slice(0, 100).map((after) => setup.subscribe({ after, query: bare })),
    );
    const busy = await Promise.all(
      cursors.slice(100, 300).map((after) => setup.subscribe({ after, query: bare })),
    );
    const reads = busy.map((stream) => readTo(stream, 'end'));
    system.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[100 + i] ?? '')).toBe(true);
    for (const [i, stream] of idle.entries())
      expect(isUnbroken(await readTo(stream, 'end'), cursors[i] ?? '')).toBe(true);
    await waitFor('one upstream', () => system.log.open === 1, { deadlineMs: 500 });
  });

  it('leaves nothing behind for clients that disconnect during a replay or before it', async () => {
    const { cursors, present } = await gaps();
    const streams = await Promise.all(cursors.map((after) => setup.subscribe({ after, query: bare })));
    for (const stream of streams.filter((_, i) => i % 10 > 0)) await stream.return();
    const left = streams.filter((_, i) => i % 10 === 0);
    const reads = left.map((stream) => readTo(stream, 'end'));
    system.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[10 * i] ?? '')).toBe(true);
    for (const stream of left) await stream.return();
    await readTo(present, 'end');
    expect(setup.hub.open).toEqual({ streams: 1, upstreams: 1 });
  });

  it('ends only the replay of a cursor that is too old', async () => {
    const { cursors } = await gaps();
    system.log.forgottenBelow = numberOf(cursors[150]);
    const streams = await Promise.all(cursors.map((after) => setup.subscribe({ after, query: bare })));
    const firsts = await Promise.all(streams.slice(0, 150).map(next));
    system.log.forgottenBelow = 0;
    for (const first of firsts) expect(first).toMatchObject({ last: true, codes: ['CURSOR_EXPIRED'] });
    const reads = streams.slice(150).map((stream) => readTo(stream, 'end'));
    system.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries())
      expect(isUnbroken(seen, cursors[150 + i] ?? '')).toBe(true);
  });

  it('resumes a broken replay for all its clients', async () => {
    const { cursors } = await gaps();
    const streams = await Promise.all(
      cursors.slice(0, 200).map((after) => setup.subscribe({ after, query: bare })),
    );
    await next(streams[0] as ClientStream);
    system.log.breakAll(new Error('broken'));
    await setup.swap();
    const reads = streams.map((stream) => readTo(stream, 'end'));
    system.log.append('end');
    for (const [i, seen] of (await Promise.all(reads)).entries()) {
      const after = i === 0 ? cursors[1] : cursors[i];
      expect(isUnbroken(seen, after ?? '')).toBe(true);
    }
  });

  it('shares a replay only at equal permissions', async () => {
    const { cursors } = await gaps();
    const others = testPrincipal({ grants: { beta: 'USER' } });
    const before = setup.counts.upstreams;
    const streams = await Promise.all(
      [human('ann'), human('ben'), others].map((principal) =>
        setup.subscribe({ after: cursors[0] ?? '', query: bare, principal }),
      ),
    );
    await Promise.all(streams.map(next));
    expect(setup.counts.upstreams - before).toBe(2);
  });
});
