import { describe, expect, it } from '@jest/globals';
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

describe('code on each compute capability of the catalogue', () => {
  it.each(capabilities.map((row) => [row.capability, row] as const))(
    'runs SASS on %s if it has the same major and no later minor version; embedded, `a` and `f` targets follow their own rules',
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

  it.each(capabilities.map((row) => [row.capability, row] as const))(
    'runs PTX on %s if it is no newer; `a` targets only on their own capability, `f` targets within their family',
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

  it.each(cudaFamilies.map((row) => [row.major, row] as const))(
    'matches CUDA %s with no capability that it has dropped or does not know yet',
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

  it.each(cudaReleases.map(({ version, driver }) => [version, driver]))(
    'requires a driver that knows the PTX of CUDA %s, however well it supports the runtime',
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

describe('ROCm releases and LLVM targets', () => {
  const kindOf = (rocmRuntime: string, facts: object): string =>
    deviceVerdict(gpu({ rocmRuntime }), device({ vendor: 'AMD', model: 'x', ...facts })).kind;
  const within = (base: string, release: string): string => {
    const distance = Math.abs(rocmReleases.indexOf(base) - rocmReleases.indexOf(release));
    return distance === 0 ? 'NATIVE' : distance <= rocmReach ? 'MINOR_COMPATIBLE' : 'NO';
  };

  it.each(rocmReleases)('matches ROCm %s on a host with two releases before and after it', (rocmVersion) => {
    for (const release of rocmReleases)
      expect([release, kindOf(release, { rocmVersion })]).toEqual([release, within(rocmVersion, release)]);
  });

  it.each(Object.entries(amdgpuModules))('matches module %s as ROCm %s', (driverVersion, base) => {
    for (const release of rocmReleases)
      expect([release, kindOf(release, { driverVersion })]).toEqual([release, within(base, release)]);
  });

  it.each(Object.entries(amdgpuDrivers))(
    'matches amdgpu %s with ROCm %s and no other release',
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

  it.each(targets)('runs on %s only its own code and that of its generic target', (gfxTarget) => {
    const runs = (code: string): boolean =>
      deviceVerdict(gpu({ gfxTargets: [code] }), device({ vendor: 'AMD', gfxTarget })).kind === 'NATIVE';
    for (const other of targets) expect([other, runs(other)]).toEqual([other, other === gfxTarget]);
    for (const [generic, members] of Object.entries(genericTargets))
      expect([generic, runs(generic)]).toEqual([generic, members.includes(gfxTarget)]);
  });

  it.each(
    gpuModels.filter(({ gfxTarget }) => gfxTarget !== undefined).map((row) => [row.name, row] as const),
  )('finds the target of %s by its name', (model, { gfxTarget = '' }) => {
    const on = (code: string) => deviceVerdict(gpu({ gfxTargets: [code] }), device({ vendor: 'AMD', model }));
    expect(on(gfxTarget).kind).toBe('NATIVE');
    expect(on('gfx000').code).toBe('WRONG_TARGET');
  });
});
