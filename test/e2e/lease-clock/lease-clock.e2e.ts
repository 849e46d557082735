// Two core processes and two gateways, as real processes: each is stopped alone, the leading core process and
// the other one, and both of a kind. The payloads of all workers stop with the lease, so a worker whose lease
// ends is lost at once and for good: a loss shows.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Api, apiOf } from '../system/api.js';
import { startBalancer } from '../system/balancer.js';
import { jobsOf } from '../system/jobs.js';
import { type LeaseStore, openLeaseStore } from '../system/lease-store.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';
import { createQueues, leaseSeconds, type Reporter, startReporters } from './reporters.js';

const patience = { deadlineMs: 120_000 };

interface Clock {
  readonly state: string;
  readonly checkedAt: string | null;
}

let system: ServiceSystem;
let api: Api;
let store: LeaseStore;
/** The leases of the workers with short ones end while a service is down. */
let short: readonly Reporter[];
/** Workers with long leases are silent around a change of leader, as if it had taken an hour. */
let long: readonly Reporter[];

beforeAll(async () => {
  system = await startServices({
    ...{ cores: 2, gateways: 2, experiments: [] },
    coreAddress: async (urls) => (await startBalancer(urls)).url,
  });
  const gateways = ['gateway', 'gateway-2'].map((name) => system.service(name).url);
  const { url } = await startBalancer(gateways);
  api = apiOf(url, system.token);
  store = await openLeaseStore(system.mongo);
  await createQueues(api);
  [short, long] = await startReporters(system, api, url);
});

const everyone = (): readonly Reporter[] => [...short, ...long];

/** Names of the leading core process and of the other one. */
async function cores(): Promise<{ readonly leader: string; readonly other: string }> {
  const { url } = await store.broker();
  const leader = ['core', 'core-2'].find((name) => system.service(name).url === url);
  if (leader === undefined) throw new Error(`no core process has the address ${url}`);
  return { leader, other: leader === 'core' ? 'core-2' : 'core' };
}

async function clock(): Promise<Clock | undefined> {
  const { data } = await api
    .post<{ leaseClock: Clock }>('{ leaseClock { state checkedAt } }')
    .catch(() => ({ data: undefined }));
  return data?.leaseClock;
}

/** Stops a process, and waits until the clock has run for a short lease: it does not stand still. */
async function stopForALease(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const from = await waitFor('the clock', async () => (await clock())?.checkedAt ?? undefined, patience);
  const endsAt = Date.parse(from) + leaseSeconds.short * 1000;
  const service = system.service(name);
  await (signal === 'SIGTERM' ? service.stop(60_000) : service.kill());
  await waitFor(
    'the time of a lease',
    async () => {
      const now = await clock();
      return now?.state === 'RUNNING' && Date.parse(now.checkedAt ?? '1970-01-01') > endsAt;
    },
    patience,
  );
}

async function untilAllReport(): Promise<void> {
  const before = everyone().map(({ answered }) => answered);
  await waitFor(
    'reports of all workers',
    () => everyone().every(({ answered }, index) => answered > (before[index] ?? 0)),
    patience,
  );
}

async function states(reporters: readonly Reporter[]): Promise<readonly string[]> {
  const ids = reporters.map(({ worker }) => worker.id);
  type Data = { workers: { nodes: { id: string; state: string }[] } };
  const { workers } = await api.data<Data>(
    'query ($ids: [ID!]) { workers(filter: { ids: $ids, states: [READY, DRAINING, UNREACHABLE, ENDED, LOST] }) { nodes { id state } } }',
    { ids },
  );
  return ids.map((id) => workers.nodes.find((node) => node.id === id)?.state ?? 'none');
}

async function expectNothingLost(reporters = everyone()): Promise<void> {
  expect(await states(reporters)).toEqual(reporters.map(() => 'READY'));
  const ids = reporters.map(({ grant }) => grant.job.id);
  expect((await jobsOf(api, ids)).map(({ state, attempt }) => ({ state, attempt }))).toEqual(
    reporters.map(() => ({ state: 'RUNNING', attempt: 1 })),
  );
}

/** Stops processes; all leases of silent workers are an hour old when the next leader begins. */
async function stopForAnHour(names: readonly string[]): Promise<void> {
  const { epoch } = await store.broker();
  await Promise.all(long.map((reporter) => reporter.pause()));
  await Promise.all(names.map((name) => system.service(name).kill()));
  await store.age(
    long.map(({ worker }) => worker.id),
    3600,
  );
  if (names.length > 1) await Promise.all(names.map((name) => system.startAgain(name)));
  await store.untilJudgedAfter(epoch);
}

describe('a service for workers whose payloads stop with the lease', () => {
  it.each(['the leading core process', 'both core processes'])(
    'loses no worker by the end of %s',
    async (given) => {
      const { leader, other } = await cores();
      const names = given.startsWith('both') ? [leader, other] : [leader];
      await stopForAnHour(names);
      await expectNothingLost();
      long.forEach((reporter) => reporter.resume());
      if (names.length === 1) await system.startAgain(leader);
      await untilAllReport();
      await expectNothingLost();
    },
  );

  it('loses no worker while the core process that does not lead is down', async () => {
    const { other } = await cores();
    await stopForALease(other, 'SIGTERM');
    await expectNothingLost();
    await system.startAgain(other);
  });

  it('loses no worker while both gateways are down for longer than a lease', async () => {
    const names = ['gateway', 'gateway-2'];
    await Promise.all(names.map((name) => system.service(name).kill()));
    const stateMeanwhile = await store.untilOver(short.map(({ worker }) => worker.id));
    await Promise.all(names.map((name) => system.startAgain(name)));
    await untilAllReport();
    await expectNothingLost();
    expect(stateMeanwhile).toBe('STOPPED');
  });

  it('loses no worker while a gateway is down', async () => {
    await stopForALease('gateway', 'SIGTERM');
    await expectNothingLost();
    await system.startAgain('gateway');
  });

  it('loses a silent worker, and no other, while the other gateway is down', async () => {
    const [silent, ...others] = everyone();
    if (!silent) throw new Error('there are no workers');
    await silent.pause();
    await stopForALease('gateway-2', 'SIGKILL');
    await waitFor('the loss', async () => (await states([silent]))[0] === 'LOST', patience);
    await expectNothingLost(others);
    const [job] = await jobsOf(api, [silent.grant.job.id]);
    expect(job?.attempts[0]).toMatchObject({ outcome: 'FAILED', error: { code: 'LEASE_LOST' } });
  });

  it('finishes the jobs of the others', async () => {
    for (const { worker, grant } of everyone().slice(1)) {
      expect(await worker.finish(grant, 'FINISHED')).toMatchObject({
        acceptedIds: [grant.job.id],
        userErrors: [],
      });
    }
  });
});
