// A client that offers more than the system can do, on a thread of its own: see overload.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { Pool } from 'undici';
import type { GreedyOrder, GreedyResult } from './greedy.js';

const { url, token, query, perSecond, seconds, mostOpen } = workerData as GreedyOrder;
const { origin, pathname } = new URL(url);
const pool = new Pool(origin, { connections: 256, pipelining: 1 });
const body = JSON.stringify({ query });
const headers = {
  'content-type': 'application/json',
  accept: 'application/json',
  authorization: `Bearer ${token}`,
};

const result: GreedyResult = { offered: 0, answered: 0, refused: 0, failed: 0 };
let open = 0;

async function ask(): Promise<void> {
  open++;
  result.offered++;
  try {
    const answer = await pool.request({ path: pathname, method: 'POST', headers, body });
    const text = await answer.body.text();
    if (text.startsWith('{"data"')) result.answered++;
    else result.refused++;
  } catch {
    result.failed++;
  } finally {
    open--;
  }
}

const stepMs = 10;
const started = performance.now();
let due = 0;
const timer = setInterval(() => {
  const elapsed = (performance.now() - started) / 1000;
  if (elapsed >= seconds) {
    clearInterval(timer);
    parentPort?.postMessage(result);
    void pool.destroy();
    return;
  }
  // What a client cannot send because its connections are busy is offered all the same: it waits outside.
  for (; due < elapsed * perSecond; due++) {
    if (open < mostOpen) void ask();
    else result.offered++;
  }
}, stepMs);
