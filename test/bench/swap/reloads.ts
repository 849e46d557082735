/** Reloads of a large supergraph with open streams: memory, and effects on the streams. */
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { largeGraph } from './graphs.js';
import { type GatewayProcess, startGateway } from './processes.js';
import type { Heap, Memory } from './messages.types.js';

/** Result of a number of reloads. */
export interface Reloads {
  readonly supergraphBytes: number;
  /** After each reload. */
  readonly memory: readonly Memory[];
  /** Memory of the gateway once it must have settled, and at the end. */
  readonly heaps: readonly [settled: Heap, last: Heap];
  /** Events that all streams have got, and what was wrong with them in words. */
  readonly delivered: number;
  readonly faults: readonly string[];
}

/** From this reload on memory must have settled. */
export const settledAt = 20;

/** Growth of the gateway's memory from the 20th reload on, in MiB: the planners' processes counted in. */
export function growthMiB({ memory }: Reloads): number {
  const total = ({ ownMiB, plannersMiB }: Memory): number => ownMiB + plannersMiB;
  const settled = memory[settledAt - 1];
  const last = memory.at(-1);
  return settled && last ? total(last) - total(settled) : Number.NaN;
}

/** Growth of what the gateway holds on to, in MiB: without garbage, and without what its allocator keeps. */
export function heldGrowthMiB({ heaps: [settled, last] }: Reloads): number {
  return last.usedMiB + last.externalMiB - settled.usedMiB - settled.externalMiB;
}

/**
 * Reloads a supergraph of more than 150 kB while streams run; each reload is another text, and plans one
 * operation.
 */
export async function reload(count: number, streams: number): Promise<Reloads> {
  const graph = largeGraph('0');
  const gateway = await startGateway(graph.sdl);
  const listeners = new Listeners(gateway.url, streams);
  try {
    await listeners.begun();
    const memory: Memory[] = [];
    let settled: Heap | undefined;
    for (let index = 1; index <= count; index++) {
      await gateway.ask({ swap: graph.sdl.replace('Version 0.', `Version ${index}.`) });
      await planOne(gateway, graph.document(index));
      const { memory: now } = await gateway.ask({ memory: true });
      if (now) memory.push(now);
      if (index === settledAt) settled = await heapOf(gateway);
    }
    const last = await heapOf(gateway);
    await listeners.moreEvents();
    const { delivered, faults } = listeners;
    return {
      supergraphBytes: Buffer.byteLength(graph.sdl),
      memory,
      heaps: [settled ?? last, last],
      delivered,
      faults,
    };
  } finally {
    await listeners.close();
    await gateway.stop();
  }
}

async function heapOf(gateway: GatewayProcess): Promise<Heap> {
  const { heap } = await gateway.ask({ heap: true });
  if (!heap) throw new Error("the gateway's process did not report its heap");
  return heap;
}

async function planOne({ url }: GatewayProcess, query: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { errors } = (await response.json()) as { errors?: readonly { message: string }[] };
  if (errors) throw new Error(errors[0]?.message);
}

/** Streams that look at each number they get: one more than the one before. */
class Listeners {
  delivered = 0;
  readonly faults: string[] = [];
  readonly #client: ReturnType<typeof createClient>;
  readonly #last: (number | undefined)[];
  #closing = false;
  #onEvent: (() => void) | undefined;

  constructor(url: string, count: number) {
    this.#client = createClient({
      url: url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    this.#last = Array.from({ length: count }, () => undefined);
    for (let index = 0; index < count; index++) this.#listen(index);
  }

  /** Resolves when every stream has had an event. */
  begun(): Promise<void> {
    return this.#until(() => this.#last.every((last) => last !== undefined));
  }

  /** Resolves when every stream has had another event from now on. */
  moreEvents(): Promise<void> {
    const before = [...this.#last];
    return this.#until(() => this.#last.every((last, index) => last !== before[index]));
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#client.dispose();
  }

  #until(met: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onEvent = () => {
        if (this.faults.length > 0) reject(new Error(this.faults[0]));
        else if (met()) resolve();
      };
    });
  }

  #listen(index: number): void {
    const end = (what: string): void => {
      if (!this.#closing) this.#fault(`stream ${index} ended: ${what}`);
    };
    this.#client.subscribe<{ ticked: { cursor: string | null; number: number } | null }>(
      { query: 'subscription { ticked { cursor number } }' },
      {
        next: ({ data, errors }) => {
          if (errors) this.#fault(`stream ${index}: ${errors[0]?.message}`);
          else if (data?.ticked) this.#event(index, data.ticked.number);
        },
        error: (error) => end(JSON.stringify(error)),
        complete: () => end('complete'),
      },
    );
  }

  #event(index: number, number: number): void {
    const last = this.#last[index];
    this.#last[index] = number;
    this.delivered += 1;
    if (last !== undefined && number !== last + 1) this.#fault(`stream ${index}: ${number} after ${last}`);
    this.#onEvent?.();
  }

  #fault(text: string): void {
    this.faults.push(text);
    this.#onEvent?.();
  }
}
