/**
 * Replays a public trace of a GPU cluster (Alibaba, 2023: 1,523 hosts, 8,152 tasks) in arrival order, without
 * departures, with CPU and memory: a task that cannot be placed is refused and the replay continues. Compares
 * the scheduler's own rules with other rules on the same hosts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  classIdOf,
  GpuDemand,
  Fleet,
  Ledger,
  matchPass,
  prepareClass,
  ReadyWindows,
  type RequirementClass,
  type DeviceDocument,
  type StoredRequirements,
} from '@rhizome/core/scheduler';
import { checkBookings } from './broker-pass.js';
import { openQueue, workerOf } from './broker-world.js';
import type { Row } from './report.js';
import { baselines, type Host, type Rule, type Task } from './trace-rules.js';

const folder = join('..', 'shared', 'data');
const hostsFile = 'openb_node_list_all_node.csv';
/** One device in thousandths. */
const whole = 1000;
const share = 'trace/default';

/** Result of a rule. */
interface Outcome {
  /** Part of all GPU thousandths that was given before the first refusal. */
  readonly first: number;
  /** And at the end. */
  readonly last: number;
  readonly refused: number;
  readonly seconds: number;
}

function rowsOf(file: string): readonly Readonly<Record<string, string>>[] {
  const [head = '', ...lines] = readFileSync(join(folder, file), 'utf8').trim().split('\n');
  const names = head.trim().split(',');
  return lines.map((line) => {
    const values = line.trim().split(',');
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
  });
}

function readHosts(): readonly Host[] {
  return rowsOf(hostsFile).map((row) => ({
    cpu: Number(row['cpu_milli']),
    memory: Number(row['memory_mib']),
    model: row['model'] ?? '',
    free: Array.from({ length: Number(row['gpu']) }, () => whole),
  }));
}

function readTasks(trace: string): readonly Task[] {
  const tasks = rowsOf(`openb_pod_list_${trace}.csv`).map((row) => {
    const gpus = Number(row['num_gpu']);
    return {
      at: Number(row['creation_time']),
      task: {
        cpu: Number(row['cpu_milli']),
        memory: Number(row['memory_mib']),
        gpus,
        thousandths: gpus > 0 ? Number(row['gpu_milli']) : 0,
        models: row['gpu_spec'] ? [...new Set(row['gpu_spec'].split('|'))] : [],
      },
    };
  });
  // Sorting keeps the order of the file where times are the same.
  return tasks.sort((a, b) => a.at - b.at).map(({ task }) => task);
}

const demanded = ({ gpus, thousandths }: Task): number => gpus * thousandths;

/** Counts what is placed, task by task. */
function replay(tasks: readonly Task[], capacity: number, place: (task: Task) => boolean): Outcome {
  const begun = performance.now();
  let [given, refused] = [0, 0];
  let first: number | undefined;
  for (const task of tasks) {
    if (place(task)) given += demanded(task);
    else {
      refused += 1;
      first ??= given / capacity;
    }
  }
  return {
    first: first ?? given / capacity,
    last: given / capacity,
    refused,
    seconds: (performance.now() - begun) / 1000,
  };
}

/** The same hosts as workers: cores in thousandths, so that a part of a core counts. */
class BrokerReplay {
  readonly #fleet = new Fleet();
  readonly #windows = new ReadyWindows();
  readonly #demand = new GpuDemand();
  readonly ledger = new Ledger();
  readonly classes = new Map<string, RequirementClass>();
  #jobs = 0;

  constructor(hosts: readonly Host[]) {
    this.#fleet.setQueues([openQueue]);
    hosts.forEach(({ cpu, memory, model, free }, index) => {
      const devices = free.map((_free, at): DeviceDocument => ({
        id: `GPU-${index}-${at}`,
        vendor: 'NVIDIA',
        model,
        health: 'HEALTHY',
      }));
      this.#fleet.set(workerOf(index, { cores: cpu, memoryMiB: memory }, devices));
    });
  }

  place(task: Task): boolean {
    const cls = this.#classOf(task);
    const window = this.#windows.open(share, cls.id);
    if (!window.isComplete) window.endRefill(window.beginRefill(), []);
    const id = `job_${String((this.#jobs += 1)).padStart(8, '0')}`;
    window.insert({ id, priority: 0, owner: 'trace', attempt: 0 });
    this.#demand.record(cls);
    const requests = [...this.#fleet.workers()].map((worker) => ({
      worker,
      limit: 1,
      request: {
        workerId: worker.facts.id,
        count: 1,
        free: { cores: 1e9, memoryMiB: 1e9, diskMiB: 1e9 },
        freeDeviceIds: worker.facts.devices.map((device) => device.id),
      },
    }));
    const state = {
      fleet: this.#fleet,
      ledger: this.ledger,
      windows: this.#windows,
      demand: this.#demand,
      classOf: (classId: string) => this.classes.get(classId),
    };
    const { picks } = matchPass(state, requests, 0);
    const granted = picks.some((list) => list.length > 0);
    if (granted) this.ledger.confirm(id, 8);
    else window.remove(id);
    return granted;
  }

  #classOf({ cpu, memory, gpus, thousandths, models }: Task): RequirementClass {
    const gpu = {
      count: gpus,
      models: [...models].sort(),
      ...(thousandths < whole ? { share: thousandths } : {}),
      sassTargets: [],
      ptxTargets: [],
      nvlink: false,
      optional: false,
    };
    const requirements: StoredRequirements = {
      cores: Math.max(1, cpu),
      memoryMiB: Math.max(1, memory),
      diskMiB: 0,
      walltimeSeconds: 3600,
      network: false,
      ...(gpus > 0 ? { gpu } : {}),
    };
    const id = classIdOf(requirements);
    let cls = this.classes.get(id);
    if (!cls) this.classes.set(id, (cls = prepareClass(id, this.classes.size, requirements, 1)));
    return cls;
  }
}

function replayRule(rule: Rule, hosts: readonly Host[], tasks: readonly Task[], capacity: number): Outcome {
  const own = hosts.map((host) => ({ ...host, free: [...host.free] }));
  const choose = rule.prepare(own, tasks);
  return replay(tasks, capacity, (task) => {
    const found = choose(task);
    if (!found) return false;
    found.host.cpu -= task.cpu;
    found.host.memory -= task.memory;
    for (const at of found.devices) found.host.free[at] = (found.host.free[at] ?? 0) - task.thousandths;
    return true;
  });
}

function rowsFor(
  trace: string,
  name: string,
  { first, last, refused }: Outcome,
  best?: { first: number; last: number },
): Row[] {
  const percent = (part: number): number => Number((part * 100).toFixed(3));
  const goal = (value: number | undefined): Pick<Row, 'goal'> =>
    value === undefined ? {} : { goal: { value: percent(value), better: 'higher' } };
  return [
    {
      name: `trace ${trace}, ${name}: GPUs given before the first refusal`,
      value: percent(first),
      unit: '%',
      ...goal(best?.first),
    },
    {
      name: `trace ${trace}, ${name}: GPUs given at the end (${refused} refused)`,
      value: percent(last),
      unit: '%',
      ...goal(best?.last),
    },
  ];
}

/** Replays the traces; answers nothing where the data are not there. */
export function replayTraces(progress: (text: string) => void): readonly Row[] {
  if (!existsSync(join(folder, hostsFile))) {
    progress(`the trace is not in ${folder}: its replay is skipped`);
    return [];
  }
  const hosts = readHosts();
  const capacity = hosts.reduce((sum, { free }) => sum + free.length * whole, 0);
  const rows: Row[] = [];
  for (const trace of ['default', 'gpuspec33']) {
    const tasks = readTasks(trace);
    const others = baselines.map((rule) => {
      const outcome = replayRule(rule, hosts, tasks, capacity);
      progress(
        `${trace}, ${rule.name}: ${(outcome.last * 100).toFixed(2)} % in ${Math.round(outcome.seconds)} s`,
      );
      return { rule, outcome };
    });
    const world = new BrokerReplay(hosts);
    const ours = replay(tasks, capacity, (task) => world.place(task));
    checkBookings(world);
    progress(`${trace}, broker: ${(ours.last * 100).toFixed(2)} % in ${Math.round(ours.seconds)} s`);
    const best = {
      first: Math.max(...others.map(({ outcome }) => outcome.first)),
      last: Math.max(...others.map(({ outcome }) => outcome.last)),
    };
    rows.push(...rowsFor(trace, 'broker', ours, best));
    for (const { rule, outcome } of others) rows.push(...rowsFor(trace, rule.name, outcome));
  }
  return rows;
}
