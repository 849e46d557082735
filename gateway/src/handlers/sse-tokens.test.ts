import { expect, it } from '@jest/globals';
import { manualClock } from '@rhizome/testkit';
import { EventReader } from '../testing/event-reader.js';
import { startTestSystem } from '../testing/test-system.js';

it('closes the event stream of an expired token with a code and a cursor, at which a new token continues', async () => {
  const clock = manualClock(new Date());
  const system = await startTestSystem({ clock });
  const mint = async (ttlSeconds: number): Promise<Record<string, string>> =>
    system.bearer(await system.tokens.mint({ kind: 'HUMAN', subject: 'short', grants: [], ttlSeconds }));
  const query = 'subscription { itemChanged { cursor item { id } } }';
  const short = await mint(3600);
  // Only the clock decides that the token has ended, however long it took to get here.
  clock.set(new Date(endOf(short['authorization'] ?? '') - 1500));
  const stream = await EventReader.post(system.served.url, query, short);
  await stream.event();
  const cursor = system.log.append('a');
  expect(await stream.event()).toContain(`id: ${cursor}\n`);
  clock.advance(2000);
  const last = (await stream.event()) ?? '';
  const { errors } = JSON.parse(last.slice(last.indexOf('data: ') + 'data: '.length)) as {
    errors: { extensions: Record<string, unknown> }[];
  };
  expect(errors).toEqual([
    expect.objectContaining({ extensions: expect.objectContaining({ code: 'TOKEN_EXPIRED', cursor }) }),
  ]);
  expect(await stream.event()).toBe('event: complete\ndata: ');
  expect(await stream.event()).toBeUndefined();
  const missed = system.log.append('b');
  const again = await EventReader.post(system.served.url, query, {
    ...(await mint(7200)),
    'last-event-id': cursor,
  });
  expect(await again.event()).toContain(`id: ${missed}\n`);
  again.leave();
  await system.served.close();
});

/** The end of a token in milliseconds since 1970. */
function endOf(authorization: string): number {
  const claims = authorization.split('.')[1] ?? '';
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number };
  return exp * 1000;
}
