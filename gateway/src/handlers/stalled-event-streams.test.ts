import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { EventReader } from '../testing/event-reader.js';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';

const changes = 'subscription { itemChanged { cursor item { id } } }';
const events = 5000;
const portion = 20;
/** Together more than the buffers of the kernel hold for both ends of a connection. */
const filler = 'x'.repeat(4000);

let system: TestSystem;
const opened: { drop(): void }[] = [];

afterEach(async () => {
  for (const client of opened.splice(0)) client.drop();
  await waitFor('the end of all upstreams', () => system.log.open === 0, { deadlineMs: 2000 });
  await system.served.close();
});

/** A connection that has asked for the stream and reads no more of it than its beginning; and all that it has read. */
async function stalledStream(): Promise<{ readonly socket: Socket; text(): string }> {
  const { hostname, port } = new URL(system.served.url);
  const { authorization = '' } = await system.bearer();
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  opened.push({ drop: () => socket.destroy() });
  socket.write(
    `GET /graphql?query=${encodeURIComponent(changes)} HTTP/1.1\r\nhost: ${hostname}:${port}\r\naccept: text/event-stream\r\nauthorization: ${authorization}\r\n\r\n`,
  );
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  while (!text.includes('id: ')) await once(socket, 'data');
  socket.pause();
  return { socket, text: () => text };
}

async function quickStream(): Promise<EventReader> {
  const reader = await EventReader.post(system.served.url, changes, await system.bearer());
  opened.push({ drop: () => reader.leave() });
  await reader.event();
  return reader;
}

/** Lets events flow, which somebody reads. @returns their cursors */
async function flow(quick: EventReader): Promise<string[]> {
  const sent: string[] = [];
  for (let at = 0; at < events; at += portion) {
    const cursors = Array.from({ length: portion }, (_, more) => system.log.append(`${at + more} ${filler}`));
    for (const cursor of cursors) expect(await quick.event()).toContain(`id: ${cursor}\n`);
    sent.push(...cursors);
  }
  return sent;
}

describe('an event stream whose client does not read', () => {
  test('is ended with the cursor to go on from, once its client has fallen off the buffer; others miss nothing', async () => {
    system = await startTestSystem({ limits: { bufferedEvents: 100, keepAliveMs: 60_000 } });
    const [stalled, quick] = [await stalledStream(), await quickStream()];
    const sent = await flow(quick);
    stalled.socket.resume();
    await waitFor('the end of the stream', () => stalled.text().includes('event: complete'), {
      deadlineMs: 5000,
    });
    const [, ...told] = [...stalled.text().matchAll(/^id: (\S+)$/gm)].map(([, cursor]) => cursor);
    expect(told).toEqual(sent.slice(0, told.length));
    expect(told.length).toBeLessThan(sent.length);
    const last = stalled.text().slice(stalled.text().lastIndexOf('event: next'));
    expect(last).toContain('"code":"SUBSCRIPTION_LAGGED"');
    expect(last).toContain(`"cursor":"${told.at(-1) ?? ''}"`);
  });

  test('is cut when nothing was read for several pulses; others miss nothing', async () => {
    system = await startTestSystem({ limits: { bufferedEvents: 100, keepAliveMs: 100 } });
    await stalledStream();
    await flow(await quickStream());
    await waitFor('the connection to be cut', async () => (await openStreams()) === 1, { deadlineMs: 3000 });
  });
});

/** Streams that are open for clients. */
async function openStreams(): Promise<number | undefined> {
  const metric = await system.gateway.metrics.registry.getSingleMetric('rhizome_gateway_streams')?.get();
  return metric?.values[0]?.value;
}
