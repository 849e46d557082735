/** A subgraph's schema that is published again and again, as a test in two sizes. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { treeOf } from '../system/processes.js';
import {
  floraSdl,
  type GatewayProcess,
  publish,
  type PublishSystem,
  startPublishSystem,
} from './publish-system.js';

/** Size of the story. */
export interface PublishStory {
  /** Number of versions that are published. */
  readonly versions: number;
  /** Versions after which heaps are measured; the last one is the last. */
  readonly measuredAt: readonly number[];
}

const subscriptionsAGateway = 60;
const socketsAGateway = 6;
/** A published version is live in every gateway within this. */
const liveWithinMs = 2_000;

const query = '{ items { id name flora { colour } } }';
const expected = JSON.stringify({
  items: ['a', 'b', 'c'].map((id) => ({ id, name: `plant ${id}`, flora: { colour: `colour of ${id}` } })),
});

/** Asks again and again; remembers what went wrong. */
class Load {
  readonly failures: string[] = [];
  answers = 0;
  #isOver = false;
  readonly #running: Promise<unknown>;

  constructor(gateways: readonly GatewayProcess[]) {
    this.#running = Promise.all(gateways.flatMap((gateway) => [this.#run(gateway), this.#run(gateway)]));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(gateway: GatewayProcess): Promise<void> {
    const api = gateway.api();
    while (!this.#isOver) {
      try {
        const { status, data, errors } = await api.post(query);
        if (status !== 200 || errors || JSON.stringify(data) !== expected)
          this.failures.push(`${gateway.process.name}: ${status} ${JSON.stringify({ data, errors })}`);
        this.answers++;
      } catch (error) {
        this.failures.push(`${gateway.process.name}: ${String(error)} ${String((error as Error).cause)}`);
      }
      await delay(20);
    }
  }
}

/** Subscriptions on one gateway, each with the numbers of the events that it got. */
class Listeners {
  readonly seen: number[][] = [];
  readonly ends: string[] = [];
  #opened = 0;

  constructor(gateway: GatewayProcess, token: string) {
    for (let socket = 0; socket < socketsAGateway; socket++) {
      const client = createClient({
        url: gateway.wsUrl,
        webSocketImpl: WebSocket,
        connectionParams: { authorization: `Bearer ${token}` },
        retryAttempts: 0,
      });
      leftovers.defer('a client', () => client.dispose());
      for (let one = 0; one < subscriptionsAGateway / socketsAGateway; one++) this.#listen(client, one);
    }
  }

  get opened(): number {
    return this.#opened;
  }

  /** Half of them share one stream, the others have different documents. */
  #listen(client: ReturnType<typeof createClient>, one: number): void {
    const name = one % 2 === 0 ? 'Shared' : `Own${one}`;
    const numbers: number[] = [];
    this.seen.push(numbers);
    client.subscribe<{ itemChanged: { item: { id: string; flora: { colour: string } | null } | null } }>(
      {
        query: `subscription ${name} { itemChanged { cursor item { id flora { colour } ${one % 2 ? `own${one}: id` : ''} } } }`,
      },
      {
        next: ({ data, errors }) => {
          if (errors) this.ends.push(JSON.stringify(errors));
          const item = data?.itemChanged.item;
          if (!item) this.#opened++;
          else if (item.flora?.colour === `colour of ${item.id}`) numbers.push(Number(item.id));
          else this.ends.push(`event ${item.id} without its colour`);
        },
        error: (error) => this.ends.push(`error ${JSON.stringify(error)}`),
        complete: () => this.ends.push('complete'),
      },
    );
  }
}

/**
 * Publishes a version at one gateway and waits until both answer with it; milliseconds until the later one
 * did.
 */
async function publishVersion(system: PublishSystem, version: number, token: string): Promise<number> {
  system.flora.serve(floraSdl(version));
  const publisher = system.gateways[version % 2] as GatewayProcess;
  const { userErrors } = await publish(publisher.api(token), 'flora', {
    isBreakingAccepted: true,
    note: `bloom ${version}`,
  });
  const published = performance.now();
  expect(userErrors).toEqual([]);
  const answers = `{ items { flora { bloom${version} } } }`;
  for (const gateway of system.gateways) {
    await waitFor(
      `version ${version} in ${gateway.process.name}`,
      async () => {
        const { data } = await gateway.api().post<{ items: { flora: Record<string, number> }[] }>(answers);
        return data?.items[0]?.flora[`bloom${version}`] === version;
      },
      { deadlineMs: liveWithinMs },
    );
  }
  return performance.now() - published;
}

/** Growth of a gateway's heap for each version that is smaller than a graph that is kept, in MiB. */
const growthOfVersionMiB = 0.375;

/** Publishes a subgraph's schema again and again while clients query and watch. */
async function publishStory({ versions, measuredAt }: PublishStory): Promise<void> {
  const system = await startPublishSystem();
  const token = await system.tokens.service('flora');
  const load = new Load(system.gateways);
  leftovers.defer('the load', () => load.stop());
  const listeners = system.gateways.map((gateway) => new Listeners(gateway, system.adminToken));
  const all = subscriptionsAGateway * system.gateways.length;
  const open = () => listeners.reduce((sum, { opened }) => sum + opened, 0);
  const ended = () => listeners.flatMap(({ ends }) => ends);
  await waitFor(`${all} subscriptions`, () => open() === all || ended().length > 0, {
    deadlineMs: 20_000,
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; ${open()} are open`);
  });
  expect(ended()).toEqual([]);
  const ticking = setInterval(() => system.events.append(), 50);
  leftovers.defer('the events', () => clearInterval(ticking));

  const times: number[] = [];
  const heaps: number[][] = [];
  for (let version = 1; version <= versions; version++) {
    times.push(await publishVersion(system, version, token));
    if (measuredAt.includes(version)) {
      heaps.push(
        await Promise.all(system.gateways.map(async (gateway) => (await gateway.heapInUse()) / 2 ** 20)),
      );
    }
  }
  clearInterval(ticking);
  await load.stop();
  const last = system.events.last;
  const isThere = () => listeners.every(({ seen }) => seen.every((numbers) => numbers.at(-1) === last));
  await waitFor('the last event everywhere', isThere, { deadlineMs: 5_000 });

  report({ times, heaps, answers: load.answers, events: last }, { versions, measuredAt });
  expect(load.failures).toEqual([]);
  expect(load.answers).toBeGreaterThan(versions);
  const whole = Array.from({ length: last }, (_, index) => index + 1);
  for (const { seen, ends } of listeners) {
    expect(ends).toEqual([]);
    for (const numbers of seen) expect(numbers).toEqual(whole);
  }
  // Streams fill their rings first; memory that grows after that would grow without limit.
  const growth = (heaps.at(-1) ?? []).map((mib, gateway) => mib - (heaps[0]?.[gateway] ?? 0));
  const limitMiB = growthOfVersionMiB * (versions - (measuredAt[0] ?? 0));
  for (const grown of growth) expect(grown).toBeLessThan(limitMiB);
  // Each engine has a planner in a process of its own: only that of the last one is left.
  for (const { process: own } of system.gateways) {
    await waitFor('the end of former planners', () => treeOf(own.pid).length === 2, { deadlineMs: 5_000 });
  }
}

interface Measured {
  /** Milliseconds until each version was live in all gateways. */
  readonly times: readonly number[];
  /** Heaps of the gateways in MiB, at each version at which they are measured. */
  readonly heaps: readonly (readonly number[])[];
  readonly answers: number;
  /** Number of events of each subscription. */
  readonly events: number;
}

function report({ times, heaps, answers, events }: Measured, { versions, measuredAt }: PublishStory): void {
  const values = heaps.map((one) => one.map((mib) => mib.toFixed(1)).join(' and ')).join(', ');
  process.stdout.write(
    `measured: ${versions} versions, live in both gateways within ${Math.round(Math.max(...times))} ms at most; ` +
      `${answers} answers, ${events} events for each subscription; ` +
      `heaps at versions ${measuredAt.join(', ')}: ${values} MiB\n`,
  );
}

/** Declares the story as a test, in the size of `npm test` or of `npm run soak`. */
export function publishTest(story: PublishStory): void {
  jest.setTimeout(1_800_000);

  describe('publishing a schema repeatedly under load', () => {
    it(`fails no request, loses or repeats no event and releases memory over ${story.versions} versions`, () =>
      publishStory(story));
  });
}
