// Two core processes and two gateways, as real processes: each is stopped for longer than the leases of the
// workers, and both gateways. No worker is lost by that, and no attempt is charged.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, waitFor } from '@rhizome/testkit';
import { type Api, apiOf } from '../system/api.js';
import { startBalancer } from '../system/balancer.js';
import { jobsOf, submit } from '../system/jobs.js';
import { type Grant, speakAsWorker, type SpokenWorker } from '../system/pilots.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

const queue = 'short-lease';
const leaseSeconds = 6;
const patience = { deadlineMs: 120_000 };

interface Clock {
  readonly state: string;
  readonly reason: string | null;
  readonly checkedAt: string | null;
  readonly gateways: readonly { readonly isAcceptingPilots: boolean }[];
}

/** A worker that reports each half second, whatever happens to its reports. */
interface Reporter {
  readonly worker: SpokenWorker;
  readonly grant: Grant;
  /** Number of reports that were answered. */
  answered: number;
  stop(): Promise<void>;
}

let system: ServiceSystem;
let api: Api;
let reporters: readonly Reporter[];

beforeAll(async () => {
  system = await startServices({
    ...{ cores: 2, gateways: 2, experiments: [] },
    coreAddress: async (urls) => (await startBalancer(urls)).url,
  });
  const gateways = ['gateway', 'gateway-2'].map((name) => system.service(name).url);
  const { url } = await startBalancer(gateways);
  api = apiOf(url, system.token);
  const limits = { heartbeatSeconds: 1, leaseSeconds };
  await api.change('createQueue', { name: queue, site: 'STORY', limits });
  const requirements = { memoryMiB: 64, diskMiB: 1, queue };
  await submit(
    api,
    Array.from({ length: 3 }, (_, index) => ({ name: `job ${index}`, requirements })),
  );
  reporters = [
    await startReporter(url, 'one'),
    await startReporter(url, 'two'),
    await startReporter(url, 'three'),
  ];
});

async function startReporter(url: string, name: string): Promise<Reporter> {
  const worker = await speakAsWorker(system, { name, queue, via: url });
  const [grant] = await waitFor(
    'a job',
    async () => {
      const grants = await worker.acquire(1, { waitSeconds: 60 });
      return grants.length > 0 ? grants : undefined;
    },
    patience,
  );
  if (!grant) throw new Error('no grant');
  await worker.start(grant, 'RUNNING');
  let isStopped = false;
  const reporter = { worker, grant, answered: 0 };
  const reporting = (async () => {
    while (!isStopped) {
      await worker.heartbeat([grant]).then(
        () => (reporter.answered += 1),
        // The service is down: a pilot tries again, too.
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  const stop = async (): Promise<void> => {
    isStopped = true;
    await reporting;
  };
  leftovers.defer('a reporter', stop);
  return Object.assign(reporter, { stop });
}

async function clock(): Promise<Clock | undefined> {
  const { data } = await api
    .post<{ leaseClock: Clock }>('{ leaseClock { state reason checkedAt gateways { isAcceptingPilots } } }')
    .catch(() => ({ data: undefined }));
  return data?.leaseClock;
}

/** Waits until the clock has run for more than a lease since now. */
async function untilLeasesCouldEnd(): Promise<void> {
  const from = await waitFor('the clock', async () => (await clock())?.checkedAt ?? undefined, patience);
  const endsAt = Date.parse(from) + (leaseSeconds + 2) * 1000;
  await waitFor(
    'the time of a lease',
    async () => Date.parse((await clock())?.checkedAt ?? '1970-01-01') > endsAt,
    patience,
  );
}

/** Lets real time go on for more than two leases. */
async function outlastLeases(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, (2 * leaseSeconds + 1) * 1000));
}

async function untilAllReport(): Promise<void> {
  const before = reporters.map(({ answered }) => answered);
  await waitFor(
    'reports of all workers',
    () => reporters.every(({ answered }, index) => answered > (before[index] ?? 0) + 2),
    patience,
  );
}

async function states(): Promise<readonly string[]> {
  const ids = reporters.map(({ worker }) => worker.id);
  type Data = { workers: { nodes: { id: string; state: string }[] } };
  const { workers } = await api.data<Data>(
    'query ($ids: [ID!]) { workers(filter: { ids: $ids, states: [READY, DRAINING, UNREACHABLE, ENDED, LOST] }) { nodes { id state } } }',
    { ids },
  );
  return ids.map((id) => workers.nodes.find((node) => node.id === id)?.state ?? 'none');
}

async function expectNothingLost(): Promise<void> {
  expect(await states()).toEqual(reporters.map(() => 'READY'));
  const jobs = await jobsOf(
    api,
    reporters.map(({ grant }) => grant.job.id),
  );
  expect(jobs.map(({ state, attempt }) => ({ state, attempt }))).toEqual(
    reporters.map(() => ({ state: 'RUNNING', attempt: 1 })),
  );
}

describe('a service for workers with short leases', () => {
  it.each([
    ['the leading core process', 'SIGKILL', ['core']],
    ['the other core process', 'SIGTERM', ['core-2']],
    ['a gateway', 'SIGTERM', ['gateway']],
    ['the other gateway', 'SIGKILL', ['gateway-2']],
    ['both gateways', 'SIGKILL', ['gateway', 'gateway-2']],
    ['both core processes', 'SIGKILL', ['core', 'core-2']],
  ] as const)('loses no worker by the stop of %s', async (_name, signal, names) => {
    await Promise.all(
      names.map((name) => {
        const service = system.service(name);
        return signal === 'SIGKILL' ? service.kill() : service.stop(60_000);
      }),
    );
    await outlastLeases();
    for (const name of names) await system.startAgain(name);
    await untilAllReport();
    await untilLeasesCouldEnd();
    await expectNothingLost();
  });

  it('loses contact with a silent worker, also while one gateway is down', async () => {
    await system.service('gateway').kill();
    await waitFor('the clock to run', async () => (await clock())?.state === 'RUNNING', patience);
    const [silent, ...others] = reporters;
    await silent?.stop();
    await waitFor('the loss', async () => (await states())[0] === 'UNREACHABLE', patience);
    expect((await states()).slice(1)).toEqual(others.map(() => 'READY'));
    await system.startAgain('gateway');
  });

  it('finishes the jobs of the others', async () => {
    for (const { worker, grant } of reporters.slice(1)) {
      expect(await worker.finish(grant, 'FINISHED')).toMatchObject({
        acceptedIds: [grant.job.id],
        userErrors: [],
      });
    }
  });
});
