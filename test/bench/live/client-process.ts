/** Many subscribers over many sockets, as thin as it goes: it parses what comes, and notes when. */
import WebSocket from 'ws';
import { answerQuestions } from './processes.js';

/** Subscriptions to open in addition to the open ones. */
export interface OpenQuestion {
  readonly wsUrl: string;
  readonly token: string;
  readonly sockets: number;
  /** The filter of each subscriber. */
  readonly filters: readonly object[];
}

/** Messages since the last report. */
export interface ClientReport {
  readonly messages: number;
  /** Places where the revisions of a job did not follow each other. */
  readonly faults: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly longest: number;
  /** The first refusal that came, if one did. */
  readonly failure: string | null;
}

const text =
  'subscription Live($filter: JobFilter) { jobStateChanged(filter: $filter) { cursor event { at state revision job { id } } } }';
const longestMs = 120_000;
const patienceMs = 30_000;

interface Message {
  readonly id?: string;
  readonly type: string;
  readonly payload?: {
    readonly data?: {
      readonly jobStateChanged: {
        readonly event: {
          readonly at: string;
          readonly revision: number;
          readonly job: { readonly id: string };
        } | null;
      };
    };
  };
}

const sockets: WebSocket[] = [];
/** For each subscriber the latest revision of each job. */
const seen: Map<string, number>[] = [];
let latencies = new Uint32Array(longestMs);
let [messages, faults, longest, opened] = [0, 0, 0, 0];
let failure: string | undefined;

function take(data: Buffer): void {
  const { id, type, payload } = JSON.parse(data.toString()) as Message;
  if (type === 'error') failure ??= data.toString().slice(0, 300);
  if (type !== 'next') return;
  const message = payload?.data?.jobStateChanged;
  if (!message) {
    // It was ended or refused: messages that it does not receive count as lost.
    failure ??= data.toString().slice(0, 300);
    return;
  }
  const change = message.event;
  if (!change) {
    opened += 1;
    return;
  }
  const ms = Math.min(longestMs - 1, Math.max(0, Date.now() - Date.parse(change.at)));
  latencies[ms] = (latencies[ms] ?? 0) + 1;
  longest = Math.max(longest, ms);
  messages += 1;
  const revisions = seen[Number(id)];
  const before = revisions?.get(change.job.id);
  if (before !== undefined && before + 1 !== change.revision) faults += 1;
  revisions?.set(change.job.id, change.revision);
}

async function connect(wsUrl: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(wsUrl, 'graphql-transport-ws', { perMessageDeflate: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => {
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    });
    socket.once('message', () => resolve());
  });
  socket.on('message', (data: Buffer) => {
    if (data.length < 40 && data.toString().includes('"ping"')) socket.send('{"type":"pong"}');
    else take(data);
  });
  return socket;
}

/** Opens subscribers; resolves when each has its opening message. */
async function open({ wsUrl, token, sockets: wanted, filters }: OpenQuestion): Promise<number> {
  while (sockets.length < wanted) sockets.push(await connect(wsUrl, token));
  const first = seen.length;
  for (const [at, filter] of filters.entries()) {
    seen.push(new Map());
    const id = String(first + at);
    const payload = { query: text, variables: { filter } };
    sockets[(first + at) % sockets.length]?.send(JSON.stringify({ id, type: 'subscribe', payload }));
    // A limited number at once, so that the server gets a turn in between.
    if (at % 100 === 99) await until(() => opened >= first + at - 400);
  }
  await until(() => opened >= first + filters.length);
  return opened;
}

/** Ends all subscribers and sockets. */
async function close(): Promise<void> {
  const ended = sockets.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  for (const socket of sockets) socket.close();
  await Promise.all(ended);
  sockets.length = 0;
  seen.length = 0;
  opened = 0;
}

/**
 * Resolves when this number of messages has arrived since the last report, when none arrived for two seconds,
 * or after half a minute.
 */
async function report({ expected }: { readonly expected: number }): Promise<ClientReport> {
  const until = performance.now() + patienceMs;
  for (let before = -1; messages < expected && messages !== before && performance.now() < until;) {
    before = messages;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  const found = {
    messages,
    faults,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    longest,
    failure: failure ?? null,
  };
  latencies = new Uint32Array(longestMs);
  [messages, faults, longest] = [0, 0, 0];
  return found;
}

function at(part: number): number {
  let left = part * messages;
  for (let ms = 0; ms < longestMs; ms++) {
    left -= latencies[ms] ?? 0;
    if (left <= 0) return ms;
  }
  return longestMs;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

answerQuestions({ open, close, report, count: () => messages });
