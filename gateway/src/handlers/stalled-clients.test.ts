import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';
import { RawSocket } from '../testing/raw-socket.js';

/** Bytes that a socket may buffer before its streams wait, see `ws-sockets.ts`. */
const highWaterBytes = 128 * 1024;
const bufferedEvents = 100;
const events = 5000;
const portion = 20;
/** Together more than the kernel buffers for both ends of a connection. */
const filler = 'x'.repeat(4000);
/** One event as a message. */
const messageBytes = filler.length + 200;
const streamsOfStalled = 20;

const texts = {
  'that nothing is fetched for': 'subscription { itemChanged { cursor item { id } } }',
  'that another service adds to': 'subscription { itemChanged { cursor item { id label } } }',
};

let system: TestSystem;
const opened: RawSocket[] = [];

beforeAll(async () => {
  system = await startTestSystem({ limits: { bufferedEvents } });
});

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.drop();
  await waitFor('the end of all upstreams', () => system.log.open === 0, { deadlineMs: 2000 });
});

afterAll(() => system.served.close());

async function follow(text: string, streams: number): Promise<RawSocket> {
  const socket = await RawSocket.ready(system.served.wsUrl, await system.bearer());
  opened.push(socket);
  for (let id = 0; id < streams; id++) {
    socket.subscribe(String(id), text);
    await socket.next('next', String(id));
  }
  return socket;
}

async function bufferedBytes(): Promise<number> {
  const metric = await system.gateway.metrics.registry
    .getSingleMetric('rhizome_gateway_socket_buffered_bytes')
    ?.get();
  return metric?.values[0]?.value ?? Number.NaN;
}

function cursorOf({ payload }: { readonly payload?: unknown }): string {
  return (payload as { data: { itemChanged: { cursor: string } } }).data.itemChanged.cursor;
}

describe.each(Object.entries(texts))(
  'a client that stops reading while thousands of events flow %s',
  (_what, text) => {
    it('costs bounded memory and delays no other client', async () => {
      const [stalled, quick] = [await follow(text, streamsOfStalled), await follow(text, 1)];
      stalled.stall();
      let most = 0;
      const [sent, seen]: [string[], string[]] = [[], []];
      for (let at = 0; at < events; at += portion) {
        for (let more = 0; more < portion; more++) sent.push(system.log.append(`${at + more} ${filler}`));
        for (let more = 0; more < portion; more++) seen.push(cursorOf(await quick.next('next')));
        most = Math.max(most, await bufferedBytes());
      }
      // Each of its streams may have a message in progress when the socket is full, and the other client a
      // portion of them.
      expect(most).toBeLessThanOrEqual(highWaterBytes + (streamsOfStalled + portion) * messageBytes);
      // The network took a part before: it must have been full, or the test shows nothing.
      expect(most).toBeGreaterThan(highWaterBytes - messageBytes);
      expect(seen).toEqual(sent);
      stalled.resume();
      for (let id = 0; id < streamsOfStalled; id++) {
        const { payload } = await stalled.next('error', String(id));
        const [{ extensions }] = payload as [{ extensions: { code: string; cursor: string } }];
        const received = stalled.messages.filter(
          (message) => message.type === 'next' && message.id === String(id),
        );
        const cursors = received.map(cursorOf);
        expect(cursors).toEqual(sent.slice(0, cursors.length));
        expect(extensions).toMatchObject({ code: 'SUBSCRIPTION_LAGGED', cursor: cursors.at(-1) });
      }
      expect(await bufferedBytes()).toBeLessThanOrEqual(messageBytes);
    });
  },
);
