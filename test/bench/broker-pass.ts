/** Full passes of the matcher over a synthetic fleet: cold, warm, and what they need of memory. */
import {
  type FleetWorker,
  matchPass,
  type CandidateRequest,
  type StoredGpuRequirement,
} from '@rhizome/core/scheduler';
import { chance, World } from './broker-world.js';
import type { Calibration } from './calibration.js';
import { collectGarbage } from './collect-garbage.js';
import type { Row } from './report.js';

const workers = 20_000;
const classes = 1000;
const warmPasses = 7;
/**
 * Goals in multiples of the calibration loop: 1.5 s cold and 150 ms warm on a host where the loop takes 100
 * ms.
 */
const coldPassLoops = 15;
const warmPassLoops = 1.5;
/** Fraction of jobs that end between two passes. */
const endedPart = 0.05;

function ask(worker: FleetWorker): CandidateRequest {
  const { facts } = worker;
  const request = {
    workerId: facts.id,
    count: 1000,
    free: { cores: 4096, memoryMiB: 16_777_216, diskMiB: 1_073_741_824 },
    freeDeviceIds: facts.devices.map(({ id }) => id),
  };
  return { worker, request, limit: request.count };
}

/** One pass in which every worker asks. */
function fullPass(world: World): { readonly ms: number; readonly cpuMs: number; readonly grants: number } {
  const requests = [...world.fleet.workers()].map(ask);
  const before = process.cpuUsage();
  const begun = performance.now();
  const { picks } = matchPass(world.state, requests, begun);
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(before);
  let grants = 0;
  for (const list of picks)
    for (const { entry } of list) {
      world.ledger.confirm(entry.jobId, 8);
      grants += 1;
    }
  return { ms, cpuMs: (user + system) / 1000, grants };
}

/** Gives back the jobs that ended. */
function endSome(world: World, random: () => number): number {
  const ended = [...world.ledger.entries()].filter(() => random() < endedPart);
  for (const { jobId } of ended) world.ledger.release(jobId, Number.MAX_SAFE_INTEGER);
  return ended.length;
}

/**
 * Fails when a device is given to more than it has, or a job has another number of devices than it asked for.
 */
export function checkBookings(world: Pick<World, 'ledger' | 'classes'>): void {
  const used = new Map<string, number>();
  for (const { jobId, workerId, classId, deviceIds } of world.ledger.entries()) {
    const gpu: StoredGpuRequirement | undefined = world.classes.get(classId)?.requirements.gpu;
    if (gpu && !gpu.optional && deviceIds.length !== gpu.count)
      throw new Error(`job ${jobId} has ${deviceIds.length} devices and asked for ${gpu.count}`);
    for (const id of deviceIds) {
      const device = `${workerId} ${id}`;
      const sum = (used.get(device) ?? 0) + (gpu?.share ?? 1000);
      if (sum > 1000) throw new Error(`device ${device} is given to jobs for ${sum}/1000`);
      used.set(device, sum);
    }
  }
}

function heapMiB(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function memoryWith(pending: number): number {
  const before = heapMiB();
  const world = new World({ workers, classes, pending });
  fullPass(world);
  world.refill();
  const grown = heapMiB() - before;
  // The world must live until it is measured.
  return world.classes.size > 0 ? grown : 0;
}

/** Measures the passes. */
export function measurePasses({ loopMs }: Calibration, progress: (text: string) => void): readonly Row[] {
  const size = { workers, classes, pending: 1_000_000 };
  const world = new World(size);
  const cold = fullPass(world);
  progress(
    `cold pass: ${Math.round(cold.ms)} ms (${Math.round(cold.cpuMs)} ms of processor), ${cold.grants} grants`,
  );
  const random = chance(7);
  const times: number[] = [];
  const cpuTimes: number[] = [];
  let grants = 0;
  for (let pass = 0; pass < warmPasses; pass += 1) {
    world.refill();
    endSome(world, random);
    const warm = fullPass(world);
    times.push(warm.ms);
    cpuTimes.push(warm.cpuMs);
    grants += warm.grants;
    progress(
      `warm pass: ${Math.round(warm.ms)} ms (${Math.round(warm.cpuMs)} ms of processor), ${warm.grants} grants`,
    );
  }
  checkBookings(world);
  for (const list of [times, cpuTimes]) list.sort((a, b) => a - b);
  const name = 'full pass, 20,000 workers, 1,000 classes, 1,000,000 pending';
  const small = memoryWith(1_000_000);
  const large = memoryWith(10_000_000);
  return [
    { name: `${name}: cold`, value: cold.ms, unit: 'ms' },
    {
      name: `${name}: cold, in fixed loops`,
      value: cold.ms / loopMs,
      unit: '×',
      goal: { value: coldPassLoops, better: 'lower' },
    },
    { name: `${name}: cold, processor time`, value: cold.cpuMs, unit: 'ms' },
    { name: `${name}: grants of the cold pass`, value: cold.grants, unit: 'jobs' },
    { name: `${name}: warm`, value: times[times.length >> 1] ?? 0, unit: 'ms' },
    {
      name: `${name}: warm, in fixed loops`,
      value: (times[times.length >> 1] ?? 0) / loopMs,
      unit: '×',
      goal: { value: warmPassLoops, better: 'lower' },
    },
    { name: `${name}: warm, processor time`, value: cpuTimes[cpuTimes.length >> 1] ?? 0, unit: 'ms' },
    { name: `${name}: grants of a warm pass`, value: grants / warmPasses, unit: 'jobs' },
    { name: 'memory with 1,000,000 pending', value: small, unit: 'MiB' },
    {
      name: 'memory with 10,000,000 pending, as a multiple of that',
      value: large / small,
      unit: '×',
      goal: { value: 1.1, better: 'lower' },
    },
  ];
}
