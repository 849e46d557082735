import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@rhizome/testkit';
import { buildSchema, parse } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { SubgraphRequest, Transport } from '@rhizome/federation';
import { type GuardFacts, Guards, overNetwork } from './index.js';

// The circuit breaker of a subgraph's subscriptions, before a real server of graphql-ws that comes and goes.

const schema = buildSchema('type Query { a: Int } type Subscription { count: Int idle: Int }');
const fields = schema.getSubscriptionType()?.getFields();
if (fields?.['count'] && fields['idle']) {
  fields['count'].subscribe = async function* () {
    yield { count: 1 };
  };
  fields['idle'].subscribe = async function* () {
    await new Promise(() => undefined);
    yield { idle: 1 };
  };
}

class Service {
  readonly #sockets: WebSocket[] = [];
  #server: WebSocketServer | undefined;
  port = 0;
  /** Number of connections so far. */
  connections = 0;

  async start(): Promise<void> {
    this.#server = new WebSocketServer({ port: this.port, host: '127.0.0.1', path: '/graphql' });
    this.#server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.push(socket);
    });
    useServer({ schema }, this.#server);
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.terminate();
    await new Promise((resolve) => (this.#server ? this.#server.close(resolve) : resolve(undefined)));
    this.#server = undefined;
  }
}

const service = new Service();
let guards: Guards;
let transport: Transport;
let scopes = 0;

async function open(): Promise<void> {
  await service.start();
  guards = new Guards(
    () => ({ concurrency: undefined }),
    () => new Date(),
  );
  transport = guards
    .of('alpha')
    .around(overNetwork('alpha', { url: `http://127.0.0.1:${service.port}/graphql` }));
}

afterEach(async () => {
  await transport.close();
  await service.stop();
});

/** A subscription of a client for which the service has no socket yet. */
function subscribe(field: 'count' | 'idle'): AsyncIterator<unknown> {
  const text = `subscription { ${field} }`;
  const request: SubgraphRequest = {
    operation: { subgraph: 'alpha', kind: 'subscription', documentText: text, document: parse(text) },
    scope: `scope ${scopes++}`,
    requestId: 'r1',
  };
  return transport.subscribe(request)[Symbol.asyncIterator]();
}

const first = async (): Promise<unknown> => {
  const stream = subscribe('count');
  const { value } = await stream.next();
  await stream.return?.();
  return value;
};
const facts = (): GuardFacts | undefined => guards.facts().get('alpha');

/** Lets the service fail until its circuit opens. */
async function openCircuit(): Promise<void> {
  await service.stop();
  for (let i = 0; i < 12; i++) await first().catch(() => undefined);
  expect(facts()?.state).toBe('DOWN');
}

describe('subscriptions of a subgraph', () => {
  it('rejects subscriptions at once after repeated failures, until a later one tests the subgraph', async () => {
    await open();
    expect(await first()).toEqual({ data: { count: 1 } });
    await openCircuit();
    await service.start();
    const before = service.connections;
    await expect(first()).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/"alpha" has failed too often and is not called.*was lost/),
    });
    expect(service.connections).toBe(before);
    expect(facts()?.refusedCalls).toBeGreaterThan(0);
    await waitFor('the next connection', async () => (await first().catch(() => undefined)) !== undefined, {
      deadlineMs: 2000,
    });
    expect(facts()?.state).toBe('UP');
  });

  it('opens the circuit for queries as well, which use the same service', async () => {
    await open();
    await openCircuit();
    const text = '{ a }';
    await expect(
      transport.execute({
        operation: { subgraph: 'alpha', kind: 'query', documentText: text, document: parse(text) },
        scope: 's',
        requestId: 'r2',
      }),
    ).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('is not called'),
    });
  });

  it('counts an idle subscription once its socket is open, and one tests for all', async () => {
    await open();
    await openCircuit();
    await service.start();
    const streams: AsyncIterator<unknown>[] = [];
    await waitFor(
      'a idle stream to be let through',
      () => {
        const stream = subscribe('idle');
        streams.push(stream);
        stream.next().catch(() => undefined);
        return facts()?.state === 'UP';
      },
      { deadlineMs: 3000 },
    );
    expect(await first()).toEqual({ data: { count: 1 } });
    for (const stream of streams) await stream.return?.();
  });

  it('ends no other subscription and counts no failure when one breaks after its opening', async () => {
    await open();
    for (let i = 0; i < 12; i++) {
      const stream = subscribe('idle');
      const next = stream.next();
      await stream.return?.();
      expect(await next).toMatchObject({ done: true });
    }
    expect(facts()).toMatchObject({ state: 'UP', failedCalls: 0 });
    expect(await first()).toEqual({ data: { count: 1 } });
  });
});
