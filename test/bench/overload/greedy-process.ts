// A client that offers more than the system can do, as a process of its own: see overload.ts.
import { once } from 'node:events';
import { Pool } from 'undici';
import type { GreedyOrder, GreedyResult } from './greedy.js';

const [order] = (await once(process, 'message')) as [GreedyOrder];
const { url, token, query, perSecond, seconds, mostOpen } = order;
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
    process.send?.(result, () => process.exit(0));
    return;
  }
  // What a client cannot send because its connections are busy is offered all the same: it waits outside.
  for (; due < elapsed * perSecond; due++) {
    if (open < mostOpen) void ask();
    else result.offered++;
  }
}, stepMs);
