import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import { capabilities, cudaFamilies, cudaReleases } from './catalogue/cuda-releases.js';
import { gpuModels } from './catalogue/catalogue.js';
import { sources } from './catalogue/sources.js';
import { compareVersions, majorOf } from './catalogue/versions.js';
import { codeTargetCases } from './code-target-cases.fixture.js';
import { cudaDriverCases } from './cuda-driver-cases.fixture.js';
import { deviceVerdict, verdictRank } from './device-verdict.js';
import { hardwareCases } from './hardware-cases.fixture.js';
import type { DeviceFacts } from './verdict.types.js';

const gpu = (change: Partial<StoredGpuRequirement>): StoredGpuRequirement => ({
  count: 1,
  models: [],
  sassTargets: [],
  ptxTargets: [],
  nvlink: false,
  optional: false,
  ...change,
});
const device = (change: Partial<DeviceFacts>): DeviceFacts => ({
  vendor: 'NVIDIA',
  model: 'x',
  health: 'HEALTHY',
  ...change,
});

const devices: Readonly<Record<string, Partial<DeviceFacts>>> = {
  P100: { model: 'Tesla P100-PCIE-16GB' },
  P40: { model: 'Tesla P40' },
  V100: { model: 'Tesla V100-SXM2-32GB' },
  T4: { model: 'Tesla T4' },
  A30: { model: 'NVIDIA A30' },
  A40: { model: 'NVIDIA A40' },
  A100: { model: 'NVIDIA A100-SXM4-40GB' },
  L4: { model: 'NVIDIA L4' },
  L40S: { model: 'NVIDIA L40S' },
  H100: { model: 'NVIDIA H100 80GB HBM3' },
  H200: { model: 'x', pciId: '10de:2335' },
  B200: { model: 'NVIDIA B200' },
  B300: { model: 'NVIDIA B300 SXM6 AC' },
  RTX3090: { model: 'NVIDIA GeForce RTX 3090' },
  RTX4090: { model: 'NVIDIA GeForce RTX 4090' },
  RTX5090: { model: 'NVIDIA GeForce RTX 5090' },
  MI210: { vendor: 'AMD', model: 'AMD Instinct MI210' },
  UNKNOWN: { model: 'Frobnicator 9' },
};

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
const told = (text: string | undefined): string | undefined =>
  text === '?' || text === '-' ? undefined : text;
const known = <T extends object>(facts: T): Partial<T> =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<T>;

describe('the verdict on a device, in cases checked by hand', () => {
  test.each(rowsOf(cudaDriverCases))(
    'CUDA %s (%s) on driver %s (CUDA %s) of %s: %s %s',
    (runtime, flags, driver, cuda, model, kind, code, source) => {
      const asked = gpu({
        cudaRuntime: runtime ?? '',
        ...(flags?.includes('n') ? { needsNewDriverFeature: true as const } : {}),
        ...(flags?.includes('b') ? { bundlesCompat: true as const } : {}),
      });
      const facts = device({
        ...devices[model ?? ''],
        ...known({ driverVersion: told(driver), cudaVersion: told(cuda) }),
      });
      expect(deviceVerdict(asked, facts)).toMatchObject({ kind, code });
      expect(Object.keys(sources)).toContain(source);
    },
  );

  test.each(rowsOf(codeTargetCases))(
    'code %s (PTX of %s, runtime %s) on driver %s, capability %s: %s %s',
    (targets, toolkit, runtime, driver, capability, kind, code, source) => {
      const all = (targets ?? '').split(',');
      const asked = gpu({
        sassTargets: all.filter((target) => target.startsWith('sm_')),
        ptxTargets: all.filter((target) => target.startsWith('compute_')),
        ...known({ ptxToolkit: told(toolkit), cudaRuntime: told(runtime) }),
      });
      const facts = device(known({ driverVersion: told(driver), computeCapability: told(capability) }));
      expect(deviceVerdict(asked, facts)).toMatchObject({ kind, code });
      expect(Object.keys(sources)).toContain(source);
    },
  );

  test.each(hardwareCases)('%j on %j: %s %s', (asked, facts, kind, code, source) => {
    expect(deviceVerdict(gpu(asked), device(facts))).toMatchObject({ kind, code });
    expect(Object.keys(sources)).toContain(source);
  });

  test('there are at least 200 of them, none twice', () => {
    const all = [
      ...rowsOf(cudaDriverCases).map((row) => row.join(' ')),
      ...rowsOf(codeTargetCases).map((row) => row.join(' ')),
      ...hardwareCases.map((row) => JSON.stringify(row)),
    ];
    expect(all.length).toBeGreaterThanOrEqual(200);
    expect(new Set(all).size).toBe(all.length);
  });
});

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

describe('over every row of the tables', () => {
  test.each(cudaReleases.map((row) => [`${row.version}.${row.update}`, row] as const))(
    'CUDA %s is native from its driver on, and not below',
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

  test.each(cudaReleases.map((row) => [`${row.version}.${row.update}`, row] as const))(
    'the forward-compatibility package of CUDA %s helps the branches that it names, and no other',
    (runtime, { version, driver, forwardBranches }) => {
      const floor = cudaFamilies.find(({ major }) => major === majorOf(version))?.minorDriver ?? driver;
      for (let branch = 300; branch <= 620; branch += 1) {
        const driverVersion = `${branch}.1`;
        if (compareVersions(driverVersion, floor) >= 0 || compareVersions(driverVersion, driver) >= 0) break;
        const asked = gpu({ cudaRuntime: runtime, bundlesCompat: true });
        // One that the toolkit knows: those of the data centre have the package, those of players do not.
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

  test('a newer driver never serves worse, whatever the release', () => {
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

  test('to need new driver features never lets a device serve that would not without', () => {
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

  test.each(gpuModels.map((row) => [row.name, row] as const))(
    '%s is found by all that it is called',
    (_name, row) => {
      for (const word of [row.name, ...row.aliases, ...row.families])
        expect(
          deviceVerdict(gpu({ models: [word] }), device({ vendor: row.vendor, model: row.name })).kind,
        ).toBe('NATIVE');
      for (const pciId of row.pciIds)
        expect(
          deviceVerdict(gpu({ models: [row.name] }), device({ vendor: row.vendor, model: '?', pciId })).kind,
        ).toBe('NATIVE');
      const others = gpuModels.filter(({ name }) => name !== row.name);
      for (const other of others)
        expect(
          deviceVerdict(gpu({ models: [other.name] }), device({ vendor: row.vendor, model: row.name })).kind,
        ).toBe('NO');
    },
  );

  test.each(
    gpuModels.filter(({ memoryGB }) => memoryGB !== undefined).map((row) => [row.name, row] as const),
  )('%s is of its class size and of no larger one', (name, row) => {
    const sold = (row.memoryGB ?? 0) * 1024;
    for (const memoryMiB of [...row.reportedMiB, Math.ceil(sold * 0.95), sold]) {
      const facts = device({ vendor: row.vendor, model: name, memoryMiB });
      expect(deviceVerdict(gpu({ minMemoryMiB: sold }), facts).kind).toBe('NATIVE');
      expect(deviceVerdict(gpu({ minMemoryMiB: sold + 1 }), facts).kind).toBe('NO');
    }
  });

  test.each(
    gpuModels.flatMap((row) => row.migProfiles.map((profile) => [row.name, profile.name, profile] as const)),
  )('%s %s serves its profile and its part of a device', (model, migProfile, profile) => {
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

  test('a device of which nothing is known serves nothing but a plain request', () => {
    const wants: Partial<StoredGpuRequirement>[] = [
      { models: ['A100'] },
      { minMemoryMiB: 1 },
      { minComputeCapability: '1.0' },
      { minDriverVersion: '1' },
      { cudaRuntime: '8.0' },
      { sassTargets: ['sm_80'] },
      { ptxTargets: ['compute_50'], ptxToolkit: '8.0' },
      { rocmRuntime: '6.2' },
      { gfxTargets: ['gfx90a'] },
      { migProfile: '1g.10gb' },
      { migFraction: 1 },
      { share: 1 },
      { ecc: true },
      { nvlink: true, count: 2 },
    ];
    fc.assert(
      fc.property(
        fc.subarray(wants, { minLength: 1 }),
        fc.constantFrom('NVIDIA', 'AMD', 'INTEL'),
        (some, vendor) => {
          const asked = gpu(Object.assign({}, ...some) as Partial<StoredGpuRequirement>);
          expect(deviceVerdict(asked, device({ vendor, model: '?' })).kind).toBe('NO');
        },
      ),
    );
    expect(deviceVerdict(gpu({}), device({ model: '?' })).kind).toBe('NATIVE');
  });

  test('every verdict says why in one line', () => {
    fc.assert(
      fc.property(fc.constantFrom(...hardwareCases), ([asked, facts]) => {
        const { reason } = deviceVerdict(gpu(asked), device(facts));
        expect(reason.length).toBeGreaterThan(0);
        expect(reason).not.toContain('\n');
        expect(reason).not.toContain('undefined');
      }),
    );
  });
});
