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
    [{ models: ['A model of nobody'], cuda: { runtime: '12.4' } }],
    // Either alternative is enough.
    [{ models: ['A100', 'MI250X'] }],
    [
      {
        cuda: { runtime: '12.4.1', sassTargets: ['sm_80', 'SM_90a', 'sm_100f'], ptxTargets: ['compute_90'] },
      },
    ],
    [{ cuda: { runtime: '10.1.243', minComputeCapability: '12.0' } }],
    [{ cuda: { ptxTargets: ['compute_80'], ptxToolkit: '12.4' } }],
    [{ cuda: { sassTargets: ['sm_80'], ptxTargets: ['compute_80'] } }],
    [{ vendor: 'AMD', rocm: { runtime: '6.2.4', gfxTargets: ['gfx90a', 'gfx942:sramecc+:xnack-'] } }],
    [{ models: ['MI300X'], rocm: { gfxTargets: ['gfx9-4-generic', 'gfx11-generic'] } }],
    [{ vendor: 'AMD', partition: { migFraction: 125 } }],
    [{ partition: { migProfile: '1g.10gb' } }],
    [{ partition: { migProfile: '1c.3g.20gb' } }],
    [{ partition: { migProfile: 'MIG 1G.24GB+ME.ALL' } }],
    [{ partition: { migProfile: 'nvidia.com/mig-1g.10gb.me' } }],
    [{ count: 2, partition: { migProfile: '1g.24gb-me' } }],
    [{ partition: { timeShare: { thousandths: 300, memoryMiB: 4096 } } }],
    [{ vendor: 'INTEL', models: ['Max 1550'] }],
  ])('accepts conditions that a device can meet: %j', (spec) => {
    expect(errorsOf(spec)).toEqual([]);
  });

  it.each<[GpuSpec, string, string]>([
    [{ cuda: { runtime: '12' } }, 'cuda.runtime', '"12" is not valid; must be a version such as 12.4'],
    [{ cuda: { runtime: '12.' } }, 'cuda.runtime', '"12." is not valid'],
    [{ cuda: { runtime: 'v12.4' } }, 'cuda.runtime', '"v12.4" is not valid'],
    [{ cuda: { runtime: '124' } }, 'cuda.runtime', 'a version such as 12.4'],
    [{ cuda: { runtime: '12.x' } }, 'cuda.runtime', 'a version such as 12.4'],
    [{ cuda: { runtime: '' } }, 'cuda.runtime', 'a version such as 12.4'],
    [{ rocm: { runtime: '6' } }, 'rocm.runtime', 'a version such as 6.2'],
    [{ cuda: { ptxToolkit: 'cu124', sassTargets: ['sm_80'] } }, 'cuda.ptxToolkit', 'a version such as 12.4'],
    [
      { cuda: { minComputeCapability: '80' } },
      'cuda.minComputeCapability',
      'a compute capability such as 8.0',
    ],
    [{ cuda: { minComputeCapability: 'sm_80' } }, 'cuda.minComputeCapability', '"sm_80" is not valid'],
    [{ minDriverVersion: '535.x' }, 'minDriverVersion', 'a version such as 575.51.03'],
    [
      { cuda: { sassTargets: ['sm_80', '80'] } },
      'cuda.sassTargets.1',
      '"80" is not valid; must be a SASS target such as sm_80',
    ],
    [{ cuda: { sassTargets: ['8.0'] } }, 'cuda.sassTargets.0', 'sm_80'],
    [{ cuda: { sassTargets: ['sm80'] } }, 'cuda.sassTargets.0', 'sm_80'],
    [{ cuda: { sassTargets: ['sm_8'] } }, 'cuda.sassTargets.0', 'sm_80'],
    [{ cuda: { sassTargets: ['sm_90b'] } }, 'cuda.sassTargets.0', 'sm_80'],
    [{ cuda: { sassTargets: ['compute_90'] } }, 'cuda.sassTargets.0', 'PTX goes into ptxTargets'],
    [
      { cuda: { ptxTargets: ['sm_90'], ptxToolkit: '12.4' } },
      'cuda.ptxTargets.0',
      'SASS goes into sassTargets',
    ],
    [
      { cuda: { ptxTargets: ['compute_80'] } },
      'cuda.ptxToolkit',
      'null is not valid; must be the CUDA toolkit that made the PTX',
    ],
    [{ rocm: { gfxTargets: ['90a'] } }, 'rocm.gfxTargets.0', 'gfx90a'],
    [{ rocm: { gfxTargets: ['MI300X'] } }, 'rocm.gfxTargets.0', 'gfx90a'],
    [{ rocm: { gfxTargets: ['gfx7-generic'] } }, 'rocm.gfxTargets.0', 'gfx9-generic'],
    [{ rocm: { gfxTargets: ['gfx90a:xnack'] } }, 'rocm.gfxTargets.0', 'gfx90a:xnack-'],
    [{ partition: { migProfile: '1g10gb' } }, 'partition.migProfile', 'a MIG profile such as 1g.10gb'],
    [{ partition: { migProfile: '10gb' } }, 'partition.migProfile', '"10gb" is not valid'],
    [{ partition: { migProfile: '1g.10gb*me' } }, 'partition.migProfile', '1g.10gb+me'],
    [{ partition: { migFraction: 1001 } }, 'partition.migFraction', 'at most 1000'],
    [
      { isNvlinkRequired: true, count: 2, partition: { migProfile: '1g.10gb' } },
      'isNvlinkRequired',
      'only whole devices have NVLink',
    ],
    [{ count: 2, partition: { timeShare: { thousandths: 300 } } }, 'count', '1 with partition.timeShare'],
    [{ partition: { timeShare: { thousandths: 1001 } } }, 'partition.timeShare.thousandths', 'at most 1000'],
    [
      { partition: { timeShare: { thousandths: 1, memoryMiB: 0 } } },
      'partition.timeShare.memoryMiB',
      'at least 1',
    ],
    [
      { isExclusive: true, partition: { timeShare: { thousandths: 300 } } },
      'isExclusive',
      'false with partition.timeShare',
    ],
    [
      { vendor: 'AMD', cuda: { runtime: '12.4' } },
      'cuda.runtime',
      '"12.4" is not valid; must be absent with vendor AMD: only NVIDIA devices have it',
    ],
    [
      { vendor: 'AMD', partition: { migProfile: '1g.10gb' } },
      'partition.migProfile',
      'absent with vendor AMD',
    ],
    [
      { vendor: 'INTEL', cuda: { minComputeCapability: '8.0' } },
      'cuda.minComputeCapability',
      'absent with vendor INTEL',
    ],
    [
      { vendor: 'NVIDIA', rocm: { runtime: '6.2' } },
      'rocm.runtime',
      'absent with vendor NVIDIA: only AMD devices have it',
    ],
    [{ vendor: 'AMD', models: ['A100'] }, 'models.0', '"A100" is not valid; must be absent with vendor AMD'],
    [
      { models: ['MI300X'], cuda: { sassTargets: ['sm_90'] } },
      'cuda.sassTargets',
      'absent with models, which only AMD devices have',
    ],
    [
      { cuda: { runtime: '12.4' }, rocm: { runtime: '6.2' } },
      'rocm.runtime',
      'absent with cuda.runtime, which only NVIDIA devices have',
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
