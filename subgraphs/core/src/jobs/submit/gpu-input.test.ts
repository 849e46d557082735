import { InputErrors } from '@rhizome/errors';
import { describe, expect, it } from '@jest/globals';
import { checkGpu } from './gpu-input.js';
import type { GpuSpec } from './submit.types.js';
import type { JobInputErrorCode } from './job-input-error.types.js';

function errorsOf(spec: GpuSpec): string[][] {
  const errors = new InputErrors<JobInputErrorCode>();
  checkGpu(spec, ['gpu'], errors);
  return errors.all.map(({ path, message }) => [path.slice(1).join('.'), message]);
}

describe('checkGpu', () => {
  it.each<[GpuSpec]>([
    [{}],
    [{ count: 8, isNvlinkRequired: true, isExclusive: true, isEccRequired: true, isOptional: true }],
    [{ vendor: 'NVIDIA', models: ['A100', 'H100 SXM'], minMemoryMiB: 40_960, minDriverVersion: '535' }],
    [{ models: ['A model of nobody'], cudaRuntime: '12.4' }],
    // Either alternative is enough.
    [{ models: ['A100', 'MI250X'] }],
    [{ cudaRuntime: '12.4.1', sassTargets: ['sm_80', 'SM_90a', 'sm_100f'], ptxTargets: ['compute_90'] }],
    [{ cudaRuntime: '10.1.243', minComputeCapability: '12.0' }],
    [{ ptxTargets: ['compute_80'], ptxToolkit: '12.4' }],
    [{ sassTargets: ['sm_80'], ptxTargets: ['compute_80'] }],
    [{ vendor: 'AMD', rocmRuntime: '6.2.4', gfxTargets: ['gfx90a', 'gfx942:sramecc+:xnack-'] }],
    [{ models: ['MI300X'], gfxTargets: ['gfx9-4-generic', 'gfx11-generic'] }],
    [{ vendor: 'AMD', migFraction: 125 }],
    [{ migProfile: '1g.10gb' }],
    [{ migProfile: '1c.3g.20gb' }],
    [{ migProfile: 'MIG 1G.24GB+ME.ALL' }],
    [{ migProfile: 'nvidia.com/mig-1g.10gb.me' }],
    [{ migProfile: '1g.24gb-me', count: 2 }],
    [{ share: 300, shareMemoryMiB: 4096 }],
    [{ vendor: 'INTEL', models: ['Max 1550'] }],
  ])('accepts conditions that a device can meet: %j', (spec) => {
    expect(errorsOf(spec)).toEqual([]);
  });

  it.each<[GpuSpec, string, string]>([
    [{ cudaRuntime: '12' }, 'cudaRuntime', '"12" is not valid; must be a version such as 12.4'],
    [{ cudaRuntime: '12.' }, 'cudaRuntime', '"12." is not valid'],
    [{ cudaRuntime: 'v12.4' }, 'cudaRuntime', '"v12.4" is not valid'],
    [{ cudaRuntime: '124' }, 'cudaRuntime', 'a version such as 12.4'],
    [{ cudaRuntime: '12.x' }, 'cudaRuntime', 'a version such as 12.4'],
    [{ cudaRuntime: '' }, 'cudaRuntime', 'a version such as 12.4'],
    [{ rocmRuntime: '6' }, 'rocmRuntime', 'a version such as 6.2'],
    [{ ptxToolkit: 'cu124', sassTargets: ['sm_80'] }, 'ptxToolkit', 'a version such as 12.4'],
    [{ minComputeCapability: '80' }, 'minComputeCapability', 'a compute capability such as 8.0'],
    [{ minComputeCapability: 'sm_80' }, 'minComputeCapability', '"sm_80" is not valid'],
    [{ minDriverVersion: '535.x' }, 'minDriverVersion', 'a version such as 575.51.03'],
    [
      { sassTargets: ['sm_80', '80'] },
      'sassTargets.1',
      '"80" is not valid; must be a SASS target such as sm_80',
    ],
    [{ sassTargets: ['8.0'] }, 'sassTargets.0', 'sm_80'],
    [{ sassTargets: ['sm80'] }, 'sassTargets.0', 'sm_80'],
    [{ sassTargets: ['sm_8'] }, 'sassTargets.0', 'sm_80'],
    [{ sassTargets: ['sm_90b'] }, 'sassTargets.0', 'sm_80'],
    [{ sassTargets: ['compute_90'] }, 'sassTargets.0', 'PTX goes into ptxTargets'],
    [{ ptxTargets: ['sm_90'], ptxToolkit: '12.4' }, 'ptxTargets.0', 'SASS goes into sassTargets'],
    [
      { ptxTargets: ['compute_80'] },
      'ptxToolkit',
      'null is not valid; must be the CUDA toolkit that made the PTX',
    ],
    [{ gfxTargets: ['90a'] }, 'gfxTargets.0', 'gfx90a'],
    [{ gfxTargets: ['MI300X'] }, 'gfxTargets.0', 'gfx90a'],
    [{ gfxTargets: ['gfx7-generic'] }, 'gfxTargets.0', 'gfx9-generic'],
    [{ gfxTargets: ['gfx90a:xnack'] }, 'gfxTargets.0', 'gfx90a:xnack-'],
    [{ migProfile: '1g10gb' }, 'migProfile', 'a MIG profile such as 1g.10gb'],
    [{ migProfile: '10gb' }, 'migProfile', '"10gb" is not valid'],
    [{ migProfile: '1g.10gb*me' }, 'migProfile', '1g.10gb+me'],
    [{ migFraction: 1001 }, 'migFraction', 'at most 1000'],
    [{ migProfile: '1g.10gb', migFraction: 142 }, 'migFraction', 'not both'],
    [
      { migProfile: '1g.10gb', isNvlinkRequired: true, count: 2 },
      'isNvlinkRequired',
      'only whole devices have NVLink',
    ],
    [{ share: 300, count: 2 }, 'count', '1 with share'],
    [{ share: 300, isExclusive: true }, 'isExclusive', 'false with share'],
    [{ shareMemoryMiB: 100 }, 'shareMemoryMiB', 'absent without share'],
    [
      { vendor: 'AMD', cudaRuntime: '12.4' },
      'cudaRuntime',
      '"12.4" is not valid; must be absent with vendor AMD: only NVIDIA devices have it',
    ],
    [{ vendor: 'AMD', migProfile: '1g.10gb' }, 'migProfile', 'absent with vendor AMD'],
    [{ vendor: 'INTEL', minComputeCapability: '8.0' }, 'minComputeCapability', 'absent with vendor INTEL'],
    [
      { vendor: 'NVIDIA', rocmRuntime: '6.2' },
      'rocmRuntime',
      'absent with vendor NVIDIA: only AMD devices have it',
    ],
    [{ vendor: 'AMD', models: ['A100'] }, 'models.0', '"A100" is not valid; must be absent with vendor AMD'],
    [
      { models: ['MI300X'], sassTargets: ['sm_90'] },
      'sassTargets',
      'absent with models, which only AMD devices have',
    ],
    [
      { cudaRuntime: '12.4', rocmRuntime: '6.2' },
      'rocmRuntime',
      'absent with cudaRuntime, which only NVIDIA devices have',
    ],
    [{ minMemoryMiB: 0 }, 'minMemoryMiB', 'at least 1'],
    [{ models: [''] }, 'models.0', '1 to 100'],
  ])(
    'refuses conditions that no device can meet, with field, value and expectation: %j',
    (spec, path, expected) => {
      const found = errorsOf(spec);
      expect(found.map(([at]) => at)).toEqual([path]);
      expect(found[0]?.[1]).toContain(expected);
    },
  );
});
