/** For tests: builders of the scheduler's data. */
import type { StoredRequirements } from '../../src/jobs/model/job.types.js';
import type { LedgerEntry, ReadyJob } from '../../src/scheduler/scheduler.types.js';
import type { DeviceDocument } from '../../src/gpus/device.types.js';
import type { StoredHardware, WorkerFacts } from '../../src/scheduler/worker-facts.types.js';
import type { QueueFacts } from '../../src/queues/queue-facts.types.js';
import type { ShareFacts } from '../../src/shares/share-facts.types.js';

export { gpu as aGpu } from './gpus/verdict.fixture.js';

/** A queue without limits. */
export function aQueue(
  change: Partial<Omit<QueueFacts, 'limits'>> & { readonly limits?: Partial<QueueFacts['limits']> },
): QueueFacts {
  return {
    id: 'queue_1',
    name: 'main',
    site: 'home',
    state: 'ONLINE',
    executor: 'DIRECT',
    experiments: [],
    labels: [],
    revision: 1,
    ...change,
    limits: { heartbeatSeconds: 10, leaseSeconds: 30, ...change.limits },
  };
}

/** A worker with 8 cores. */
export function aWorker(
  change: Partial<Omit<WorkerFacts, 'hardware'>> & { readonly hardware?: Partial<StoredHardware> },
): WorkerFacts {
  return {
    id: 'worker_1',
    queueId: 'queue_1',
    host: 'host-1',
    name: 'agent-1',
    version: '1.0',
    state: 'READY',
    labels: [],
    devices: [],
    ...change,
    hardware: {
      architecture: 'x86_64',
      cores: 8,
      memoryMiB: 16_384,
      diskMiB: 100_000,
      containerRuntimes: [],
      ...change.hardware,
    },
  };
}

/** Requirements of one core, with changes. */
export function someRequirements(change: Partial<StoredRequirements> = {}): StoredRequirements {
  return { cores: 1, memoryMiB: 1024, diskMiB: 1024, walltimeSeconds: 3600, network: false, ...change };
}

/** A healthy device. */
export function aDevice(change: Partial<DeviceDocument> = {}): DeviceDocument {
  return { id: 'GPU-1', vendor: 'NVIDIA', model: 'A100', health: 'HEALTHY', ...change };
}

/** Devices of one host: each an A100 of 40 GB, with changes. */
export function devicesOfHost(
  id: string,
  devices: readonly Partial<DeviceDocument>[],
): readonly DeviceDocument[] {
  return devices.map((one, at) => ({
    id: `${id}-${at}`,
    vendor: 'NVIDIA',
    model: 'NVIDIA A100-SXM4-40GB',
    memoryMiB: 40_536,
    health: 'HEALTHY',
    ...one,
  }));
}

/** A share without a quota. */
export function aShare(change: Partial<ShareFacts> = {}): ShareFacts {
  return { path: 'alpha/default', nominalCores: 0, weight: 1, ...change };
}

/** A ready job. */
export function aReadyJob(id: string, change: Partial<ReadyJob> = {}): ReadyJob {
  return { id, priority: 0, owner: 'ada', attempt: 0, ...change };
}

/** A ledger entry. */
export function anEntry(change: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    jobId: 'job_1',
    workerId: 'worker_1',
    queueId: 'queue_1',
    share: 'alpha/default',
    owner: 'ada',
    classId: 'class_1',
    requirements: { cores: 1, memoryMiB: 1024, diskMiB: 1024 },
    deviceIds: [],
    attempt: 1,
    fence: 8,
    state: 'SENT',
    since: 0,
    ...change,
  };
}
