/**
 * A synthetic fleet with its queues, classes and pending jobs, on the broker's own rules and without a store.
 */
import {
  classIdOf,
  GpuDemand,
  Fleet,
  Ledger,
  type MatcherState,
  prepareClass,
  type QueueFacts,
  type ReadyJob,
  type ReadyKey,
  ReadyWindows,
  type RequirementClass,
  type DeviceDocument,
  type StoredRequirements,
  type WorkerFacts,
} from '@rhizome/core/scheduler';

/** Size of the synthetic site. */
export interface WorldSize {
  readonly workers: number;
  readonly classes: number;
  readonly pending: number;
}

/** Models with what their drivers report. */
const models = [
  ['NVIDIA A30', '8.0', 24_576],
  ['NVIDIA A100-SXM4-40GB', '8.0', 40_536],
  ['NVIDIA A100-SXM4-80GB', '8.0', 81_251],
  ['NVIDIA A40', '8.6', 46_068],
  ['NVIDIA A10', '8.6', 23_028],
  ['NVIDIA L4', '8.9', 23_034],
  ['NVIDIA L40S', '8.9', 46_068],
  ['NVIDIA H100 80GB HBM3', '9.0', 81_559],
  ['NVIDIA H100 NVL', '9.0', 95_830],
  ['Tesla T4', '7.5', 15_360],
] as const;
const drivers = ['515.65.01', '525.60.13', '535.104.05', '550.54.15', '560.35.05', '575.57.08', '580.95.05'];
const runtimes = ['11.8', '12.0', '12.2', '12.4', '12.6', '12.9', '13.0'];
const devicesOfHost = 8;
const coresOfHost = 128;
const memoryOfHost = 1_048_576;

/** One queue that takes everything and lets devices be shared. */
export const openQueue: QueueFacts = {
  id: 'queue_1',
  name: 'main',
  site: 'BENCH',
  state: 'ONLINE',
  executor: 'DIRECT',
  experiments: [],
  labels: [],
  limits: { heartbeatSeconds: 10, leaseSeconds: 30, gpuSharing: true },
  revision: 1,
};

/** Chance that can be repeated. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A worker with its host and devices. */
export function workerOf(
  index: number,
  hardware: { readonly cores: number; readonly memoryMiB: number },
  devices: readonly DeviceDocument[],
): WorkerFacts {
  return {
    id: `worker_${index}`,
    queueId: openQueue.id,
    host: `host-${index}`,
    name: `agent-${index}`,
    version: '1',
    state: 'READY',
    // As on real sites: no host has as much disk as another, and each may have a label of its own.
    hardware: { architecture: 'x86_64', diskMiB: 10_000_000 + index, containerRuntimes: [], ...hardware },
    labels: [{ key: 'node', value: `node-${index}` }],
    devices,
  };
}

function gpuWorker(index: number): WorkerFacts {
  const [model, computeCapability, memoryMiB] = models[index % models.length] ?? models[0];
  const driverVersion = drivers[Math.floor(index / models.length) % drivers.length] ?? '';
  const devices = Array.from({ length: devicesOfHost }, (_, at): DeviceDocument => ({
    id: `GPU-${index}-${at}`,
    vendor: 'NVIDIA',
    model,
    computeCapability,
    memoryMiB,
    driverVersion,
    health: 'HEALTHY',
  }));
  return workerOf(index, { cores: coresOfHost, memoryMiB: memoryOfHost - (index % 997) }, devices);
}

/** Requirements that differ in all that matters: cores, memory, number and size of GPUs, models, runtimes. */
function requirementsOf(index: number, random: () => number): StoredRequirements {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const count = pick([1, 1, 1, 1, 2, 2, 4, 8]);
  return {
    cores: count * pick([2, 4, 8, 12, 16]),
    memoryMiB: count * pick([8192, 16_384, 32_768, 65_536]),
    // Makes each class another one.
    diskMiB: 1000 + index,
    walltimeSeconds: 3600,
    network: false,
    gpu: {
      count,
      vendor: 'NVIDIA',
      models: random() < 0.3 ? [pick(['A100', 'H100', 'A40', 'L40S', 'T4', 'A30'])] : [],
      ...(random() < 0.5 ? { minMemoryMiB: pick([16_384, 24_576, 40_960, 81_920]) } : {}),
      cudaRuntime: pick(runtimes),
      sassTargets: [],
      ptxTargets: [],
      nvlink: false,
      optional: false,
    },
  };
}

/** The world: what a leader has in memory, and a store that gives the pending jobs of a class in order. */
export class World {
  readonly fleet = new Fleet();
  readonly ledger = new Ledger();
  readonly windows = new ReadyWindows();
  readonly demand = new GpuDemand();
  readonly classes = new Map<string, RequirementClass>();
  readonly #pendingOf: number;
  readonly #share = 'bench/default';

  constructor({ workers, classes, pending }: WorldSize, seed = 1) {
    const random = chance(seed);
    this.fleet.setQueues([openQueue]);
    for (let index = 0; index < workers; index += 1) this.fleet.set(gpuWorker(index));
    this.#pendingOf = Math.floor(pending / classes);
    for (let index = 0; index < classes; index += 1) {
      const requirements = requirementsOf(index, random);
      const id = classIdOf(requirements);
      const cls = prepareClass(id, index, requirements, 1);
      this.classes.set(id, cls);
      this.windows.open(this.#share, id);
      this.demand.record(cls, Math.ceil(random() * 20));
    }
    this.refill();
  }

  /** State that the matcher works on. */
  get state(): MatcherState {
    const { fleet, ledger, windows, demand, classes } = this;
    return { fleet, ledger, windows, demand, classOf: (id) => classes.get(id) };
  }

  /** Fills the windows that are low, as the dispatcher does from the store. */
  refill(): void {
    for (const window of this.windows.all()) {
      if (!window.isLow) continue;
      const request = window.beginRefill();
      window.endRefill(request, this.#stored(window.classId, request.after, request.limit));
    }
  }

  #stored(classId: string, after: ReadyKey | undefined, limit: number): readonly ReadyJob[] {
    const from = after ? Number(after.id.slice(-8)) + 1 : 0;
    const to = Math.min(this.#pendingOf, from + limit);
    return Array.from({ length: Math.max(0, to - from) }, (_, at) => ({
      id: `job_${classId}${String(from + at).padStart(8, '0')}`,
      priority: 0,
      owner: `owner-${(from + at) % 50}`,
      attempt: 0,
    }));
  }
}
