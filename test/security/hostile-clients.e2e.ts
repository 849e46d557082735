// One client, with or without a token, sends what once stopped the gateway and cost workers their leases.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';
import { type SpokenWorker, speakAsWorker } from '../e2e/system/pilots.js';
import { type PlaygroundSystem, startPlayground } from '../e2e/system/playground-system.js';

const bomb = (prefix: string): string => prefix + '['.repeat(90 * 1024 * 1024);
const deadline = { deadlineMs: 120_000 };
let system: PlaygroundSystem;
let worker: SpokenWorker;
let brokerEpoch: () => Promise<number | undefined>;

beforeAll(async () => {
  system = await startPlayground();
  const { data, identities, file } = system;
  worker = await speakAsWorker({ url: file.url, data, identities }, { name: 'spoken' });
  const uri = (await readFile(join(data, 'mongo', 'uri'), 'utf8')).trim();
  const mongo = leftovers.use(await connectMongo({ uri, appName: 'hostile-clients' }));
  const leases = mongo.db('core').collection<{ _id: string; epoch: number }>('brokerLease');
  brokerEpoch = async () => (await leases.findOne({ _id: 'broker' }))?.epoch;
});

/** Runs an attack while a worker reports; answers the number of reports that were answered meanwhile. */
async function reportsDuring(attack: () => Promise<unknown>): Promise<number> {
  let isOver = false;
  let reports = 0;
  const reporting = (async () => {
    while (!isOver) {
      await worker.heartbeat([]);
      reports++;
    }
  })();
  await attack();
  const during = reports;
  isOver = true;
  await reporting;
  return during;
}

async function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(system.file.wsUrl, 'graphql-transport-ws');
  socket.on('error', () => undefined);
  await waitFor('an open socket', once(socket, 'open'), deadline);
  return socket;
}

describe('a hostile client', () => {
  it('cannot stop the reports of workers by a message before its token', async () => {
    let code = 0;
    const reports = await reportsDuring(async () => {
      const socket = await openSocket();
      const closed = once(socket, 'close') as Promise<[number]>;
      socket.send(bomb('{"type":"connection_init","payload":{"a":'), () => undefined);
      [code] = await waitFor('the close of the socket', closed, deadline);
    });
    expect(code).toBe(1009);
    expect(reports).toBeGreaterThan(0);
  });

  it('cannot stop them by a body with the token of a reader', async () => {
    let status = 0;
    const reports = await reportsDuring(async () => {
      const headers = {
        'content-type': 'application/json',
        authorization: `Bearer ${system.file.readerToken}`,
      };
      const body = bomb('{"query":"{ __typename }","variables":{"a":');
      status = (await fetch(system.file.url, { method: 'POST', headers, body })).status;
    });
    expect(status).toBe(413);
    expect(reports).toBeGreaterThan(0);
  });

  it('cannot take the lease of the broker by thousands of different subscriptions', async () => {
    const epoch = await brokerEpoch();
    const reports = await reportsDuring(async () => {
      const socket = await openSocket();
      const authorization = `Bearer ${system.file.token}`;
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
      await once(socket, 'message');
      let answered = 0;
      const all = new Promise<void>((resolve) => {
        socket.on('message', () => {
          if (++answered >= 2000) resolve();
        });
      });
      for (let at = 0; at < 2000; at++) {
        const filter = `{ labels: [{ key: "attack", value: "${at}" }] }`;
        const query = `subscription { jobStateChanged(filter: ${filter}) { cursor } }`;
        socket.send(JSON.stringify({ id: String(at), type: 'subscribe', payload: { query } }));
      }
      await waitFor('an answer to each subscription', all, deadline);
      socket.terminate();
    });
    // Far more reports than rounds of a system that serves one client after the other.
    expect(reports).toBeGreaterThan(5);
    expect(await brokerEpoch()).toBe(epoch);
  });
});
