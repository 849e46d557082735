/**
 * Live events from the writer to clients: 5,000 subscribers over 500 sockets, 5,000 events a second (more or
 * less, as the machine is faster or slower than the one for which the goals were set), each of
 * which concerns four of them, two by its task and two by its job; and the same work through `@apollo/server`
 * and `graphql-ws`, where nothing is shared.
 *
 * There are 20,000 jobs, so that each of them changes about as often as jobs do: a job that was held and
 * released hundreds of times has a long history, and rewriting that would be most of what is measured. A
 * subscriber by job therefore watches ten jobs, of ten tasks.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunningMongod } from '@rhizome/mongo';
import { ownMongod } from '@rhizome/testkit';
import { type Api, connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { measureCpu } from './cpu.js';
import type { ClientReport } from './live/client-process.js';
import { type AskedProcess, startProcess } from './live/processes.js';
import type { ServeAnswer, ServeQuestion } from './live/server-process.js';
import type { WriteAnswer, WrittenJob } from './live/writer-process.js';
import { inLoops, scaledRate } from './loops.js';
import type { Row } from './report.js';

const subscribers = 5000;
const firstSubscribers = 1000;
const sockets = 500;
const tasks = 500;
const jobsOfTask = 40;
const jobsOfSubscriber = 10;
const perEvent = 4;
/** Events per second on the machine for which the goals were set. */
const referenceRate = 5000;
/**
 * Duration of the load, in seconds: measured part, and before it the time until everything is compiled and
 * settled.
 */
const fullLengths = { load: 60, warmUp: 3, saturation: 10 };
const briefLengths: typeof fullLengths = { load: 10, warmUp: 2, saturation: 5 };
/** The yardstick is given up after this time: where it cannot do the work, its rows say how far it came. */
const yardstickMs = 150_000;
/**
 * As `docs/explanation/live-state.md` advises where very much is pushed: what lives for a moment only is then
 * seldom copied.
 */
const serverFlags = ['--max-semi-space-size=64'];

/** Running processes. */
interface World {
  readonly kind: ServeQuestion['kind'];
  readonly serve: ServeAnswer;
  readonly server: AskedProcess;
  readonly client: AskedProcess;
  readonly writer: AskedProcess;
  readonly mongod: number;
  readonly jobs: readonly WrittenJob[];
  readonly lengths: typeof fullLengths;
  readonly machine: Calibration;
  readonly progress: (text: string) => void;
}

async function seed(api: Api): Promise<void> {
  await api.post(
    'mutation { registerExperiment(input: { name: "bench", title: "Benchmarks" }) { userErrors { message } } }',
  );
  const text =
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }';
  const template = { name: 'live', payload: { command: 'true' } };
  const submitOne = (at: number) =>
    api.post(text, {
      input: {
        experiment: 'bench',
        idempotencyKey: `live-${at}`,
        name: `live ${at}`,
        jobs: { count: jobsOfTask },
        template,
      },
    });
  for (let at = 0; at < tasks; at += 20)
    await Promise.all(Array.from({ length: 20 }, (_, index) => submitOne(at + index)));
  for (let count = 0; count < tasks * jobsOfTask;) {
    const answer = await api.post<{ jobCounts: readonly { count: number }[] }>('{ jobCounts { count } }');
    count = answer.jobCounts.reduce((sum, row) => sum + row.count, 0);
  }
}

/** Two subscribers of each task and two of each job: four for each event; in an order that mixes them. */
function mixedFilters(jobs: readonly WrittenJob[]): readonly object[] {
  const taskIds = [...new Set(jobs.map(({ taskId }) => taskId))];
  const groups = jobs.length / jobsOfSubscriber;
  const idsOf = (group: number): string[] =>
    jobs.filter((_, at) => at % groups === group).map(({ id }) => id);
  const byJobs = Array.from({ length: groups }, (_, group) => ({ ids: idsOf(group) }));
  const once = [...taskIds.map((taskId) => ({ taskIds: [taskId] })), ...byJobs];
  const mixed = once.map((_, at) => once[(at * 7) % once.length] ?? {});
  return [...mixed, ...mixed];
}

/** Bytes of the server for each subscriber from the first thousand to the five thousandth. */
async function memory(world: World, filters: readonly object[]): Promise<number> {
  const { client, server, serve } = world;
  const at = { wsUrl: serve.wsUrl, token: serve.token, sockets };
  await client.ask({ open: { ...at, filters: filters.slice(0, firstSubscribers) } });
  const before = await server.ask<number>({ heap: true });
  await client.ask({ open: { ...at, filters: filters.slice(firstSubscribers) } });
  const after = await server.ask<number>({ heap: true });
  return (after - before) / (filters.length - firstSubscribers);
}

/** The load for its time, and what came of it. */
async function load(world: World): Promise<readonly Row[]> {
  const { kind, client, server, writer, mongod, progress } = world;
  const { load: seconds, warmUp } = world.lengths;
  const rate = scaledRate(referenceRate, world.machine);
  const before = await writer.ask<WriteAnswer>({ write: { rate, seconds: warmUp } });
  await client.ask({ report: { expected: before.events * perEvent } });
  const pids = { 'gateway and core': server.pid, clients: client.pid, writer: writer.pid, mongod };
  const goal = (value: number) => (kind === 'rhizome' ? { goal: { value, better: 'lower' as const } } : {});
  const { result, cpu } = await measureCpu(pids, async () => {
    const written = await writer.ask<WriteAnswer>({ write: { rate, seconds } });
    const expected = written.events * perEvent;
    const answer = await client.ask<ClientReport>({ report: { expected } });
    return { written, answer, lost: expected - answer.messages };
  });
  const { written, answer, lost } = result;
  progress(
    `${kind}: ${written.events} events, ${answer.messages} messages, p95 ${answer.p95} ms, ${lost} lost ${answer.failure ?? ''}`,
  );
  const name = `live, ${kind}`;
  return [
    {
      name: `${name}: events written`,
      value: written.events / written.seconds,
      unit: 'events/s',
    },
    {
      name: `${name}: events written, compared with those offered`,
      value: written.events / written.seconds / rate,
      unit: '×',
      ...(kind === 'rhizome' ? { goal: { value: 0.98, better: 'higher' as const } } : {}),
    },
    { name: `${name}: commit to client, p50`, value: answer.p50, unit: 'ms' },
    { name: `${name}: commit to client, p95`, value: answer.p95, unit: 'ms' },
    ...(kind === 'rhizome'
      ? [inLoops({ name: `${name}: commit to client, p95`, ms: answer.p95, most: 2.5 }, world.machine)]
      : []),
    { name: `${name}: commit to client, p99`, value: answer.p99, unit: 'ms' },
    { name: `${name}: commit to client, longest`, value: answer.longest, unit: 'ms' },
    { name: `${name}: messages lost`, value: lost, unit: '', ...goal(0) },
    { name: `${name}: gaps and repetitions`, value: answer.faults, unit: '', ...goal(0) },
    ...Object.entries(cpu).map(([process, used]) => ({
      name: `${name}: CPU of ${process}`,
      value: used / written.seconds,
      unit: 'cores',
    })),
  ];
}

/** As many events as the writer can write: how many messages a second come of it. */
async function saturation({
  kind,
  client,
  writer,
  lengths: { saturation: seconds },
  progress,
}: World): Promise<Row> {
  const written = await writer.ask<WriteAnswer>({ write: { rate: 0, seconds } });
  const within = await client.ask<number>({ count: true });
  await client.ask({ report: { expected: written.events * perEvent } });
  progress(`${kind}: ${Math.round(written.events / written.seconds)} events/s at saturation`);
  return {
    name: `live, ${kind}: deliveries at saturation`,
    value: within / written.seconds,
    unit: 'messages/s',
  };
}

/** Everything that is measured of one kind of server; rows are added as they are found. */
async function measureWith(
  world: Omit<World, 'serve' | 'jobs'>,
  start: ServeQuestion,
  rows: Row[],
): Promise<void> {
  const { kind, server, client, writer, progress } = world;
  const serve = await server.ask<ServeAnswer>({ serve: start });
  if (kind === 'rhizome') {
    const api = connectApi(serve.url, serve.token, 20);
    await seed(api);
    await api.close();
  }
  const jobs = await writer.ask<readonly WrittenJob[]>({ open: { mongoUri: start.mongoUri } });
  const whole = { ...world, serve, jobs };
  if (kind === 'rhizome') {
    const few = mixedFilters(jobs).slice(0, 10);
    const shared = Array.from({ length: subscribers }, (_, at) => few[at % 10] ?? {});
    rows.push({
      name: `live, ${kind}: memory of one more subscriber of a shared document`,
      value: await memory(whole, shared),
      unit: 'bytes',
      goal: { value: 2048, better: 'lower' },
    });
    await client.ask({ close: true });
  }
  const mixed = await memory(whole, mixedFilters(jobs));
  rows.push({ name: `live, ${kind}: memory of one more subscriber, mixed`, value: mixed, unit: 'bytes' });
  progress(`${kind}: ${subscribers} subscribers are open`);
  rows.push(...(await load(whole)));
  rows.push(await saturation(whole));
}

/** Measures one kind of server, the yardstick within its time. */
async function measure(
  mongo: RunningMongod,
  given: Pick<World, 'kind' | 'lengths' | 'machine' | 'progress'> & { readonly data: string },
): Promise<readonly Row[]> {
  const { kind, data, lengths, machine, progress } = given;
  const server = startProcess('server-process', serverFlags);
  const client = startProcess('client-process');
  const writer = startProcess('writer-process');
  const rows: Row[] = [];
  const late = new AbortController();
  try {
    const mongod = mongo.members[0]?.pid ?? 0;
    const world = { kind, server, client, writer, mongod, lengths, machine, progress };
    const work = measureWith(world, { mongoUri: mongo.uri, data, kind }, rows);
    if (kind === 'rhizome') await work;
    else {
      const tooLate = delay(yardstickMs, true, { signal: late.signal }).catch(() => false);
      const isLate = await Promise.race([work.then(() => false), tooLate]);
      if (isLate) {
        // Its processes end below, and its work with them.
        work.catch(() => undefined);
        progress(`${kind}: given up after ${yardstickMs / 1000} s`);
        rows.push({ name: `live, ${kind}: could not do it within`, value: yardstickMs / 1000, unit: 's' });
      }
    }
  } finally {
    late.abort();
    await Promise.all([server.stop(), client.stop(), writer.stop()]);
  }
  return rows;
}

/** The benchmark. */
export const live: Bench = {
  name: 'live',
  about:
    '5,000 subscribers over 500 sockets, an even rate of events for 60 s, each concerning 4; compared with @apollo/server + graphql-ws',
  async run({ brief, machine, progress }) {
    const lengths = brief ? briefLengths : fullLengths;
    const data = mkdtempSync(join(tmpdir(), 'rhizome-bench-'));
    const mongo = await ownMongod({ dataDir: join(data, 'mongo') });
    try {
      return [
        ...(await measure(mongo, { kind: 'rhizome', data, lengths, machine, progress })),
        ...(await measure(mongo, { kind: 'apollo', data, lengths, machine, progress })),
      ];
    } finally {
      await mongo.stop();
      rmSync(data, { recursive: true, force: true });
    }
  },
};
