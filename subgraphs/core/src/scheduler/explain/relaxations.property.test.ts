/**
 * Proposed changes, compared with a count over all workers and devices with each part changed in turn to each
 * value of the fleet.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cudaReleases } from '../../gpus/catalogue/cuda-releases.js';
import { rocmReleases } from '../../gpus/catalogue/rocm-releases.js';
import { deviceChecks } from '../../gpus/verdict/device-checks.js';
import { deviceFacts, deviceVerdict } from '../../gpus/verdict/device-verdict.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { someRequirements } from '../../../test/support/scheduler.fixture.js';
import { constraintsOf, profileOf, hostConstraintsOf } from '../requirements/constraints.js';
import { fleetFacts } from './fleet-facts.js';
import { Fleet } from '../cache/fleet.js';
import { Ledger } from '../cache/ledger.js';
import type { FleetFacts } from './pending.types.js';
import { changedBy, lacking } from '../../../test/support/relaxations.fixture.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { compileSelector } from '../requirements/selector.js';
import {
  anyFleet,
  anyRequirements,
  drivers,
  queues,
  wallMs,
} from '../../../test/support/relaxations-worlds.fixture.js';
import type { StoredGpuRequirement } from '../../gpus/gpu-requirement.types.js';
import type { DeviceDocument } from '../../gpus/device.types.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

const queueOf = (worker: WorkerFacts): QueueFacts =>
  queues.find(({ id }) => id === worker.queueId) ?? (queues[0] as QueueFacts);

function isConsidered(worker: WorkerFacts): boolean {
  const { state, experiments } = queueOf(worker);
  return state === 'ONLINE' && (experiments.length === 0 || experiments.includes('alpha'));
}

/** Devices that serve individually, and whether enough of them serve together, found by trying all sets. */
function serving(gpu: StoredGpuRequirement, worker: WorkerFacts): readonly DeviceDocument[] {
  const facts = deviceFacts(worker.devices, queueOf(worker).limits.gpuSharing ?? false);
  const found = worker.devices.filter((_device, at) => {
    const own = facts[at];
    return own !== undefined && deviceVerdict(gpu, own).kind !== 'NO';
  });
  const isConnected = gpu.nvlink && gpu.count > 1;
  const groupOf = (device: DeviceDocument): string | undefined =>
    device.nvlinkGroup ?? worker.devices.find(({ id }) => id === device.parentId)?.nvlinkGroup;
  const isSet = (set: readonly DeviceDocument[]): boolean =>
    (!isConnected || new Set(set.map(groupOf)).size === 1) &&
    (!gpu.exclusive || new Set(set.map(({ id, parentId }) => parentId ?? id)).size === set.length);
  const sets = (from: number, set: readonly DeviceDocument[]): boolean => {
    if (set.length === gpu.count) return isSet(set);
    return found.slice(from).some((device, at) => sets(from + at + 1, [...set, device]));
  };
  return sets(0, []) ? found : [];
}

function fitsHost(wanted: StoredRequirements, worker: WorkerFacts): boolean {
  const selector = wanted.selector === undefined ? undefined : compileSelector(wanted.selector);
  const left = worker.endsAt ? (worker.endsAt.getTime() - wallMs) / 1000 : Infinity;
  const profile = profileOf(worker, queueOf(worker));
  return (
    left >= wanted.walltimeSeconds &&
    hostConstraintsOf(wanted, selector).every((one) => one.refusal(profile) === undefined)
  );
}

function fits(wanted: StoredRequirements, worker: WorkerFacts): boolean {
  return fitsHost(wanted, worker) && (wanted.gpu === undefined || serving(wanted.gpu, worker).length > 0);
}

function facts(wanted: StoredRequirements, workers: readonly WorkerFacts[]): FleetFacts {
  const [fleet, ledger] = [new Fleet(), new Ledger()];
  fleet.setQueues(queues);
  for (const worker of workers) fleet.set(worker);
  return fleetFacts(prepareClass(classIdOf(wanted), -1, wanted, 1), 'alpha', { fleet, ledger, wallMs });
}

const textOf = (gpu: StoredGpuRequirement, name: string): string =>
  deviceChecks.find((check) => check.name === name)?.text(gpu) ?? '?';

/** All parts of the requirements, changed to each value of the fleet, by the changed constraint. */
function changes(
  wanted: StoredRequirements,
  workers: readonly WorkerFacts[],
): readonly (readonly [string, StoredRequirements])[] {
  const found: (readonly [string, StoredRequirements])[] = [];
  const texts = constraintsOf(wanted, undefined).map(({ text }) => text);
  const hostText = (name: string): string => texts.find((text) => text.startsWith(name)) ?? '?';
  const hardware = workers.map((worker) => worker.hardware);
  for (const name of ['cores', 'memoryMiB', 'diskMiB'] as const) {
    const { maxCores = 4, maxMemoryMiB = 8192 } = queues[1]?.limits ?? {};
    for (const value of [...hardware.map((have) => have[name]), maxCores, maxMemoryMiB])
      if (value < wanted[name]) found.push([hostText(`${name} >=`), { ...wanted, [name]: value }]);
  }
  for (const value of [7200, 5400, 1800])
    if (value < wanted.walltimeSeconds)
      found.push([hostText('walltimeSeconds'), { ...wanted, walltimeSeconds: value }]);
  for (const { architecture, architectureLevel, containerRuntimes } of hardware) {
    if (wanted.architecture !== undefined)
      found.push([hostText('architecture ='), { ...wanted, architecture }]);
    if (wanted.architectureLevel !== undefined && architectureLevel !== undefined)
      found.push([hostText('architectureLevel'), { ...wanted, architectureLevel }]);
    for (const containerRuntime of containerRuntimes)
      if (wanted.containerRuntime !== undefined)
        found.push([hostText('containerRuntimes'), { ...wanted, containerRuntime }]);
  }
  if (wanted.network) found.push(['network', { ...wanted, network: false }]);
  if (wanted.queue !== undefined) found.push([hostText('queue'), lacking(wanted, 'queue')]);
  if (wanted.selector !== undefined)
    found.push([`selector: ${wanted.selector}`, lacking(wanted, 'selector')]);
  const { gpu } = wanted;
  if (gpu === undefined) return found;
  const devices = workers.flatMap((worker) => deviceFacts(worker.devices, true));
  return [
    ...found,
    ...gpuChanges(gpu, devices).map(([name, changed]) => {
      const text = name === 'count' ? (texts[texts.length - 1] ?? '?') : textOf(gpu, name);
      return [text, { ...wanted, gpu: changed }] as const;
    }),
  ];
}

function gpuChanges(
  gpu: StoredGpuRequirement,
  devices: ReturnType<typeof deviceFacts>,
): readonly (readonly [string, StoredGpuRequirement])[] {
  const whole = lacking(gpu, 'migProfile', 'migFraction', 'share', 'shareMemoryMiB');
  const of = <T>(
    name: string,
    isRequested: boolean,
    values: readonly (T | undefined)[],
    change: (value: T) => StoredGpuRequirement,
  ): readonly (readonly [string, StoredGpuRequirement])[] =>
    isRequested
      ? [...new Set(values)].flatMap((value) => (value === undefined ? [] : [[name, change(value)] as const]))
      : [];
  const memory = devices.map(({ memoryMiB }) => memoryMiB);
  const isPart = gpu.migProfile ?? gpu.migFraction ?? gpu.share;
  return [
    ...of('vendor', gpu.vendor !== undefined, ['NVIDIA', 'AMD', 'INTEL'], (vendor) => ({ ...gpu, vendor })),
    ...of(
      'model',
      gpu.models.length > 0,
      devices.map(({ model }) => model),
      (model) => ({
        ...gpu,
        models: [...gpu.models, model],
      }),
    ),
    ...of('model', gpu.models.length > 0, [0], () => ({ ...gpu, models: [] })),
    ...of(
      'memory',
      (gpu.minMemoryMiB ?? gpu.shareMemoryMiB) !== undefined,
      memory,
      (value) => changedBy(someRequirements({ gpu }), `gpu memoryMiB >= ${value} instead of`).gpu ?? gpu,
    ),
    ...of('capability', gpu.minComputeCapability !== undefined, ['7.0', '7.5', '8.0', '9.0'], (value) => ({
      ...gpu,
      minComputeCapability: value,
    })),
    ...of('driver', gpu.minDriverVersion !== undefined, drivers, (minDriverVersion) => ({
      ...gpu,
      minDriverVersion,
    })),
    ...of(
      'cuda',
      gpu.cudaRuntime !== undefined,
      cudaReleases.map(({ version }) => version),
      (cudaRuntime) => ({
        ...gpu,
        cudaRuntime,
      }),
    ),
    ...of('cuda', gpu.needsNewDriverFeature === true, [0], () => lacking(gpu, 'needsNewDriverFeature')),
    ...of('cuda', gpu.cudaRuntime !== undefined, [0], () => ({ ...gpu, bundlesCompat: true })),
    ...of('rocm', gpu.rocmRuntime !== undefined, rocmReleases, (rocmRuntime) => ({ ...gpu, rocmRuntime })),
    ...of('gfx', gpu.gfxTargets !== undefined, ['gfx90a', 'gfx942'], (target) => ({
      ...gpu,
      gfxTargets: [...(gpu.gfxTargets ?? []), target],
    })),
    ...of(
      'targets',
      gpu.sassTargets.length + gpu.ptxTargets.length > 0,
      ['sm_70', 'sm_75', 'sm_80', 'sm_90', 'sm_120'],
      (target) => ({ ...gpu, sassTargets: [...gpu.sassTargets, target] }),
    ),
    ...of(
      'part',
      true,
      devices.map(({ migProfile }) => migProfile),
      (migProfile) => ({ ...whole, migProfile }),
    ),
    ...of('part', isPart !== undefined, [0], () => whole),
    ...of('part', gpu.migFraction !== undefined, [500, 429, 286, 143, 125], (migFraction) => ({
      ...whole,
      migFraction,
    })),
    ...of('ecc', gpu.ecc === true, [0], () => lacking(gpu, 'ecc')),
    ...of('nvlink', gpu.nvlink && gpu.count > 1, [0], () => ({ ...gpu, nvlink: false })),
    ...of('count', gpu.count > 1, [1, 2], (count) => ({ ...gpu, count: Math.min(count, gpu.count) })),
    ...of('count', gpu.exclusive === true, [0], () => lacking(gpu, 'exclusive')),
  ];
}

describe('relaxationsOf', () => {
  it('proposes changes that gain what they promise, and misses none that would gain more, for any fleet and requirements', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(anyRequirements, anyFleet, (wanted, all) => {
        const grantsWritten = facts(wanted, all);
        const workers = all.filter(isConsidered);
        expect(grantsWritten.workersConsidered).toBe(workers.length);
        expect(grantsWritten.workersThatFit).toBe(workers.filter((worker) => fits(wanted, worker)).length);
        const others = workers.filter((worker) => !fits(wanted, worker));
        const gainedBy = (relaxed: StoredRequirements): readonly WorkerFacts[] =>
          others.filter((worker) => fits(relaxed, worker));
        const most = new Map<string, number>();
        for (const { constraint, change, ...gain } of grantsWritten.relaxations) {
          const relaxed = changedBy(wanted, change);
          const gained = gainedBy(relaxed);
          const devices = gained.flatMap((worker) => (relaxed.gpu ? serving(relaxed.gpu, worker) : []));
          expect({ change, ...gain }).toEqual({
            change,
            queuesGained: new Set(gained.map(({ queueId }) => queueId)).size,
            workersGained: gained.length,
            devicesGained: devices.length,
          });
          expect(gain.workersGained).toBeGreaterThan(0);
          most.set(constraint, Math.max(most.get(constraint) ?? 0, gain.workersGained));
          seen.add(change.replace(/\S*\d\S*/g, '#').split(' instead')[0] ?? '');
        }
        const texts = grantsWritten.constraints.map(({ constraint }) => constraint);
        for (const constraint of most.keys()) expect(texts).toContain(constraint);
        // The list has at most five entries: changes may be missing in a full list.
        const isFull = grantsWritten.relaxations.length >= 5;
        for (const [constraint, relaxed] of changes(wanted, workers)) {
          if (isFull && !most.has(constraint)) continue;
          const gained = gainedBy(relaxed).length;
          if (gained > (most.get(constraint) ?? 0) && !isFull)
            throw new Error(
              `${constraint}: ${JSON.stringify(relaxed)} gains ${gained}, proposed is ${JSON.stringify(grantsWritten.relaxations)}`,
            );
        }
      }),
      { numRuns: 1500 },
    );
    expect(seen.size).toBeGreaterThan(20);
  });
});
