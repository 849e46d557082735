import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { EventReader } from '../testing/event-reader.js';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';

const changes = 'subscription { itemChanged { cursor item { id } } }';
const events = 5000;
const portion = 20;
/** Together more than the kernel buffers for both ends of a connection. */
const filler = 'x'.repeat(4000);

let system: TestSystem;
const opened: { drop(): void }[] = [];

afterEach(async () => {
  for (const client of opened.splice(0)) client.drop();
  await waitFor('the end of all upstreams', () => system.log.open === 0, { deadlineMs: 2000 });
  await system.served.close();
});

/** A connection that requests the stream and reads only its beginning, with everything that it has read. */
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

/** Appends events while another client reads them. @returns their cursors */
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
  it('ends with the cursor to continue from once its client has fallen off the buffer; others miss nothing', async () => {
    system = await startTestSystem({ limits: { bufferedEvents: 100, keepAliveMs: 60_000 } });
    const [stalled, quick] = [await stalledStream(), await quickStream()];
    const sent = await flow(quick);
    stalled.socket.resume();
    await waitFor('the end of the stream', () => stalled.text().includes('event: complete'), {
      deadlineMs: 5000,
    });
    const [, ...received] = [...stalled.text().matchAll(/^id: (\S+)$/gm)].map(([, cursor]) => cursor);
    expect(received).toEqual(sent.slice(0, received.length));
    expect(received.length).toBeLessThan(sent.length);
    const last = stalled.text().slice(stalled.text().lastIndexOf('event: next'));
    expect(last).toContain('"code":"SUBSCRIPTION_LAGGED"');
    expect(last).toContain(`"cursor":"${received.at(-1) ?? ''}"`);
  });

  it('is cut after several unread keep-alive comments; others miss nothing', async () => {
    system = await startTestSystem({ limits: { bufferedEvents: 100, keepAliveMs: 100 } });
    await stalledStream();
    await flow(await quickStream());
    await waitFor('the connection to be cut', async () => (await openStreams()) === 1, { deadlineMs: 3000 });
  });
});

/** Number of open client streams. */
async function openStreams(): Promise<number | undefined> {
  const metric = await system.gateway.metrics.registry.getSingleMetric('rhizome_gateway_streams')?.get();
  return metric?.values[0]?.value;
}
