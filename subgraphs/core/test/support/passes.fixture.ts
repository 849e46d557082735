/** For tests: passes of the scheduler over a few workers. */
import type { DeviceDocument } from '../../src/gpus/device.types.js';
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';
import { Fleet } from '../../src/scheduler/cache/fleet.js';
import { GpuDemand } from '../../src/scheduler/cache/gpu-demand.js';
import { Ledger } from '../../src/scheduler/cache/ledger.js';
import { ReadyWindows } from '../../src/scheduler/cache/ready-windows.js';
import { matchPass } from '../../src/scheduler/placement/matcher.js';
import { prepareClass, type RequirementClass } from '../../src/scheduler/requirements/requirement-class.js';
import type { WorkerFacts } from '../../src/scheduler/worker-facts.types.js';
import { aGpu, aQueue, aReadyJob, aWorker, devicesOfHost, someRequirements } from './scheduler.fixture.js';

/** Requirements of a job with one GPU. */
export const oneGpu = { cores: 2, memoryMiB: 1024, gpu: aGpu() };

/** Workers, ready jobs and grants, with the steps of a test. */
export type Passes = ReturnType<typeof passes>;

/** An empty fleet with a queue that allows the sharing of GPUs. */
export function passes() {
  const [fleet, windows, ledger] = [new Fleet(), new ReadyWindows(), new Ledger()];
  let demand = new GpuDemand();
  const classes = new Map<string, RequirementClass>();
  let jobs = 0;
  fleet.setQueues([aQueue({ limits: { gpuSharing: true } })]);

  function host(
    id: string,
    devices: readonly Partial<DeviceDocument>[],
    change: Partial<WorkerFacts> = {},
  ): void {
    fleet.set(
      aWorker({
        id,
        host: id,
        name: id,
        hardware: { cores: 32, memoryMiB: 262_144 },
        devices: devicesOfHost(id, devices),
        ...change,
      }),
    );
  }

  function ready(
    count: number,
    requirements: Partial<StoredRequirements>,
    share = 'alpha/default',
  ): RequirementClass {
    const wanted = someRequirements(requirements);
    const id = classIdOf(wanted);
    const cls = classes.get(id) ?? prepareClass(id, classes.size, wanted, 1);
    classes.set(id, cls);
    const window = windows.open(share, id);
    if (!window.isComplete) window.endRefill(window.beginRefill(), []);
    for (let i = 0; i < count; i += 1)
      window.insert(aReadyJob(`job_${String((jobs += 1)).padStart(5, '0')}`));
    demand.record(cls, count);
    return cls;
  }

  /** Runs a pass with all workers. @returns the jobs of each, with their devices */
  function pass(
    limit = 1000,
    workers = [...fleet.workers()],
  ): Readonly<Record<string, readonly (readonly string[])[]>> {
    const requests = workers.map((worker) => ({
      worker,
      limit,
      request: {
        workerId: worker.facts.id,
        count: limit,
        free: { cores: 1000, memoryMiB: 10_000_000, diskMiB: 10_000_000 },
        freeDeviceIds: worker.facts.devices.map(({ id }) => id),
      },
    }));
    const { picks } = matchPass(
      { fleet, windows, ledger, demand, classOf: (id) => classes.get(id) },
      requests,
      0,
    );
    for (const { entry } of picks.flat()) ledger.confirm(entry.jobId, 8);
    return Object.fromEntries(
      picks.flatMap((list, at) =>
        list.length > 0 ? [[workers[at]?.facts.id ?? '', list.map(({ entry }) => entry.deviceIds)]] : [],
      ),
    );
  }

  /** Forgets which GPUs jobs have asked for. */
  function forgetDemand(): void {
    demand = new GpuDemand();
  }

  const checkBookings = (): void => assertBookings(ledger, classes);
  return { fleet, ledger, host, ready, pass, checkBookings, forgetDemand };
}

/**
 * Checks that no device is booked beyond its capacity, and that each job has what it requires, on devices of
 * its worker.
 */
function assertBookings(ledger: Ledger, classes: ReadonlyMap<string, RequirementClass>): void {
  const used = new Map<string, number>();
  for (const { workerId, classId, deviceIds, jobId } of ledger.entries()) {
    const gpu = classes.get(classId)?.requirements.gpu;
    if (gpu && !gpu.optional && deviceIds.length !== gpu.count)
      throw new Error(`${jobId} has ${deviceIds.length} devices`);
    for (const id of deviceIds) {
      const sum = (used.get(`${workerId} ${id}`) ?? 0) + (gpu?.share ?? 1000);
      if (sum > 1000) throw new Error(`${id} is given for ${sum}/1000`);
      used.set(`${workerId} ${id}`, sum);
    }
  }
}
