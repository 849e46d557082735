/**
 * Heartbeats of pilots and answers to a modest client while others ask too much: a greedy client that offers
 * ten times the capacity, and single requests that once stopped the gateway.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { type Api, connectApi } from './api.js';
import { type BenchWorker, closeWorkers, createBenchQueue, enrolWorkers } from './enrolled-workers.js';
import { fill } from './lives.js';
import { quantile, residentMiB } from './cpu.js';
import type { Bench } from './bench.types.js';
import { attacks, type AttackTarget, runAttack } from './overload/attacks.js';
import { runGreedy } from './overload/greedy.js';
import type { Row } from './report.js';
import { benchExperiment, type Stack, startStack } from './stack.js';

const heartbeat = /* GraphQL */ `
  mutation BenchHeartbeat($input: HeartbeatInput!) {
    heartbeat(input: $input) {
      leaseExpiresAt
      userErrors {
        message
      }
    }
  }
`;
const query = '{ jobs(first: 10) { nodes { id name state } } }';
const pilots = 20;
/** Interval of the heartbeats of one pilot, in milliseconds. */
const everyMs = 250;
const lanes = 16;
const timesCapacity = 10;

/** Heartbeats of pilots, each over a connection of its own, until they are stopped. */
class Heartbeats {
  readonly #workers: readonly BenchWorker[];
  readonly latenciesMs: number[] = [];
  failed = 0;

  constructor(workers: readonly BenchWorker[]) {
    this.#workers = workers;
  }

  /** Runs something while the pilots report; answers their times. */
  async during(run: () => Promise<unknown>): Promise<void> {
    let isOver = false;
    this.latenciesMs.length = 0;
    const loops = this.#workers.map(async ({ id: workerId, api }, at) => {
      await pause((everyMs * at) / this.#workers.length);
      while (!isOver) {
        const asked = performance.now();
        await api.post(heartbeat, { input: { workerId } }).catch(() => this.failed++);
        this.latenciesMs.push(performance.now() - asked);
        await pause(everyMs);
      }
    });
    await run();
    isOver = true;
    await Promise.all(loops);
  }
}

/** Answers per second of a closed loop, and their times. */
async function closedLoop(api: Api, parallel: number, seconds: number) {
  const until = performance.now() + seconds * 1000;
  const latencies: number[] = [];
  let refused = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < until) {
      const asked = performance.now();
      await api.post(query).then(
        () => latencies.push(performance.now() - asked),
        () => refused++,
      );
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return { answered: latencies.length, perSecond: latencies.length / seconds, latencies, refused };
}

/**
 * Several clients that wait for their answers, together as many as when the capacity was measured: they can
 * use what the rate of a greedy one leaves.
 */
async function modestClients(stack: Stack, seconds: number): ReturnType<typeof closedLoop> {
  const users = await Promise.all([1, 2, 3, 4].map((at) => stack.token(`modest ${at}`, 'USER')));
  const parallel = lanes / users.length;
  const apis = users.map((token) => connectApi(stack.url, token, parallel));
  try {
    const all = await Promise.all(apis.map((api) => closedLoop(api, parallel, seconds)));
    const sum = (read: (one: (typeof all)[number]) => number): number =>
      all.reduce((total, one) => total + read(one), 0);
    return {
      answered: sum(({ answered }) => answered),
      perSecond: sum(({ perSecond }) => perSecond),
      latencies: all.flatMap(({ latencies }) => latencies),
      refused: sum(({ refused }) => refused),
    };
  } finally {
    await Promise.all(apis.map((api) => api.close()));
  }
}

async function greedyRows(stack: Stack, beats: Heartbeats, seconds: number): Promise<readonly Row[]> {
  const modest = connectApi(stack.url, await stack.token('modest', 'USER'), lanes);
  try {
    await closedLoop(modest, lanes, 2);
    const { perSecond: capacity } = await closedLoop(modest, lanes, seconds);
    const before = stackMiB(stack);
    const order = { url: stack.url, token: await stack.token('greedy', 'USER'), query, mostOpen: 2000 };
    let own = { answered: 0, perSecond: 0, latencies: [] as number[], refused: 0 };
    let greedy = { offered: 0, answered: 0, refused: 0, failed: 0 };
    await beats.during(async () => {
      [greedy, own] = await Promise.all([
        runGreedy({ ...order, perSecond: capacity * timesCapacity, seconds }),
        modestClients(stack, seconds),
      ]);
    });
    const answered = (greedy.answered + own.answered) / seconds;
    return [
      { name: 'overload: capacity', value: capacity, unit: 'queries/s' },
      { name: 'overload: offered', value: greedy.offered / seconds / capacity, unit: '× capacity' },
      ...heartbeatRows('overload', beats, 500),
      {
        name: 'overload: answered',
        value: answered / capacity,
        unit: '× capacity',
        goal: { value: 0.9, better: 'higher' },
      },
      { name: 'overload: modest clients, p99', value: quantile(own.latencies, 0.99), unit: 'ms' },
      {
        name: 'overload: modest clients, refused',
        value: own.refused,
        unit: '',
        goal: { value: 0, better: 'lower' },
      },
      { name: 'overload: memory', value: stackMiB(stack) - before, unit: 'MiB more' },
      {
        name: 'overload: memory, compared with before',
        value: stackMiB(stack) / before,
        unit: '×',
        goal: { value: 1.3, better: 'lower' },
      },
    ];
  } finally {
    await modest.close();
  }
}

/** The goals are deadlines: a worker that is not heard for the time of its lease loses its jobs. */
function heartbeatRows(name: string, { latenciesMs, failed }: Heartbeats, goalMs: number): readonly Row[] {
  return [
    {
      name: `${name}: heartbeats, p99`,
      value: quantile(latenciesMs, 0.99),
      unit: 'ms',
      goal: { value: goalMs, better: 'lower' },
    },
    { name: `${name}: heartbeats, longest`, value: Math.max(...latenciesMs), unit: 'ms' },
    { name: `${name}: heartbeats, failed`, value: failed, unit: '', goal: { value: 0, better: 'lower' } },
  ];
}

async function targetOf(stack: Stack): Promise<AttackTarget> {
  const [reader, user] = await Promise.all([stack.token('reader', 'READER'), stack.token('hostile', 'USER')]);
  return { url: stack.url, experiment: benchExperiment, reader, user };
}

/** Number of times that the broker's lease was taken. */
async function brokerEpoch(stack: Stack): Promise<number> {
  const lease = await stack
    .database('core')
    .collection('brokerLease')
    .findOne({ _id: 'broker' as never });
  return Number(lease?.['epoch'] ?? 0);
}

function stackMiB({ pids }: Stack): number {
  return residentMiB(pids['stack'] ?? 0);
}

async function prepare(stack: Stack, progress: (text: string) => void): Promise<void> {
  const admin = connectApi(stack.url, stack.adminToken, 1);
  await createBenchQueue(admin);
  await fill(admin, 1000, progress);
  await admin.close();
}

/** The benchmark. */
export const overload: Bench = {
  name: 'overload',
  about: 'heartbeats while a client offers ten times the capacity, and under single hostile requests',
  async run({ full, brief, progress }) {
    const stack = await startStack();
    let workers: readonly BenchWorker[] = [];
    try {
      await prepare(stack, progress);
      const names = Array.from({ length: pilots }, (_, at) => `overload-${at}`);
      workers = await enrolWorkers(stack, names, 1);
      const beats = new Heartbeats(workers);
      await beats.during(() => pause(3000));
      const rows: Row[] = [...heartbeatRows('overload, nothing else', beats, 500)];
      rows.push(...(await greedyRows(stack, beats, full ? 30 : brief ? 5 : 10)));
      const target = await targetOf(stack);
      const epoch = await brokerEpoch(stack);
      for (const attack of attacks) {
        const before = stackMiB(stack);
        await beats.during(() => runAttack(attack.name, target));
        rows.push(...heartbeatRows(`overload, ${attack.name}`, beats, 1000));
        rows.push({
          name: `overload, ${attack.name}: memory`,
          value: stackMiB(stack) - before,
          unit: 'MiB more',
        });
        progress(`${attack.name}: done`);
      }
      const changes = (await brokerEpoch(stack)) - epoch;
      rows.push({
        name: 'overload: changes of the broker',
        value: changes,
        unit: '',
        goal: { value: 0, better: 'lower' },
      });
      return rows;
    } finally {
      await closeWorkers(workers);
      await stack.stop();
    }
  },
};
