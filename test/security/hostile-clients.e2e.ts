// One client, with or without a token, sends what once stopped the gateway and cost workers their leases. A
// real pilot runs a job meanwhile, and a worker reports without a pause.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { connectMongo } from '@rhizome/mongo';
import { leftovers, type TestProcess, waitFor } from '@rhizome/testkit';
import { WebSocket } from 'ws';
import { createGate, type Gate } from '../e2e/system/gated-payload.js';
import { type JobWatch, watchJobs } from '../e2e/system/job-watch.js';
import { jobOf, submit } from '../e2e/system/jobs.js';
import { type SpokenWorker, speakAsWorker, startPilot } from '../e2e/system/pilots.js';
import { type PlaygroundSystem, startPlayground } from '../e2e/system/playground-system.js';
import { frame } from './attack/socket.js';

const bomb = Buffer.alloc(90 * 1024 * 1024, '[');
const messageBomb = Buffer.concat([Buffer.from('{"type":"connection_init","payload":{"a":'), bomb]);
const bodyBomb = Buffer.concat([Buffer.from('{"query":"{ __typename }","variables":{"a":'), bomb]);
const deadline = { deadlineMs: 120_000 };
let system: PlaygroundSystem;
let worker: SpokenWorker;
let pilot: TestProcess;
let watch: JobWatch;
let gate: Gate;
let jobId: string;
let brokerEpoch: () => Promise<number | undefined>;

beforeAll(async () => {
  system = await startPlayground();
  const { data } = system;
  watch = await watchJobs(system.client());
  pilot = await startPilot(system, { name: 'pilot', cores: 1 });
  gate = createGate(data);
  [jobId = ''] = await submit(system.api(), [{ shell: gate.wait }]);
  await watch.untilState(jobId, 'RUNNING', 60_000);
  worker = await speakAsWorker(system, { name: 'spoken' });
  const uri = (await readFile(join(data, 'mongo', 'uri'), 'utf8')).trim();
  const mongo = leftovers.use(await connectMongo({ uri, appName: 'hostile-clients' }));
  const leases = mongo.db('core').collection<{ _id: string; epoch: number }>('brokerLease');
  brokerEpoch = async () => (await leases.findOne({ _id: 'broker' }))?.epoch;
});

/** Reports of a worker while an attack goes on. */
interface Reports {
  readonly answered: number;
  /** Texts of the reports that failed. */
  readonly failed: readonly string[];
}

/** Attacks again and again until this many reports were answered. @param report sends one report */
async function reportsDuring(
  wanted: number,
  attack: () => Promise<unknown>,
  report = async (): Promise<unknown> => worker.heartbeat([]),
): Promise<Reports> {
  const failed: string[] = [];
  let answered = 0;
  let isOver = false;
  const attacking = (async () => {
    while (!isOver) await attack();
  })().finally(() => (isOver = true));
  while (answered < wanted && !isOver)
    await report().then(
      () => answered++,
      (error: unknown) => failed.push(String(error)),
    );
  isOver = true;
  await attacking;
  return { answered, failed };
}

/** The pilot still holds its job by the lease that it had before. */
async function expectLeaseKept(): Promise<void> {
  const log = pilot.lines.filter((line) =>
    /contact with core lost|worker lost|heartbeat not answered/.test(line),
  );
  expect(log).toEqual([]);
  expect(await jobOf(system.api(), jobId)).toMatchObject({ state: 'RUNNING', attempt: 1 });
}

/** Status of a request with this body by a reader. */
async function statusOf(body: Buffer): Promise<number | 'closed' | undefined> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${system.file.readerToken}` };
  const sent = request(system.file.url, { method: 'POST', headers, agent: false });
  const answered = once(sent, 'response').then(
    ([response]) => {
      (response as IncomingMessage).on('error', () => undefined).resume();
      return (response as IncomingMessage).statusCode;
    },
    () => 'closed' as const,
  );
  sent.end(body);
  const status = await waitFor('an answer to the body', answered, deadline);
  sent.on('error', () => undefined).destroy();
  return status;
}

/** Status of the answer to a body of which only the beginning is ever sent. */
async function statusOfBeginning(): Promise<number | undefined> {
  const headers = {
    'content-type': 'application/json',
    'content-length': String(bodyBomb.length),
    authorization: `Bearer ${system.file.readerToken}`,
  };
  const sent = request(system.file.url, { method: 'POST', headers, agent: false });
  sent.on('error', () => undefined).write(bodyBomb.subarray(0, 1000));
  const [response] = (await waitFor('an answer', once(sent, 'response'), deadline)) as [IncomingMessage];
  sent.destroy();
  return response.statusCode;
}

/** Close code for a message of which only the beginning is ever sent. */
async function closeCodeOfBeginning(): Promise<number> {
  const { url } = system.file;
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
    'sec-websocket-protocol': 'graphql-transport-ws',
  };
  const opening = request(url, { headers, agent: false }).end();
  const [, socket] = (await waitFor('an open socket', once(opening, 'upgrade'), deadline)) as [
    IncomingMessage,
    Socket,
  ];
  socket.on('error', () => undefined);
  socket.write(frame(messageBomb.subarray(0, 1000), { length: messageBomb.length }));
  const [closing] = (await waitFor('a close of the socket', once(socket, 'data'), deadline)) as [Buffer];
  socket.destroy();
  // The frame of a close: its kind, its length, and the code.
  expect(closing[0]).toBe(0x88);
  return closing.readUInt16BE(2);
}

async function openSocket(): Promise<WebSocket> {
  const socket = new WebSocket(system.file.wsUrl, 'graphql-transport-ws');
  socket.on('error', () => undefined);
  await waitFor('an open socket', once(socket, 'open'), deadline);
  return socket;
}

describe('a hostile client', () => {
  it('is refused by the announced size of a message or body, before it has sent it', async () => {
    expect(await closeCodeOfBeginning()).toBe(1009);
    expect(await statusOfBeginning()).toBe(413);
  });

  it('cannot stop the reports of workers by a message before its token', async () => {
    const codes = new Set<number>();
    const { answered, failed } = await reportsDuring(20, async () => {
      const socket = await openSocket();
      const closed = once(socket, 'close') as Promise<[number]>;
      socket.send(messageBomb, { binary: false }, () => undefined);
      codes.add((await waitFor('the close of the socket', closed, deadline))[0]);
    });
    expect({ answered, failed, codes: [...codes] }).toEqual({ answered: 20, failed: [], codes: [1009] });
    await expectLeaseKept();
  });

  it('cannot stop them by a body with the token of a reader', async () => {
    const statuses = new Set<number | 'closed' | undefined>();
    const { answered, failed } = await reportsDuring(20, async () => {
      statuses.add(await statusOf(bodyBomb));
    });
    expect({ answered, failed }).toEqual({ answered: 20, failed: [] });
    // The gateway may close the connection before the client reads why; later bodies exceed the rate.
    expect([413, 429, 'closed']).toEqual(expect.arrayContaining([...statuses]));
    await expectLeaseKept();
  });

  it('cannot take the lease of the broker by thousands of different subscriptions', async () => {
    const epoch = await brokerEpoch();
    const count = 2000;
    /** Replies that one attack waits for; 0 between two attacks. */
    let outstanding = 0;
    let replies = 0;
    const attack = async () => {
      const socket = await openSocket();
      const authorization = `Bearer ${system.file.token}`;
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
      await once(socket, 'message');
      const all = new Promise<void>((resolve) => {
        socket.on('message', () => {
          replies++;
          if (outstanding > 0 && --outstanding === 0) resolve();
        });
        // The gateway may also close the socket of such a client.
        socket.on('close', () => resolve());
      });
      for (let at = 0; at < count; at++) {
        const filter = `{ labels: [{ key: "attack", value: "${at}" }] }`;
        const query = `subscription { jobStateChanged(filter: ${filter}) { cursor } }`;
        socket.send(JSON.stringify({ id: String(at), type: 'subscribe', payload: { query } }));
      }
      outstanding = count;
      await waitFor('an answer to each subscription, or the end of the socket', all, deadline);
      outstanding = 0;
      socket.terminate();
    };
    /** Replies that came before the answer to a report, for reports in the first half of an attack. */
    const repliesBefore: number[] = [];
    const report = async () => {
      await waitFor('subscriptions without a reply', () => outstanding > 0, deadline);
      const [isInFirstHalf, sentAfter] = [outstanding > count / 2, replies];
      await worker.heartbeat([]);
      if (isInFirstHalf) repliesBefore.push(replies - sentAfter);
    };
    expect(await reportsDuring(20, attack, report)).toEqual({ answered: 20, failed: [] });
    // A report waits for a few of the subscriptions, not for all of them.
    expect(Math.min(...repliesBefore)).toBeLessThan(count / 2);
    expect(await brokerEpoch()).toBe(epoch);
    await expectLeaseKept();
  });

  it('leaves the job that ran meanwhile to its pilot', async () => {
    gate.open();
    await watch.untilState(jobId, 'FINISHED', 60_000);
    expect(await jobOf(system.api(), jobId)).toMatchObject({
      attempt: 1,
      attempts: [{ outcome: 'FINISHED' }],
    });
  });

  it.each([
    'http://169.254.169.254/latest',
    'http://10.0.0.1/graphql',
    'http://[fd00:ec2::254]/latest',
    'http://192.168.0.1/graphql',
  ])('cannot make the playground call an address inside its network: %s', async (endpoint) => {
    const text =
      'mutation ($input: RegisterSubgraphInput!) { registerSubgraph(input: $input) { userErrors { code } } }';
    const input = { name: 'rubin', endpoint, typePrefix: 'Rubin' };
    // After the attacks, the gateway may still reject the calls of people.
    const answer = await waitFor(
      'an answer of a gateway that is no longer overloaded',
      async () => {
        const { data, errors } = await system.api().post(text, { input });
        return errors?.[0]?.extensions.code !== 'SERVICE_UNAVAILABLE' && { data, errors };
      },
      deadline,
    );
    expect(answer.data).toEqual({ registerSubgraph: { userErrors: [{ code: 'INVALID_VALUE' }] } });
  });
});
