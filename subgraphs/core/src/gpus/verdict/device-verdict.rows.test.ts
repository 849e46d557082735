import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { gpuModels } from '../catalogue/catalogue.js';
import { capabilities, cudaFamilies, cudaReleases } from '../catalogue/cuda-releases.js';
import { compareVersions, majorOf } from '../catalogue/versions.js';
import { deviceVerdict, verdictRank } from './device-verdict.js';
import { leastReportedMiB } from './memory-check.js';
import { device, gpu, known } from '../../../test/support/gpus/verdict.fixture.js';
import type { StoredGpuRequirement } from '../gpu-requirement.types.js';

const anyRelease = fc.constantFrom(...cudaReleases);
const driverNear = fc
  .constantFrom(...cudaReleases)
  .chain(({ driver }) => fc.constantFrom(driver, `${driver}.1`, lower(driver)));

/** A driver just below. */
function lower(driver: string): string {
  const parts = driver.split('.').map(Number);
  const at = parts.length - 1;
  parts[at] = (parts[at] ?? 0) - 1;
  return (parts[at] ?? 0) < 0 ? `${(parts[0] ?? 1) - 1}.999` : parts.join('.');
}

const newestCapable = (driver: string) =>
  device({ driverVersion: driver, computeCapability: '8.0', model: 'NVIDIA A100-SXM4-80GB' });

describe('each row of the catalogue', () => {
  it.each(cudaReleases.map((row) => [`${row.version}.${row.update}`, row] as const))(
    'supports CUDA %s natively from its driver on, and not below',
    (runtime, row) => {
      const capability = capabilities.find(
        ({ firstCuda, capability: value, isEmbedded }) =>
          !isEmbedded &&
          compareVersions(firstCuda, row.version) <= 0 &&
          compareVersions(
            value,
            cudaFamilies.find(({ major }) => major === majorOf(row.version))?.oldestCapability ?? '0',
          ) >= 0,
      )?.capability;
      const at = (driverVersion: string) =>
        deviceVerdict(
          gpu({ cudaRuntime: runtime }),
          device({ driverVersion, ...known({ computeCapability: capability }) }),
        );
      expect(at(row.driver).kind).toBe('NATIVE');
      expect(at(lower(row.driver)).kind).not.toBe('NATIVE');
    },
  );

  it.each(cudaReleases.map((row) => [`${row.version}.${row.update}`, row] as const))(
    'lets the forward-compatibility package of CUDA %s support the branches it names, and no other',
    (runtime, { version, driver, forwardBranches }) => {
      const floor = cudaFamilies.find(({ major }) => major === majorOf(version))?.minorDriver ?? driver;
      for (let branch = 300; branch <= 620; branch += 1) {
        const driverVersion = `${branch}.1`;
        if (compareVersions(driverVersion, floor) >= 0 || compareVersions(driverVersion, driver) >= 0) break;
        const asked = gpu({ cudaRuntime: runtime, bundlesCompat: true });
        // Models that the toolkit supports: data-centre models can use the package, consumer models cannot.
        const [served, player] =
          majorOf(version) >= 11
            ? [
                { model: 'NVIDIA A100-SXM4-80GB', computeCapability: '8.0' },
                { model: 'NVIDIA GeForce RTX 3090', computeCapability: '8.6' },
              ]
            : [
                { model: 'Tesla P40', computeCapability: '6.1' },
                { model: 'NVIDIA TITAN Xp', computeCapability: '6.1' },
              ];
        const kind = (one: typeof served): string =>
          deviceVerdict(asked, device({ driverVersion, ...one })).kind;
        const expected = forwardBranches.includes(branch) ? 'FORWARD_COMPATIBLE' : 'NO';
        expect([branch, kind(served), kind(player)]).toEqual([branch, expected, 'NO']);
      }
    },
  );

  it('never gives a newer driver a worse verdict, for any release', () => {
    fc.assert(
      fc.property(anyRelease, driverNear, driverNear, fc.boolean(), ({ version }, a, b, needs) => {
        const [older, newer] = compareVersions(a, b) <= 0 ? [a, b] : [b, a];
        const asked = gpu({
          cudaRuntime: version,
          ...(needs ? { needsNewDriverFeature: true as const } : {}),
        });
        expect(verdictRank(deviceVerdict(asked, newestCapable(newer)))).toBeLessThanOrEqual(
          verdictRank(deviceVerdict(asked, newestCapable(older))),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('never accepts a device that needs new driver features if it is rejected without them', () => {
    fc.assert(
      fc.property(anyRelease, driverNear, ({ version }, driver) => {
        const strict = deviceVerdict(
          gpu({ cudaRuntime: version, needsNewDriverFeature: true }),
          newestCapable(driver),
        );
        const lax = deviceVerdict(gpu({ cudaRuntime: version }), newestCapable(driver));
        expect(verdictRank(strict)).toBeGreaterThanOrEqual(verdictRank(lax));
        if (strict.kind !== 'NO') expect(strict.kind).toBe('NATIVE');
      }),
      { numRuns: 500 },
    );
  });

  it.each(gpuModels.map((row) => [row.name, row] as const))('finds %s by each of its names', (_name, row) => {
    for (const term of [row.name, ...row.aliases, ...row.families])
      expect(
        deviceVerdict(gpu({ models: [term] }), device({ vendor: row.vendor, model: row.name })).kind,
      ).toBe('NATIVE');
    for (const pciId of row.pciIds) {
      // An id that several models share does not identify one: then the name must.
      const isShared = gpuModels.some((other) => other !== row && other.pciIds.includes(pciId));
      const model = isShared ? row.name : '?';
      expect(
        deviceVerdict(gpu({ models: [row.name] }), device({ vendor: row.vendor, model, pciId })).kind,
      ).toBe('NATIVE');
    }
    const others = gpuModels.filter(({ name }) => name !== row.name);
    for (const other of others)
      expect(
        deviceVerdict(gpu({ models: [other.name] }), device({ vendor: row.vendor, model: row.name })).kind,
      ).toBe('NO');
  });

  it.each(gpuModels.filter(({ memoryGB }) => memoryGB !== undefined).map((row) => [row.name, row] as const))(
    'matches %s with its class size and no larger one',
    (name, row) => {
      const sold = (row.memoryGB ?? 0) * 1024;
      const least = leastReportedMiB(row) ?? 0;
      const below = device({ vendor: row.vendor, model: name, memoryMiB: least - 1 });
      expect(deviceVerdict(gpu({ minMemoryMiB: sold }), below).code).toBe('MEMORY_TOO_SMALL');
      for (const memoryMiB of [...row.reportedMiB, Math.ceil(sold * 0.95), least, sold]) {
        const facts = device({ vendor: row.vendor, model: name, memoryMiB });
        expect(deviceVerdict(gpu({ minMemoryMiB: sold }), facts).kind).toBe('NATIVE');
        expect(deviceVerdict(gpu({ minMemoryMiB: sold + 1 }), facts).kind).toBe('NO');
      }
    },
  );

  it.each(
    gpuModels.flatMap((row) => row.migProfiles.map((profile) => [row.name, profile.name, profile] as const)),
  )('matches %s %s with its profile and its part of a device', (model, migProfile, profile) => {
    const slice = device({ model, migProfile, parentId: 'GPU-0', memoryMiB: profile.memoryGB * 1024 });
    const whole = gpuModels.find(({ name }) => name === model)?.migSlices ?? 0;
    expect(deviceVerdict(gpu({ migProfile }), slice).kind).toBe('NATIVE');
    expect(deviceVerdict(gpu({ migProfile: '9g.1gb' }), slice).kind).toBe('NO');
    expect(deviceVerdict(gpu({}), slice).kind).toBe('NO');
    const thousandths = Math.round((1000 * profile.slices) / whole);
    expect(deviceVerdict(gpu({ migFraction: thousandths }), slice).kind).toBe('NATIVE');
    if (thousandths < 1000)
      expect(deviceVerdict(gpu({ migFraction: thousandths + 1 }), slice).kind).toBe('NO');
    expect(profile.slices * profile.maxInstances).toBeLessThanOrEqual(whole);
  });

  it.each(
    gpuModels.flatMap(({ name, computeCapability }) =>
      computeCapability === undefined ? [] : [[name, computeCapability] as const],
    ),
  )('finds %s to have capability %s by its name, and runs code for it', (model, capability) => {
    const at = (asked: Partial<StoredGpuRequirement>) =>
      deviceVerdict(gpu(asked), device({ model, driverVersion: cudaReleases[0]?.driver ?? '' }));
    const [major = 0, minor = 0] = capability.split('.').map(Number);
    expect(at({ minComputeCapability: capability }).kind).toBe('NATIVE');
    expect(at({ minComputeCapability: `${major}.${minor + 1}` }).code).toBe('CAPABILITY_TOO_LOW');
    expect(at({ sassTargets: [`sm_${major}${minor}`] }).kind).toBe('NATIVE');
    expect(at({ sassTargets: [`sm_${major + 1}${minor}`] }).code).toBe('NO_CODE_FOR_CAPABILITY');
  });

  it.each(
    gpuModels.flatMap((row) => row.partitions.map((mode) => [row.name, ...mode.split(' ')] as string[])),
  )(
    'divides %s in %s into %s parts, each with its part of the memory',
    (model = '', partitionMode = '', count) => {
      const parts = Number(count);
      const { memoryGB = 0 } = gpuModels.find(({ name }) => name === model) ?? {};
      const memoryMiB = (memoryGB * 1024) / parts;
      const part = device({ vendor: 'AMD', model, partitionMode, memoryMiB });
      const at = (asked: Partial<StoredGpuRequirement>) => deviceVerdict(gpu(asked), part).kind;
      expect(at({})).toBe(parts === 1 ? 'NATIVE' : 'NO');
      if (parts === 1) return;
      const thousandths = Math.round(1000 / parts);
      expect(at({ migFraction: thousandths, minMemoryMiB: Math.floor(memoryMiB) })).toBe('NATIVE');
      expect(at({ migFraction: thousandths + 1 })).toBe('NO');
      expect(at({ migFraction: thousandths, minMemoryMiB: Math.ceil(memoryMiB) + 1 })).toBe('NO');
    },
  );
});
