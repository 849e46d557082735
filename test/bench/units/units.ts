/**
 * Work units through the gateway: publish → lease → complete in batches of 100, with few and with many
 * waiting units, and the time from publication to lease at a steady rate.
 */
import { forEachConcurrently } from '@rhizome/retry';
import { type Api, connectApi } from '../api.js';
import type { Bench } from '../bench.types.js';
import { change } from '../change.js';
import { measureCpu, quantile } from '../cpu.js';
import { closeWorkers, createBenchQueue, enrolWorkers, neverFull } from '../enrolled-workers.js';
import { acquire, type Assignments, fill, start } from '../lives.js';
import type { Row } from '../report.js';
import { benchExperiment, type Stack, startStack } from '../stack.js';
import { batchOf, perCall } from './batch.js';
import { storeAlone } from './store-alone.js';

interface Leased {
  readonly units: readonly { readonly id: string; readonly fence: number; readonly payload: string }[];
}
interface Completed {
  readonly acceptedIds: readonly string[];
}

/** Publishers, and jobs whose payloads work. */
const publishers = 4;
const workers = 16;

/** Jobs that a worker runs, each with a client that has the token of its attempt. */
async function payloads(stack: Stack, admin: Api, count: number): Promise<readonly Api[]> {
  const enrolled = await enrolWorkers(stack, ['payloads'], 4);
  const [pilot] = enrolled;
  if (!pilot) throw new Error('no worker is enrolled');
  const { id: workerId, api } = pilot;
  const clients: Api[] = [];
  try {
    await fill(admin, count, () => undefined, 'payloads', { command: 'true', isTokenRequired: true });
    const held: { readonly id: string; readonly fence: number }[] = [];
    while (held.length < count) {
      const input = { workerId, count: perCall, free: neverFull, waitSeconds: 10 };
      const { acquireJobs } = await api.post<Assignments>(acquire, { input });
      held.push(...acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence })));
    }
    const jobs = held.map((job) => ({ ...job, phase: 'RUNNING' }));
    await api.post(start, { input: { workerId, jobs } });
    await forEachConcurrently(held, publishers, async ({ id: jobId, fence }) => {
      clients.push(connectApi(stack.url, await pilot.attemptToken({ jobId, fence }), 1));
    });
    return clients;
  } finally {
    await closeWorkers(enrolled);
  }
}

async function makePool(api: Api, name: string): Promise<string> {
  const input = { experiment: benchExperiment, name, settings: { maxWaitingUnits: 100_000_000 } };
  const { pool } = await change<{ pool: { id: string } }>(api, 'createWorkPool', input, 'pool { id }');
  return pool.id;
}

async function publishBatch(api: Api, poolId: string, start: string, batches = 1): Promise<number> {
  const units = Array.from({ length: batches }, (_, at) => batchOf(`${start} ${at}`)).flat();
  await change(api, 'publishWorkUnits', { poolId, units }, 'unitIds retryAfterSeconds');
  return units.length;
}

/** Leases and completes until a time. @param leasedMs receives the time since each publication */
async function work(api: Api, pool: string, until: number, leasedMs: number[]): Promise<number> {
  let count = 0;
  while (performance.now() < until) {
    const input = { pool, max: perCall, waitSeconds: 1 };
    const { units } = await change<Leased>(api, 'leaseWorkUnits', input, 'units { id fence payload }');
    if (units.length === 0) continue;
    const published = Number(/published=([\d.]+)/.exec(units[0]?.payload ?? '')?.[1]);
    leasedMs.push(performance.now() - published);
    const reports = units.map(({ id, fence }) => ({ id, fence }));
    const done = await change<Completed>(api, 'completeWorkUnits', { units: reports }, 'acceptedIds');
    count += done.acceptedIds.length;
  }
  return count;
}

/** Publishes, leases and completes at the highest rate. */
async function throughput(stack: Stack, admin: Api, clients: readonly Api[], seconds: number) {
  const pool = await makePool(admin, 'throughput');
  const started = performance.now();
  const until = started + seconds * 1000;
  let published = 0;
  const { result, cpu } = await measureCpu(stack.pids, async () => {
    const consumers = clients.map((api) => work(api, pool, until, []));
    let done = false;
    const publishing = Array.from({ length: publishers }, async (_, at) => {
      for (let n = 0; performance.now() < until && !done; n++)
        published += await publishBatch(admin, pool, `${at} ${n}`);
    });
    const consuming = Promise.all(consumers).finally(() => {
      done = true;
    });
    const [counts] = await Promise.all([consuming, ...publishing]);
    return counts.reduce((sum, count) => sum + count, 0);
  });
  return { completed: result, published, seconds: (performance.now() - started) / 1000, cpu };
}

/** Leases and completes from a pool with a standing number of waiting units. */
async function backlog(admin: Api, clients: readonly Api[], waiting: number, seconds: number) {
  const pool = await makePool(admin, `waiting-${waiting}`);
  for (let published = 0; published < waiting + 50_000;)
    published += await publishBatch(admin, pool, `w ${published}`, 100);
  const started = performance.now();
  const until = started + seconds * 1000;
  const counts = await Promise.all(clients.map((api) => work(api, pool, until, [])));
  return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - started) / 1000);
}

/** Times from publication to lease at a steady rate. */
async function latency(admin: Api, clients: readonly Api[], perSecond: number, seconds: number) {
  const pool = await makePool(admin, 'latency');
  const until = performance.now() + seconds * 1000;
  const leasedMs: number[] = [];
  const consumers = clients.map((api) => work(api, pool, until, leasedMs));
  const calls: Promise<number>[] = [];
  const pauseMs = (1000 * perCall) / perSecond;
  for (let next = performance.now(), n = 0; performance.now() < until - 500; next += pauseMs, n++) {
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
    calls.push(publishBatch(admin, pool, `l ${n}`));
  }
  await Promise.all([...calls, ...consumers]);
  return leasedMs;
}

/** The benchmark. */
export const units: Bench = {
  name: 'units',
  about: 'work units: publish → lease → complete through the gateway, 100 units a call',
  async run({ full, brief, progress }) {
    const stack = await startStack();
    const admin = connectApi(stack.url, stack.adminToken, publishers + 2);
    const seconds = brief ? 5 : 10;
    const rows: Row[] = [];
    let clients: readonly Api[] = [];
    try {
      // Nobody sends heartbeats for the jobs.
      await createBenchQueue(admin, { heartbeatSeconds: 300, leaseSeconds: 3600 });
      const many = brief ? 64 : 200;
      clients = await payloads(stack, admin, many);
      const alone = await storeAlone(stack.database('units_alone'), publishers, seconds);
      progress(`mongod alone: ${Math.round(alone)} units/s`);
      const {
        completed,
        seconds: took,
        cpu,
      } = await throughput(stack, admin, clients.slice(0, workers), seconds);
      const perSecond = completed / took;
      progress(`through the gateway: ${Math.round(perSecond)} units/s`);
      const cost = (name: string): number => ((cpu[name] ?? 0) / completed) * 1e6;
      rows.push(
        { name: 'units: mongod alone', value: alone, unit: 'units/s' },
        {
          name: `units: ${publishers} publishers, ${workers} workers`,
          value: perSecond,
          unit: 'units/s',
          goal: { value: 5000, better: 'higher' },
        },
        {
          name: 'units: compared with mongod alone',
          value: perSecond / alone,
          unit: '×',
          goal: { value: 0.8, better: 'higher' },
        },
        { name: 'units: gateway and core', value: cost('stack'), unit: 'µs CPU/unit' },
        { name: 'units: mongod', value: cost('mongod'), unit: 'µs CPU/unit' },
      );
      const rate = brief ? Math.min(2500, Math.round(perSecond / 2)) : 2500;
      const leasedMs = await latency(admin, clients, rate, seconds);
      rows.push({
        name: `units: publish → lease p95 at ${rate} units/s, ${many} workers`,
        value: quantile(leasedMs, 0.95),
        unit: 'ms',
        goal: { value: 1000, better: 'lower' },
      });
      for (const waiting of full ? [10_000, 1_000_000, 10_000_000] : [10_000, brief ? 200_000 : 1_000_000]) {
        const leased = await backlog(admin, clients.slice(0, workers), waiting, seconds);
        const name = `units: lease → complete, ${waiting.toLocaleString('en')} waiting`;
        progress(`${name}: ${Math.round(leased)} units/s`);
        rows.push({ name, value: leased, unit: 'units/s' });
      }
      return rows;
    } finally {
      await Promise.all([admin, ...clients].map((api) => api.close()));
      await stack.stop();
    }
  },
};
