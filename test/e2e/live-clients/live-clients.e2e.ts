// Clients that others have written miss nothing when they come back with their cursor, whatever was replaced
// meanwhile.
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, type Gateway, overNetwork, type ServedGateway, serveGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { type Identities, openIdentities, type Service, startCore, supergraphOf } from '@rhizome/playground';
import { discoverSubgraphs } from '@rhizome/schema';
import { leftovers, waitFor } from '@rhizome/testkit';
import { createClient as createWsClient } from 'graphql-ws';
import WebSocket from 'ws';
import { type Api, apiOf } from '../system/api.js';
import { startStore } from '../system/devices.js';
import { dataFolder, root } from '../system/playground-system.js';
import { byCurl, byGraphqlSse, byGraphqlWs, type Change, type Follow, type Place } from './clients.js';

const clients: Readonly<Record<string, Follow>> = {
  'graphql-ws': byGraphqlWs,
  'graphql-sse': byGraphqlSse,
  curl: byCurl,
};

let identities: Identities;
let core: Service;
let startCoreAgain: () => Promise<Service>;
let sdl: string;
let gateway: { readonly built: Gateway; readonly served: ServedGateway };
let place: Place;
let api: Api;

beforeAll(async () => {
  const data = await dataFolder();
  await mkdir(data, { recursive: true });
  const mongo = await startStore(data);
  identities = await openIdentities(data);
  const world = { data, mongoUri: mongo.uri, issuer: identities.issuer };
  const start = async (port: number): Promise<Service> => {
    core = await startCore(world, { port });
    await core.untilReady();
    return core;
  };
  await start(0);
  leftovers.defer('core', () => core.kill());
  startCoreAgain = () => start(Number(new URL(core.url).port));
  const found = discoverSubgraphs(root).filter(({ name }) => name === 'core');
  sdl = await supergraphOf(found.map((one) => ({ ...one, url: core.url })));
  gateway = await startGateway(0);
  leftovers.defer('the gateway', async () => {
    await gateway.served.close(0);
    await gateway.built.close();
  });
  const { url, wsUrl } = gateway.served;
  place = { url, wsUrl, token: await identities.newcomer() };
  api = apiOf(url, place.token);
  await api.data(
    'mutation { registerExperiment(input: { name: "watched", title: "Watched" }) { userErrors { message } } }',
  );
});
async function startGateway(port: number): Promise<typeof gateway> {
  const built = await buildGateway({
    supergraphSdl: sdl,
    transports: (name, url) => overNetwork(name, { url, calls: identities.calls }),
    calls: identities.calls,
    verifier: identities.verifier,
    log: silentLogger(),
  });
  return { built, served: await serveGateway(built, { port }) };
}

/** Submits jobs and cancels them: two changes of each. */
async function changeJobs(count: number): Promise<readonly string[]> {
  const jobs = Array.from({ length: count }, () => ({ name: 'x', payload: { command: 'true' } }));
  const input = { experiment: 'watched', idempotencyKey: randomUUID(), jobs };
  const text =
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }';
  // After a restart of core, the gateway does not call it for a moment.
  type Data = { submitJobs: { jobs: { id: string }[] } | null };
  const { jobs: submitted } = await waitFor(
    'core accepts jobs',
    async () => (await api.post<Data>(text, { input })).data?.submitJobs,
    { deadlineMs: 120_000 },
  );
  const ids = submitted.map(({ id }) => id);
  await api.data(
    'mutation ($input: CancelJobsInput!) { cancelJobs(input: $input) { result { changedIds } userErrors { message } } }',
    { input: { selection: { ids } } },
  );
  return ids;
}

/** Somebody who comes back with the last cursor each time the stream has ended. */
class Follower {
  readonly changes: Change[] = [];
  readonly codes: (string | undefined)[] = [];
  isOpen = false;
  readonly #leaving = new AbortController();
  readonly #running: Promise<void>;

  constructor(follow: Follow) {
    setMaxListeners(0, this.#leaving.signal);
    this.#running = this.#run(follow);
    leftovers.defer('a follower', () => this.stop());
  }

  async stop(): Promise<void> {
    this.#leaving.abort();
    await this.#running;
  }

  async #run(follow: Follow): Promise<void> {
    let after: string | undefined;
    while (!this.#leaving.signal.aborted) {
      const take = (change: Change): void => {
        this.isOpen = true;
        after = change.cursor;
        this.changes.push(change);
      };
      this.codes.push(await follow(place, after, take, this.#leaving.signal));
      this.isOpen = false;
      // Its server may be away: it does not come back faster than a person would let it.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Received events of each job, by revision and state. */
  of(id: string): readonly string[] {
    return this.changes
      .filter(({ event }) => event?.job.id === id)
      .map(({ event }) => `${event?.revision} ${event?.state}`);
  }
}

describe.each(Object.entries(clients))('%s', (_name, follow) => {
  it('gets every change once and in order, over a restart of the gateway and of core, and a new supergraph', async () => {
    const follower = new Follower(follow);
    await waitFor('the opening message', () => follower.isOpen, { deadlineMs: 5000 });
    const ids: string[] = [...(await changeJobs(5))];
    const allReceived = async (what: string): Promise<void> => {
      await waitFor(`all changes after ${what}`, () => ids.every((id) => follower.of(id).length >= 2), {
        deadlineMs: 20_000,
      });
    };
    await allReceived('the beginning');

    const { port } = new URL(place.url);
    await gateway.served.close(100);
    await gateway.built.close();
    gateway = await startGateway(Number(port));
    ids.push(...(await changeJobs(5)));
    await allReceived('a restart of the gateway');

    core.signal('SIGKILL');
    await core.exited;
    await startCoreAgain();
    ids.push(...(await changeJobs(5)));
    await allReceived('a crash of core');

    await gateway.built.swap(`${sdl}\n# ${randomUUID()}`);
    ids.push(...(await changeJobs(5)));
    await allReceived('a new supergraph');

    for (const id of ids) expect(follower.of(id)).toEqual(['1 ACTIVATED', '2 CANCELLED']);
    const cursors = follower.changes.map(({ cursor }) => cursor);
    expect(new Set(cursors).size).toBe(cursors.length);
    // The restart of the gateway ended the stream; core's crash and the new supergraph did not.
    expect(follower.codes.length).toBeGreaterThan(0);
    await follower.stop();
  });

  it('gets TOKEN_EXPIRED, and resumes with another token', async () => {
    const seconds = 3;
    const token = await identities.issuer.mint({
      subject: 'brief@example',
      kind: 'HUMAN',
      grants: [{ experiment: 'watched', roles: ['READER'] }],
      ttlSeconds: seconds,
    });
    const changes: Change[] = [];
    const leaving = new AbortController();
    const first = follow({ ...place, token }, undefined, (change) => changes.push(change), leaving.signal);
    await waitFor('the opening message', () => changes.length > 0, { deadlineMs: 5000 });
    const ids = [...(await changeJobs(2))];
    expect(await waitFor('the end of the token', first, { deadlineMs: 1000 * seconds + 5000 })).toBe(
      'TOKEN_EXPIRED',
    );
    ids.push(...(await changeJobs(2)));
    const second = follow(place, changes.at(-1)?.cursor, (change) => changes.push(change), leaving.signal);
    const of = (id: string) =>
      changes.filter(({ event }) => event?.job.id === id).map(({ event }) => event?.state);
    await waitFor('all changes', () => ids.every((id) => of(id).length >= 2), { deadlineMs: 5000 });
    for (const id of ids) expect(of(id)).toEqual(['ACTIVATED', 'CANCELLED']);
    leaving.abort();
    await second;
  });
});

describe('jobLogAppended', () => {
  it('ends once for each follower when the job ends', async () => {
    const [id = ''] = await changeJobs(1);
    const client = createWsClient({
      url: place.wsUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${place.token}` },
    });
    leftovers.defer('a socket', () => client.dispose());
    const query = `subscription { jobLogAppended(jobId: "${id}") { cursor event { attempt isComplete chunks { text } } } }`;
    const messages: unknown[] = [];
    const ended = (async () => {
      for await (const { data, errors } of client.iterate({ query })) messages.push(errors ?? data);
    })();
    await waitFor('the end of the log', ended, { deadlineMs: 5000 });
    const cursor: unknown = expect.any(String);
    expect(messages).toEqual([
      { jobLogAppended: { cursor, event: null } },
      { jobLogAppended: { cursor, event: { attempt: 0, isComplete: true, chunks: [] } } },
    ]);
  });
});
