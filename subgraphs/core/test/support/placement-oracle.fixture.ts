/**
 * An independent implementation of the placement rules, by search over all sets of devices of small worlds.
 */
import { deviceFacts, deviceVerdict, verdictRank } from '../../src/gpus/verdict/device-verdict.js';
import { partOf } from '../../src/gpus/capacity/gpu-equivalents.js';
import type { Device } from '../../src/gpus/verdict/verdict.types.js';
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import type { AcquireRequest, LedgerEntry } from '../../src/scheduler/scheduler.types.js';
import type { StoredGpuRequirement } from '../../src/gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../src/gpus/device.types.js';
import type { WorkerFacts } from '../../src/scheduler/worker-facts.types.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';

/** A request of a worker, with the maximum number of jobs for it. */
export interface OracleRequest {
  readonly worker: WorkerFacts;
  readonly request: AcquireRequest;
}

/** Input of the rules: all grants are in `entries`. */
export interface OracleWorld {
  readonly queues: ReadonlyMap<string, QueueFacts>;
  readonly entries: readonly Readonly<LedgerEntry>[];
  /** Jobs that were in the ledger before the pass. */
  readonly before: ReadonlySet<string>;
  readonly asked: readonly OracleRequest[];
}

/** Rank of a set of devices; see {@link Oracle.rankOf}. */
export type SetRank = readonly [number, number, number];

/** Returns true if one is better; slightly less memory is not better, because nominal sizes are equal. */
export function isBetter(one: SetRank, other: SetRank): boolean {
  if (one[0] !== other[0]) return one[0] < other[0];
  return one[1] === other[1] ? one[2] < 0.8 * other[2] : one[1] < other[1];
}

const whole = 1000;

/** Id of the physical GPU of a device. */
const gpuOf = ({ id, parentId }: DeviceDocument): string => parentId ?? id;

/** Booked part of a host's device. */
function usedOf(world: OracleWorld, host: string, deviceId: string, hostOf: ReadonlyMap<string, string>) {
  const holders = world.entries.filter(
    ({ workerId, deviceIds }) => hostOf.get(workerId) === host && deviceIds.includes(deviceId),
  );
  let [thousandths, named, unnamed] = [0, 0, 0];
  for (const { requirements } of holders) {
    const part = requirements.gpu?.share ?? whole;
    thousandths += part;
    if (requirements.gpu?.shareMemoryMiB === undefined) unnamed += part;
    else named += requirements.gpu.shareMemoryMiB;
  }
  return { holders, thousandths, memory: (all: number) => named + (unnamed / whole) * all };
}

/** Checks the result of a pass. */
export class Oracle {
  readonly #world: OracleWorld;
  readonly #workers: readonly WorkerFacts[];
  readonly #hostOf: ReadonlyMap<string, string>;

  constructor(world: OracleWorld, workers: readonly WorkerFacts[]) {
    this.#world = world;
    this.#workers = workers;
    this.#hostOf = new Map(workers.map(({ id, host }) => [id, host]));
  }

  /** Returns the violations of the rules. */
  faults(): readonly string[] {
    const given = this.#world.entries.filter(({ jobId }) => !this.#world.before.has(jobId));
    return [
      ...given.flatMap((entry) => this.#entryFaults(entry)),
      ...this.#deviceFaults(),
      ...this.#limitFaults(),
      ...this.#world.asked.flatMap((asked) => this.#amountFaults(asked)),
    ];
  }

  /** Devices for a job on the candidate, or none if the job does not fit. */
  placementIn(
    { worker, request }: OracleRequest,
    wanted: StoredRequirements,
    experiment: string,
  ): string[] | undefined {
    if (!this.mayTake({ worker, request }, wanted, experiment)) return undefined;
    const { gpu } = wanted;
    const found = gpu && this.devicesFor(worker, request, gpu);
    return found ?? (gpu === undefined || gpu.optional ? [] : undefined);
  }

  /** Checks everything except devices. */
  mayTake({ worker, request }: OracleRequest, wanted: StoredRequirements, experiment: string): boolean {
    const queue = this.#world.queues.get(worker.queueId);
    const { limits, experiments = [] } = queue ?? {};
    const ofQueue = this.#world.entries.filter(({ queueId }) => queueId === worker.queueId).length;
    const left = this.#left({ worker, request });
    return (
      worker.state === 'READY' &&
      (experiments.length === 0 || experiments.includes(experiment)) &&
      request.experiments?.includes(experiment) !== false &&
      ofQueue < (limits?.maxRunningJobs ?? Infinity) &&
      this.#isWithin(worker.queueId, experiment, wanted) &&
      wanted.walltimeSeconds <= (request.remainingSeconds ?? Infinity) &&
      left.jobs >= 1 &&
      left.cores >= wanted.cores &&
      left.memoryMiB >= wanted.memoryMiB &&
      left.diskMiB >= wanted.diskMiB
    );
  }

  /** Returns true if one more job, charged for all its GPUs, is within the limits of its experiment. */
  #isWithin(queueId: string, experiment: string, { cores, gpu }: StoredRequirements): boolean {
    const limit = this.#limitOf(queueId, experiment);
    const used = this.#useOf(queueId, experiment);
    const gpus =
      gpu === undefined || gpu.optional ? 0 : gpu.share === undefined ? gpu.count : gpu.share / whole;
    return (
      used.jobs + 1 <= (limit?.maxRunningJobs ?? Infinity) &&
      used.cores + cores <= (limit?.maxCores ?? Infinity) &&
      (gpus === 0 || used.gpus + gpus <= (limit?.maxGpus ?? Infinity))
    );
  }

  /** Returns true if the queue of the worker allows the experiment this number of GPUs more. */
  mayHaveGpus({ worker: { queueId } }: OracleRequest, count: number, experiment: string): boolean {
    const { maxGpus = Infinity } = this.#limitOf(queueId, experiment) ?? {};
    return this.#useOf(queueId, experiment).gpus + count <= maxGpus;
  }

  #limitOf(queueId: string, experiment: string) {
    const { experimentLimits = [] } = this.#world.queues.get(queueId) ?? {};
    return experimentLimits.find((one) => one.experiment === experiment);
  }

  #useOf(queueId: string, experiment: string) {
    const own = this.#world.entries.filter(
      (entry) => entry.queueId === queueId && entry.share.startsWith(`${experiment}/`),
    );
    const sum = (amount: (entry: Readonly<LedgerEntry>) => number): number =>
      own.reduce((all, entry) => all + amount(entry), 0);
    return {
      jobs: own.length,
      cores: sum(({ requirements }) => requirements.cores),
      gpus: sum(({ gpus = 0 }) => gpus),
    };
  }

  /** Limits of experiments that a queue exceeds. */
  #limitFaults(): readonly string[] {
    return [...this.#world.queues.values()].flatMap(({ id, experimentLimits = [] }) =>
      experimentLimits.flatMap((limit) => {
        const { jobs, cores, gpus } = this.#useOf(id, limit.experiment);
        const isOver =
          jobs > (limit.maxRunningJobs ?? Infinity) ||
          cores > (limit.maxCores ?? Infinity) ||
          gpus > (limit.maxGpus ?? Infinity) + 1e-6;
        return isOver ? [`${limit.experiment} has ${jobs} jobs, ${cores} cores, ${gpus} GPUs of ${id}`] : [];
      }),
    );
  }

  /** Returns the first suitable set of free devices. */
  devicesFor(worker: WorkerFacts, request: AcquireRequest, gpu: StoredGpuRequirement): string[] | undefined {
    return this.setsFor(worker, request, gpu)[0]?.map(({ id }) => id);
  }

  /** Returns all suitable sets of free devices. */
  setsFor(
    worker: WorkerFacts,
    request: AcquireRequest,
    gpu: StoredGpuRequirement,
  ): readonly (readonly DeviceDocument[])[] {
    const free = this.#serving(worker, gpu).filter((device) => this.#isFree(worker, request, device, gpu));
    return subsets(free, gpu.count).filter((set) => isSet(set, gpu));
  }

  /** Charge for devices, in whole GPUs. */
  chargeOf(worker: WorkerFacts, set: readonly DeviceDocument[], gpu: StoredGpuRequirement): number {
    const facts = this.#facts(worker);
    return set.reduce((sum, { id }) => sum + chargeOf(gpu, facts.get(id)), 0);
  }

  /**
   * Rank of a set of devices, smaller is better: the worst verdict, then mixed makes, then the largest
   * memory.
   */
  rankOf(worker: WorkerFacts, set: readonly DeviceDocument[], gpu: StoredGpuRequirement): SetRank {
    const ranks = set.map((device) => this.#rank(worker, device, gpu));
    const makes = set.map(
      ({ model, migProfile, partitionMode }) => `${model} ${migProfile} ${partitionMode}`,
    );
    const verdict = Math.max(...ranks.map(([one]) => one));
    return [verdict, Number(new Set(makes).size > 1), Math.max(...ranks.map(([, memory]) => memory))];
  }

  /** Devices that serve by the matching rule, free or not. */
  #serving(worker: WorkerFacts, gpu: StoredGpuRequirement): readonly DeviceDocument[] {
    return worker.devices.filter((device) => this.#rank(worker, device, gpu)[0] < 3);
  }

  /** Verdict on a device, and its memory. */
  #rank(worker: WorkerFacts, device: DeviceDocument, gpu: StoredGpuRequirement): readonly [number, number] {
    const facts = this.#facts(worker).get(device.id);
    return facts ? [verdictRank(deviceVerdict(gpu, facts)), facts.memoryMiB ?? 0] : [3, 0];
  }

  #facts(worker: WorkerFacts): ReadonlyMap<string, Device> {
    const isShared = this.#world.queues.get(worker.queueId)?.limits.gpuSharing ?? false;
    const facts = deviceFacts(worker.devices, isShared);
    return new Map(worker.devices.map(({ id }, at) => [id, facts[at] as Device]));
  }

  #isFree(
    worker: WorkerFacts,
    request: AcquireRequest,
    device: DeviceDocument,
    gpu: StoredGpuRequirement,
  ): boolean {
    const used = usedOf(this.#world, worker.host, device.id, this.#hostOf);
    const isOffered = request.freeDeviceIds.includes(device.id);
    // The worker does not offer devices that its own jobs hold; the ledger knows what is left of them.
    const isOwn = used.holders.some(
      ({ workerId, jobId }) => workerId === worker.id && this.#world.before.has(jobId),
    );
    if (!isOwn && !isOffered) return false;
    const others = worker.devices.filter((one) => one.id !== device.id && gpuOf(one) === gpuOf(device));
    const othersUsed = others.map((one) => ({
      one,
      ...usedOf(this.#world, worker.host, one.id, this.#hostOf),
    }));
    if (othersUsed.some(({ holders }) => holders.some(({ requirements }) => requirements.gpu?.exclusive)))
      return false;
    if (gpu.share === undefined) {
      const isAlone = othersUsed.every(
        ({ one, holders }) => holders.length === 0 && (this.#isBad(worker, one) || offers(request, one)),
      );
      return used.thousandths === 0 && (gpu.exclusive !== true || isAlone);
    }
    const all = this.#facts(worker).get(device.id)?.memoryMiB;
    const memory = gpu.shareMemoryMiB ?? (gpu.share / whole) * (all ?? 0);
    return (
      used.thousandths + gpu.share <= whole && (all === undefined || used.memory(all) + memory <= all + 1e-3)
    );
  }

  /** Unhealthy or divided: if no job holds it, it blocks no neighbour. */
  #isBad(worker: WorkerFacts, device: DeviceDocument): boolean {
    return this.#facts(worker).get(device.id)?.health !== 'HEALTHY' || device.parentId === undefined;
  }

  #left({ worker, request }: OracleRequest) {
    const own = this.#world.entries.filter(({ workerId }) => workerId === worker.id);
    const fresh = own.filter(({ jobId }) => !this.#world.before.has(jobId));
    const sum = (entries: typeof own, name: 'cores' | 'memoryMiB' | 'diskMiB'): number =>
      entries.reduce((all, { requirements }) => all + requirements[name], 0);
    const left = (name: 'cores' | 'memoryMiB' | 'diskMiB'): number =>
      Math.min(request.free[name] - sum(fresh, name), worker.hardware[name] - sum(own, name));
    return {
      cores: left('cores'),
      memoryMiB: left('memoryMiB'),
      diskMiB: left('diskMiB'),
      jobs: request.count - fresh.length,
    };
  }

  #entryFaults({ jobId, workerId, deviceIds, requirements, gpus = 0 }: LedgerEntry): readonly string[] {
    const asked = this.#world.asked.find(({ worker }) => worker.id === workerId);
    if (!asked) return [`${jobId} went to ${workerId}, which did not ask`];
    const { gpu } = requirements;
    const found: string[] = [];
    const isWithout = deviceIds.length === 0 && (gpu === undefined || gpu.optional);
    if (isWithout) return gpus === 0 ? [] : [`${jobId} is charged ${gpus} for nothing`];
    if (gpu === undefined) return [`${jobId} asked for no devices`];
    const devices = deviceIds.map((id) => asked.worker.devices.find((one) => one.id === id));
    if (devices.length !== gpu.count || new Set(deviceIds).size !== gpu.count)
      found.push(`${jobId} has ${deviceIds.join(' ')} for ${gpu.count}`);
    const known = devices.filter((one) => one !== undefined);
    for (const one of known)
      if (this.#rank(asked.worker, one, gpu)[0] >= 3) found.push(`${jobId} has ${one.id}: does not serve`);
    if (known.length < devices.length) found.push(`${jobId} has devices of others`);
    if (!isSet(known, gpu)) found.push(`${jobId} has ${deviceIds.join(' ')}: no set`);
    const charge = this.chargeOf(asked.worker, known, gpu);
    if (Math.abs(charge - gpus) > 1e-9) found.push(`${jobId} is charged ${gpus}, not ${charge}`);
    return found;
  }

  /** Checks all devices of all hosts, independent of their reporting workers. */
  #deviceFaults(): readonly string[] {
    const found: string[] = [];
    for (const worker of this.#workers)
      for (const device of worker.devices) {
        const used = usedOf(this.#world, worker.host, device.id, this.#hostOf);
        if (used.thousandths > whole) found.push(`${device.id} is given for ${used.thousandths}`);
        const all = this.#facts(worker).get(device.id)?.memoryMiB;
        const isShared = used.thousandths < whole || used.holders.length > 1;
        if (all !== undefined && isShared && used.memory(all) > all + 1e-3)
          found.push(`${device.id} is short of memory`);
        const others = worker.devices.filter((one) => one.id !== device.id && gpuOf(one) === gpuOf(device));
        for (const { requirements, jobId } of used.holders)
          if (requirements.gpu?.exclusive)
            for (const one of others)
              if (
                usedOf(this.#world, worker.host, one.id, this.#hostOf).holders.some((h) => h.jobId !== jobId)
              )
                found.push(`${one.id} is given next to ${device.id}, which ${jobId} holds exclusively`);
      }
    return found;
  }

  #amountFaults(asked: OracleRequest): readonly string[] {
    const left = this.#left(asked);
    const { id, queueId } = asked.worker;
    const most = this.#world.queues.get(queueId)?.limits.maxRunningJobs ?? Infinity;
    const ofQueue = this.#world.entries.filter((entry) => entry.queueId === queueId);
    const fresh = ofQueue.filter(({ jobId }) => !this.#world.before.has(jobId));
    const over = Object.entries(left).filter(([, amount]) => amount < 0);
    const isGiven = fresh.some(({ workerId }) => workerId === id);
    return [
      ...(isGiven ? over.map(([name, amount]) => `${id} is over its ${name} by ${-amount}`) : []),
      ...(fresh.length > 0 && ofQueue.length > most ? [`${queueId} runs ${ofQueue.length} jobs`] : []),
    ];
  }
}

function offers({ freeDeviceIds }: AcquireRequest, { id }: DeviceDocument): boolean {
  return freeDeviceIds.includes(id);
}

/** Returns true if one job may have these devices together. */
function isSet(set: readonly DeviceDocument[], { count, nvlink, exclusive }: StoredGpuRequirement): boolean {
  const groups = new Set(set.map(({ nvlinkGroup }) => nvlinkGroup));
  if (nvlink && count > 1 && (groups.size !== 1 || groups.has(undefined))) return false;
  return exclusive !== true || new Set(set.map(gpuOf)).size === set.length;
}

function chargeOf(gpu: StoredGpuRequirement, facts: Device | undefined): number {
  if (gpu.share !== undefined) return gpu.share / whole;
  if (gpu.exclusive) return 1;
  return (facts && partOf(facts)) ?? Number.NaN;
}

function subsets<T>(of: readonly T[], count: number): readonly (readonly T[])[] {
  if (count === 0) return [[]];
  return of.flatMap((one, at) => subsets(of.slice(at + 1), count - 1).map((rest) => [one, ...rest]));
}
