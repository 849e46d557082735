/**
 * Cost of the audit log: submit and job cycles with it and without it, by turns in one run on two systems, so
 * that both see the same machine.
 */
import { type Api, connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import { measureCpu } from './cpu.js';
import { createBenchQueue } from './enrolled-workers.js';
import { fill, pilotsGroups, runFleet } from './lives.js';
import type { Row } from './report.js';
import { type Stack, startStack } from './stack.js';
import { batchSize, connections, submitBatches } from './submit.js';

/** Variable of the playground that switches the log off. */
const variable = 'RHIZOME_PLAYGROUND_AUDIT';
/** Largest part of the speed, and of the processor time, that the log may cost. */
const mostCost = 0.05;
const workers = 16;
const batchesOfRound = 25;
const secondsOfRound = 4;

/** Work of one or several rounds. */
interface Work {
  readonly jobs: number;
  readonly seconds: number;
  /** Processor time of all processes of the system, in seconds. */
  readonly cpu: number;
}

/** A system with the log or without it. */
interface System {
  readonly stack: Stack;
  readonly api: Api;
}

/** One round of a kind of work. */
type Round = (system: System, round: number) => Promise<Work>;

const sum = (values: Readonly<Record<string, number>>): number =>
  Object.values(values).reduce((all, value) => all + value, 0);

const submitRound: Round = async ({ stack, api }, round) => {
  const started = performance.now();
  const { cpu } = await measureCpu(stack.pids, () => submitBatches(api, `audit-${round}`, batchesOfRound));
  return {
    jobs: batchesOfRound * batchSize,
    seconds: (performance.now() - started) / 1000,
    cpu: sum(cpu),
  };
};

const cyclesRound: Round = async ({ stack }, round) => {
  const fleet = { workers, groups: pilotsGroups, pending: round, seconds: secondsOfRound };
  const { finished, seconds, cpu } = await runFleet(stack, fleet);
  return { jobs: finished, seconds, cpu: sum(cpu) };
};

/** The playground is a process that inherits the variable. */
async function startSystem(mode: 'on' | 'off'): Promise<System> {
  process.env[variable] = mode;
  try {
    const stack = await startStack();
    const api = connectApi(stack.url, stack.adminToken, connections);
    await createBenchQueue(api);
    return { stack, api };
  } finally {
    delete process.env[variable];
  }
}

async function stopSystem({ stack, api }: System): Promise<void> {
  await api.close();
  await stack.stop();
}

function total(rounds: readonly Work[]): Work {
  const of = (read: (work: Work) => number): number => rounds.reduce((all, work) => all + read(work), 0);
  return { jobs: of(({ jobs }) => jobs), seconds: of(({ seconds }) => seconds), cpu: of(({ cpu }) => cpu) };
}

function rowsOf(name: string, recorded: Work, bare: Work): readonly Row[] {
  const speed = ({ jobs, seconds }: Work): number => jobs / seconds;
  const cost = ({ jobs, cpu }: Work): number => (cpu / jobs) * 1e6;
  const goal = { value: mostCost * 100, better: 'lower' as const };
  return [
    { name: `audit: ${name} with the log`, value: speed(recorded), unit: 'jobs/s' },
    { name: `audit: ${name} without`, value: speed(bare), unit: 'jobs/s' },
    {
      name: `audit: ${name}, cost in throughput`,
      value: (1 - speed(recorded) / speed(bare)) * 100,
      unit: '%',
      goal,
    },
    { name: `audit: ${name} with the log, all processes`, value: cost(recorded), unit: 'µs CPU/job' },
    { name: `audit: ${name} without, all processes`, value: cost(bare), unit: 'µs CPU/job' },
    {
      name: `audit: ${name}, cost in processor time`,
      value: (cost(recorded) / cost(bare) - 1) * 100,
      unit: '%',
      goal,
    },
  ];
}

/** The benchmark. */
export const audit: Bench = {
  name: 'audit',
  about: 'submit and job cycles with and without the audit log, by turns',
  async run({ full, brief, progress }) {
    const rounds = full ? 12 : brief ? 3 : 6;
    const systems: System[] = [];
    try {
      for (const mode of ['on', 'off'] as const) systems.push(await startSystem(mode));
      // Until the code of both is what it stays.
      for (const { api } of systems) await submitBatches(api, 'audit-warm', batchesOfRound);
      const rows = [...(await compare('submit', submitRound))];
      for (const { api } of systems) await fill(api, 20_000 * rounds, progress);
      rows.push(...(await compare('job cycles', cyclesRound)));
      return rows;
    } finally {
      for (const system of systems) await stopSystem(system);
    }

    async function compare(name: string, run: Round): Promise<readonly Row[]> {
      const works = systems.map((): Work[] => []);
      for (let round = 0; round < rounds; round += 1) {
        // The order changes, so that neither always follows the other.
        const order = round % 2 === 0 ? [0, 1] : [1, 0];
        for (const at of order) {
          const system = systems[at];
          if (system) works[at]?.push(await run(system, round));
        }
      }
      const [recorded = [], bare = []] = works;
      const rows = rowsOf(name, total(recorded), total(bare));
      progress(rows.map(({ name: row, value, unit }) => `${row} ${value.toFixed(1)} ${unit}`).join('; '));
      return rows;
    }
  },
};
