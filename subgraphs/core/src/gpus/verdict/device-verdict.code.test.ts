import { describe, expect, test } from '@jest/globals';
import { gpuModels } from '../catalogue/catalogue.js';
import { capabilities, cudaFamilies, cudaReleases } from '../catalogue/cuda-releases.js';
import {
  amdgpuDrivers,
  amdgpuModules,
  genericTargets,
  rocmReach,
  rocmReleases,
} from '../catalogue/rocm-releases.js';
import { compareVersions, isAtLeast } from '../catalogue/versions.js';
import { deviceVerdict } from './device-verdict.js';
import { device, gpu } from '../../../test/support/gpus/verdict.fixture.js';

const newest = cudaReleases[0]?.driver ?? '';
const partsOf = (capability: string): [number, number] =>
  capability.split('.').map(Number) as [number, number];
const plain = (capability: string): string => capability.replace('.', '');

describe('code against each capability of the table', () => {
  test.each(capabilities.map((row) => [row.capability, row] as const))(
    'SASS on %s is that of its major version up to its minor version, exact for embedded chips, `a` and `f` targets as told',
    (capability, { family, isEmbedded }) => {
      const [major, minor] = partsOf(capability);
      const on = (target: string): boolean =>
        deviceVerdict(
          gpu({ sassTargets: [`sm_${target}`] }),
          device({ computeCapability: capability, driverVersion: newest }),
        ).kind === 'NATIVE';
      for (const code of capabilities) {
        const [codeMajor, codeMinor] = partsOf(code.capability);
        const isSame = code.capability === capability;
        const isOlder = codeMajor === major && codeMinor <= minor;
        const runs = isSame || (isOlder && !isEmbedded && !code.isEmbedded);
        const target = plain(code.capability);
        expect([target, on(target), on(`${target}a`), on(`${target}f`)]).toEqual([
          target,
          runs,
          isSame,
          runs && code.family === family,
        ]);
      }
    },
  );

  test.each(capabilities.map((row) => [row.capability, row] as const))(
    'PTX runs on %s where it is as old or older, `a` targets on their own capability, `f` targets in their family',
    (capability, { family }) => {
      for (const code of capabilities) {
        const on = (suffix: string): boolean =>
          deviceVerdict(
            gpu({ ptxTargets: [`compute_${plain(code.capability)}${suffix}`], ptxToolkit: '8.0' }),
            device({ computeCapability: capability, driverVersion: newest }),
          ).kind === 'NATIVE';
        const isOld = compareVersions(code.capability, capability) <= 0;
        expect([code.capability, on(''), on('a'), on('f')]).toEqual([
          code.capability,
          isOld,
          code.capability === capability,
          isOld && code.family === family,
        ]);
      }
    },
  );

  test.each(cudaFamilies.map((row) => [row.major, row] as const))(
    'CUDA %s serves no capability below its oldest, and none before it knew it',
    (major, { oldestCapability }) => {
      for (const release of cudaReleases.filter(({ version }) => version.startsWith(`${major}.`)))
        for (const { capability, firstCuda } of capabilities) {
          const { code } = deviceVerdict(
            gpu({ cudaRuntime: release.version }),
            device({ computeCapability: capability, driverVersion: newest }),
          );
          const expected =
            compareVersions(capability, oldestCapability) < 0
              ? 'DROPPED_CAPABILITY'
              : compareVersions(release.version, firstCuda) < 0
                ? 'TOO_NEW_FOR_RUNTIME'
                : 'OK';
          expect([release.version, capability, code]).toEqual([release.version, capability, expected]);
        }
    },
  );

  test.each(cudaReleases.map(({ version, driver }) => [version, driver]))(
    'PTX of CUDA %s needs a driver that knows it, however well its runtime is served',
    (version, driver) => {
      const asked = gpu({ ptxTargets: ['compute_35'], ptxToolkit: version });
      const on = (driverVersion: string) =>
        deviceVerdict(asked, device({ computeCapability: '9.0', driverVersion }));
      expect(on(newest).kind).toBe('NATIVE');
      const older = cudaReleases.find((row) => compareVersions(row.version, version) < 0)?.driver;
      if (older !== undefined) expect(on(older).code).toBe('PTX_TOO_NEW');
      expect(isAtLeast(newest, driver)).toBe(true);
    },
  );
});

describe('ROCm and targets, over every row of the tables', () => {
  const kindOf = (rocmRuntime: string, facts: object): string =>
    deviceVerdict(gpu({ rocmRuntime }), device({ vendor: 'AMD', model: 'x', ...facts })).kind;
  const within = (base: string, release: string): string => {
    const distance = Math.abs(rocmReleases.indexOf(base) - rocmReleases.indexOf(release));
    return distance === 0 ? 'NATIVE' : distance <= rocmReach ? 'MINOR_COMPATIBLE' : 'NO';
  };

  test.each(rocmReleases)('ROCm %s on a host goes with two releases before and after it', (rocmVersion) => {
    for (const release of rocmReleases)
      expect([release, kindOf(release, { rocmVersion })]).toEqual([release, within(rocmVersion, release)]);
  });

  test.each(Object.entries(amdgpuModules))('module %s goes with what ROCm %s does', (driverVersion, base) => {
    for (const release of rocmReleases)
      expect([release, kindOf(release, { driverVersion })]).toEqual([release, within(base, release)]);
  });

  test.each(Object.entries(amdgpuDrivers))(
    'amdgpu %s goes with ROCm %s and no other',
    (driverVersion, releases) => {
      for (const release of rocmReleases)
        expect([release, kindOf(release, { driverVersion })]).toEqual([
          release,
          releases.includes(release) ? 'MINOR_COMPATIBLE' : 'NO',
        ]);
    },
  );

  const targets = [
    ...new Set([
      ...Object.values(genericTargets).flat(),
      ...gpuModels.flatMap(({ gfxTarget }) => gfxTarget ?? []),
    ]),
  ];

  test.each(targets)('%s runs its own code and that of its generic target alone', (gfxTarget) => {
    const runs = (code: string): boolean =>
      deviceVerdict(gpu({ gfxTargets: [code] }), device({ vendor: 'AMD', gfxTarget })).kind === 'NATIVE';
    for (const other of targets) expect([other, runs(other)]).toEqual([other, other === gfxTarget]);
    for (const [generic, members] of Object.entries(genericTargets))
      expect([generic, runs(generic)]).toEqual([generic, members.includes(gfxTarget)]);
  });

  test.each(
    gpuModels.filter(({ gfxTarget }) => gfxTarget !== undefined).map((row) => [row.name, row] as const),
  )('%s has its target by its name', (model, { gfxTarget = '' }) => {
    const on = (code: string) => deviceVerdict(gpu({ gfxTargets: [code] }), device({ vendor: 'AMD', model }));
    expect(on(gfxTarget).kind).toBe('NATIVE');
    expect(on('gfx000').code).toBe('WRONG_TARGET');
  });
});
