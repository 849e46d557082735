/** Hand-checked cases of everything but CUDA's runtime and code: memory, models, parts, ROCm, ECC, health. */
import type { StoredGpuRequirement } from '../jobs/job.types.js';
import type { DeviceFacts, VerdictCode, VerdictKind } from './verdict.types.js';
import type { SourceKey } from './catalogue/sources.js';

/** What is asked, of which device, the verdict, its code, and where it can be looked up. */
export type HardwareCase = readonly [
  Partial<StoredGpuRequirement>,
  Partial<DeviceFacts>,
  VerdictKind,
  VerdictCode,
  SourceKey,
];

const a100x40 = { model: 'NVIDIA A100-SXM4-40GB' };
const a100x80 = { model: 'NVIDIA A100-SXM4-80GB' };
const slice = (migProfile: string, model: string) => ({ model, migProfile, parentId: 'GPU-0' });
const amd = (model: string, more: Partial<DeviceFacts> = {}) => ({ vendor: 'AMD', model, ...more });

const memory: readonly HardwareCase[] = [
  [{ minMemoryMiB: 40_960 }, { ...a100x40, memoryMiB: 40_536 }, 'NATIVE', 'OK', 'HTCONDOR'],
  [{ minMemoryMiB: 40_960 }, { ...a100x40, memoryMiB: 40_339 }, 'NATIVE', 'OK', 'HTCONDOR'],
  [{ minMemoryMiB: 40_960 }, { ...a100x40, memoryMiB: 39_538 }, 'NATIVE', 'OK', 'GFD'],
  [{ minMemoryMiB: 40_960 }, { ...a100x40, memoryMiB: 38_000 }, 'NO', 'MEMORY_TOO_SMALL', 'HTCONDOR'],
  [{ minMemoryMiB: 40_961 }, { ...a100x40, memoryMiB: 40_536 }, 'NO', 'MEMORY_TOO_SMALL', 'HTCONDOR'],
  [{ minMemoryMiB: 40_000 }, { ...a100x40, memoryMiB: 40_536 }, 'NATIVE', 'OK', 'HTCONDOR'],
  [{ minMemoryMiB: 81_920 }, { ...a100x40, memoryMiB: 40_536 }, 'NO', 'MEMORY_TOO_SMALL', 'MIGU'],
  [{ minMemoryMiB: 81_920 }, { ...a100x80, memoryMiB: 81_251 }, 'NATIVE', 'OK', 'MIGU'],
  [{ minMemoryMiB: 40_960 }, { model: 'Some GPU', memoryMiB: 40_536 }, 'NO', 'MEMORY_TOO_SMALL', 'COMMON'],
  [{ minMemoryMiB: 40_960 }, { model: 'Some GPU', memoryMiB: 40_960 }, 'NATIVE', 'OK', 'COMMON'],
  [{ minMemoryMiB: 16_384 }, { model: 'Tesla T4', memoryMiB: 15_360 }, 'NATIVE', 'OK', 'GFD'],
  // Correction of errors takes a sixteenth of GDDR6.
  [{ minMemoryMiB: 24_576 }, { model: 'NVIDIA L4', memoryMiB: 23_034 }, 'NATIVE', 'OK', 'MODALMEM'],
  [{ minMemoryMiB: 24_576 }, { model: 'NVIDIA A10', memoryMiB: 23_028 }, 'NATIVE', 'OK', 'MODALMEM'],
  [{ minMemoryMiB: 49_152 }, { model: 'NVIDIA L40S', memoryMiB: 46_068 }, 'NATIVE', 'OK', 'MODALMEM'],
  [{ minMemoryMiB: 49_152 }, { model: 'NVIDIA A40', memoryMiB: 46_068 }, 'NATIVE', 'OK', 'A40MEM'],
  [{ minMemoryMiB: 49_153 }, { model: 'NVIDIA A40', memoryMiB: 46_068 }, 'NO', 'MEMORY_TOO_SMALL', 'A40MEM'],
  [
    { minMemoryMiB: 81_920 },
    { model: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559 },
    'NATIVE',
    'OK',
    'MODALMEM',
  ],
  [{ minMemoryMiB: 16_385 }, { model: 'Tesla T4', memoryMiB: 15_360 }, 'NO', 'MEMORY_TOO_SMALL', 'GFD'],
  [
    { minMemoryMiB: 32_768 },
    { model: 'Tesla V100S-PCIE-32GB', memoryMiB: 32_510 },
    'NATIVE',
    'OK',
    'CMSSW38138',
  ],
  [{ minMemoryMiB: 1 }, a100x40, 'NO', 'MEMORY_UNKNOWN', 'MIGU'],
  [{ minMemoryMiB: 5120 }, { ...slice('1g.5gb', a100x40.model), memoryMiB: 4864 }, 'NO', 'NOT_WHOLE', 'MIGP'],
  [
    { migProfile: '1g.5gb', minMemoryMiB: 5120 },
    { ...slice('1g.5gb', a100x40.model), memoryMiB: 4864 },
    'NATIVE',
    'OK',
    'MIGP',
  ],
  [
    { migProfile: '1g.5gb', minMemoryMiB: 6144 },
    { ...slice('1g.5gb', a100x40.model), memoryMiB: 4864 },
    'NO',
    'MEMORY_TOO_SMALL',
    'MIGP',
  ],
  [{ minMemoryMiB: 65_536 }, amd('AMD Instinct MI210', { memoryMiB: 65_520 }), 'NATIVE', 'OK', 'ROCMSPEC'],
  [
    { minMemoryMiB: 131_072 },
    amd('AMD Instinct MI250X', { memoryMiB: 65_520 }),
    'NO',
    'MEMORY_TOO_SMALL',
    'ROCMSPEC',
  ],
];

const models: readonly HardwareCase[] = [
  [{ models: ['A100'] }, a100x40, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['A100'] }, a100x80, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['A100-SXM4-80GB'] }, a100x40, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['nvidia_a100-sxm4-40gb'] }, a100x40, 'NATIVE', 'OK', 'GFD'],
  [{ models: ['A100-SXM4-40GB'] }, { model: 'A100-SXM4-40GB-MIG-1g.5gb' }, 'NATIVE', 'OK', 'GFD'],
  [{ models: ['A100-80GB'] }, { model: 'NVIDIA A100 80GB PCIe' }, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['H100'] }, { model: 'NVIDIA H100 80GB HBM3' }, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['H100-SXM5-80GB'] }, { model: 'NVIDIA H100 PCIe' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['H100'] }, { model: 'NVIDIA H200' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['L40'] }, { model: 'NVIDIA L40S' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['A10'] }, { model: 'NVIDIA A100-SXM4-40GB' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['A10'] }, { model: 'NVIDIA A10G' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['V100'] }, { model: 'Tesla V100-SXM2-32GB' }, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['V100S'] }, { model: 'Tesla V100-PCIE-32GB' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['A100'] }, { model: 'Graphics Device', pciId: '10de:20b2' }, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['A100'] }, { model: 'NVIDIA A100-SXM4-80GB', pciId: '10de:2330' }, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['H200', 'H100'] }, { model: 'NVIDIA H100 NVL' }, 'NATIVE', 'OK', 'PCI'],
  [
    { models: ['RTX PRO 6000'] },
    { model: 'NVIDIA RTX PRO 6000 Blackwell Server Edition' },
    'NATIVE',
    'OK',
    'PCI',
  ],
  [{ models: ['Frobnicator 9'] }, { model: 'frobnicator-9' }, 'NATIVE', 'OK', 'COMMON'],
  [{ models: ['Frobnicator 9'] }, a100x40, 'NO', 'WRONG_MODEL', 'COMMON'],
  [{ models: ['MI300X'] }, amd('AMD Instinct MI300X'), 'NATIVE', 'OK', 'ROCMSPEC'],
  [{ models: ['MI300'] }, amd('x', { pciId: '1002:74A1' }), 'NATIVE', 'OK', 'PCI'],
  [
    { models: ['Max_1550'] },
    { vendor: 'INTEL', model: 'Intel(R) Data Center GPU Max 1550' },
    'NATIVE',
    'OK',
    'INTELLBL',
  ],
  [{ models: ['Flex 170'] }, { vendor: 'INTEL', model: 'x', pciId: '8086:56c0' }, 'NATIVE', 'OK', 'PCI'],
  [{ vendor: 'NVIDIA' }, amd('MI100'), 'NO', 'WRONG_VENDOR', 'ROCMSPEC'],
  [{ vendor: 'AMD' }, amd('MI100'), 'NATIVE', 'OK', 'ROCMSPEC'],
];

const parts: readonly HardwareCase[] = [
  [{ migProfile: '1g.10gb' }, slice('1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migProfile: '1g.10gb' }, slice('MIG 1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migProfile: '1g.10gb' }, slice('1g.10gb+me', a100x80.model), 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migProfile: '2g.20gb' }, slice('1g.20gb', a100x80.model), 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migProfile: '1g.10gb' }, a100x80, 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migFraction: 142 }, slice('1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migFraction: 143 }, slice('1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migFraction: 144 }, slice('1g.10gb', a100x80.model), 'NO', 'SLICE_TOO_SMALL', 'MIGP'],
  [{ migFraction: 250 }, slice('1g.6gb', 'NVIDIA A30'), 'NATIVE', 'OK', 'MIGP'],
  [{ migFraction: 251 }, slice('1g.6gb', 'NVIDIA A30'), 'NO', 'SLICE_TOO_SMALL', 'MIGP'],
  [{ migFraction: 250 }, slice('1g.12gb', 'NVIDIA H100 NVL'), 'NO', 'SLICE_TOO_SMALL', 'MIGP'],
  [{ migFraction: 250 }, slice('2g.24gb', 'NVIDIA H100 NVL'), 'NATIVE', 'OK', 'MIGP'],
  [
    { migFraction: 250 },
    slice('1g.24gb', 'NVIDIA RTX PRO 6000 Blackwell Server Edition'),
    'NATIVE',
    'OK',
    'MIGPARTED',
  ],
  [{ migFraction: 428 }, slice('3g.40gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migFraction: 300 }, slice('1c.3g.20gb', a100x40.model), 'NO', 'SLICE_TOO_SMALL', 'MIGPARTED'],
  [{ migFraction: 1 }, slice('1g.10gb', 'Some GPU'), 'NO', 'PROFILE_UNKNOWN', 'COMMON'],
  [{ migFraction: 1 }, a100x80, 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{}, slice('7g.80gb', a100x80.model), 'NO', 'NOT_WHOLE', 'MIGP'],
  [{}, { ...a100x80, isDivided: true }, 'NO', 'DIVIDED', 'MIGU'],
  [{}, { ...a100x80, partitionMode: 'MIG' }, 'NO', 'DIVIDED', 'MIGU'],
  [{ share: 300 }, { ...a100x80, isSharingAllowed: true }, 'NATIVE', 'OK', 'COMMON'],
  [{ share: 300 }, a100x80, 'NO', 'NOT_SHARED', 'COMMON'],
  [
    { share: 300 },
    { ...slice('1g.10gb', a100x80.model), isSharingAllowed: true },
    'NO',
    'NOT_WHOLE',
    'COMMON',
  ],
  [{ share: 300 }, { ...a100x80, isDivided: true, isSharingAllowed: true }, 'NO', 'DIVIDED', 'COMMON'],
  [
    { share: 300, shareMemoryMiB: 90_000 },
    { ...a100x80, memoryMiB: 81_251, isSharingAllowed: true },
    'NO',
    'MEMORY_TOO_SMALL',
    'COMMON',
  ],
  [
    { share: 300, shareMemoryMiB: 9000 },
    { ...a100x80, isSharingAllowed: true },
    'NO',
    'MEMORY_UNKNOWN',
    'COMMON',
  ],
  [
    { share: 300, shareMemoryMiB: 9000 },
    { ...a100x80, memoryMiB: 81_251, isSharingAllowed: true },
    'NATIVE',
    'OK',
    'COMMON',
  ],
  ...partitions(),
];

/** A GPU in a mode that divides it is that many devices; tools tell the memory of the whole with each. */
function partitions(): readonly HardwareCase[] {
  const of300 = (partitionMode: string, memoryMiB = 196_592) =>
    amd('AMD Instinct MI300X', { partitionMode, memoryMiB, parentId: 'GPU-0' });
  const of300a = amd('AMD Instinct MI300A', { partitionMode: 'CPX/NPS1' });
  return [
    [{}, amd('AMD Instinct MI300X', { partitionMode: 'SPX/NPS1' }), 'NATIVE', 'OK', 'AMDPART'],
    [{}, of300('CPX/NPS4'), 'NO', 'NOT_WHOLE', 'AMDPART'],
    [{}, of300('DPX/NPS1'), 'NO', 'NOT_WHOLE', 'AMDPART'],
    [{ migFraction: 125 }, of300('CPX/NPS4'), 'NATIVE', 'OK', 'AMDPART'],
    [{ migFraction: 126 }, of300('CPX/NPS4'), 'NO', 'SLICE_TOO_SMALL', 'AMDPART'],
    [{ migFraction: 250 }, of300('QPX/NPS1'), 'NATIVE', 'OK', 'AMDPART'],
    [{ migFraction: 500 }, of300('dpx/nps1'), 'NATIVE', 'OK', 'AMDPART'],
    [{ migFraction: 167 }, of300a, 'NATIVE', 'OK', 'AMDPART'],
    [{ migFraction: 168 }, of300a, 'NO', 'SLICE_TOO_SMALL', 'AMDPART'],
    [{ migFraction: 125 }, amd('Some GPU', { partitionMode: 'CPX/NPS1' }), 'NATIVE', 'OK', 'COMMON'],
    [
      { migFraction: 1 },
      amd('AMD Instinct MI300X', { parentId: 'GPU-0' }),
      'NO',
      'PROFILE_UNKNOWN',
      'COMMON',
    ],
    [
      { migFraction: 125 },
      amd('AMD Instinct MI300X', { partitionMode: 'NPS1' }),
      'NO',
      'WRONG_PROFILE',
      'COMMON',
    ],
    [{ migProfile: '1g.10gb' }, of300('CPX/NPS4'), 'NO', 'WRONG_PROFILE', 'AMDPART'],
    [{ share: 300 }, { ...of300('CPX/NPS4'), isSharingAllowed: true }, 'NO', 'NOT_WHOLE', 'AMDPART'],
    [{ migFraction: 125, minMemoryMiB: 24_576 }, of300('CPX/NPS4', 24_574), 'NATIVE', 'OK', 'AMDPART'],
    [
      { migFraction: 125, minMemoryMiB: 32_768 },
      of300('CPX/NPS4', 24_574),
      'NO',
      'MEMORY_TOO_SMALL',
      'AMDPART',
    ],
  ];
}

const rocm: readonly HardwareCase[] = [
  [{ rocmRuntime: '6.2' }, amd('MI210', { driverVersion: '6.2.4' }), 'NATIVE', 'OK', 'ROCMKMD'],
  [
    { rocmRuntime: '6.0' },
    amd('MI210', { driverVersion: '6.2.4' }),
    'MINOR_COMPATIBLE',
    'OK_WITHIN_ROCM_REACH',
    'ROCMKMD',
  ],
  [
    { rocmRuntime: '6.3' },
    amd('MI210', { driverVersion: '6.2.4' }),
    'MINOR_COMPATIBLE',
    'OK_WITHIN_ROCM_REACH',
    'ROCMKMD',
  ],
  [{ rocmRuntime: '5.7' }, amd('MI210', { driverVersion: '6.2.4' }), 'NO', 'ROCM_OUT_OF_REACH', 'ROCMKMD'],
  [{ rocmRuntime: '7.0' }, amd('MI210', { driverVersion: '6.2.4' }), 'NO', 'ROCM_OUT_OF_REACH', 'ROCMKMD'],
  [
    { rocmRuntime: '7.2' },
    amd('MI300X', { driverVersion: '30.30.1' }),
    'MINOR_COMPATIBLE',
    'OK_WITHIN_ROCM_REACH',
    'AMDGPU',
  ],
  [
    { rocmRuntime: '6.3' },
    amd('MI300X', { driverVersion: '30.30.1' }),
    'MINOR_COMPATIBLE',
    'OK_WITHIN_ROCM_REACH',
    'AMDGPU',
  ],
  [{ rocmRuntime: '6.2' }, amd('MI300X', { driverVersion: '30.30.1' }), 'NO', 'ROCM_OUT_OF_REACH', 'AMDGPU'],
  [
    { rocmRuntime: '7.1' },
    amd('MI300X', { driverVersion: '30.30.1', rocmVersion: '7.1' }),
    'NATIVE',
    'OK',
    'AMDGPU',
  ],
  [{ rocmRuntime: '6.2' }, amd('MI210', { rocmVersion: '6.2.0' }), 'NATIVE', 'OK', 'ROCMKMD'],
  [{ rocmRuntime: '6.2' }, amd('MI210'), 'NO', 'ROCM_UNKNOWN', 'ROCMKMD'],
  [{ rocmRuntime: '6.2' }, amd('MI210', { driverVersion: '99.1' }), 'NO', 'ROCM_UNKNOWN', 'ROCMKMD'],
  [{ rocmRuntime: '6.2' }, a100x40, 'NO', 'WRONG_VENDOR', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx90a'] }, amd('MI210', { gfxTarget: 'gfx90a' }), 'NATIVE', 'OK', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx90a'] }, amd('AMD Instinct MI250X'), 'NATIVE', 'OK', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx90a'] }, amd('MI300X', { gfxTarget: 'gfx942' }), 'NO', 'WRONG_TARGET', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx942'] }, amd('MI210', { gfxTarget: 'gfx90a' }), 'NO', 'WRONG_TARGET', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx908', 'gfx942'] }, amd('MI300A', { gfxTarget: 'gfx942' }), 'NATIVE', 'OK', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx90a'] }, amd('Radeon of no catalogue'), 'NO', 'TARGET_UNKNOWN', 'ROCMSPEC'],
  [{ gfxTargets: ['gfx90a:xnack+'] }, amd('MI210', { gfxTarget: 'gfx90a' }), 'NO', 'WRONG_TARGET', 'LLVM'],
  [{ gfxTargets: ['gfx9-4-generic'] }, amd('MI300X', { gfxTarget: 'gfx942' }), 'NATIVE', 'OK', 'LLVM'],
  [
    { gfxTargets: ['gfx11-generic'] },
    amd('Radeon PRO W7900', { gfxTarget: 'gfx1100' }),
    'NATIVE',
    'OK',
    'LLVM',
  ],
  [{ gfxTargets: ['gfx11-generic'] }, amd('MI300X', { gfxTarget: 'gfx942' }), 'NO', 'WRONG_TARGET', 'LLVM'],
  [{ gfxTargets: ['gfx942'] }, a100x40, 'NO', 'WRONG_VENDOR', 'ROCMSPEC'],
];

const others: readonly HardwareCase[] = [
  [{ minComputeCapability: '8.0' }, { ...a100x40, computeCapability: '8.0' }, 'NATIVE', 'OK', 'CC'],
  [{ minComputeCapability: '8.0' }, a100x40, 'NATIVE', 'OK', 'CC'],
  [{ minComputeCapability: '8.6' }, a100x40, 'NO', 'CAPABILITY_TOO_LOW', 'CC'],
  [{ minComputeCapability: '9.0' }, { model: 'x', computeCapability: '10.0' }, 'NATIVE', 'OK', 'CC'],
  [{ minComputeCapability: '7.0' }, { model: 'x' }, 'NO', 'CAPABILITY_UNKNOWN', 'CC'],
  [{ minComputeCapability: '7.0' }, amd('MI210'), 'NO', 'CAPABILITY_UNKNOWN', 'ROCMSPEC'],
  [{ minDriverVersion: '575.51' }, { ...a100x40, driverVersion: '575.51.03' }, 'NATIVE', 'OK', 'CUDARN'],
  [{ minDriverVersion: '575.51' }, { ...a100x40, driverVersion: '575.6' }, 'NO', 'DRIVER_TOO_OLD', 'CUDARN'],
  [{ minDriverVersion: '99' }, { ...a100x40, driverVersion: '525.60.13' }, 'NATIVE', 'OK', 'CUDARN'],
  [{ minDriverVersion: '1' }, a100x40, 'NO', 'DRIVER_UNKNOWN', 'CUDARN'],
  [{ minDriverVersion: '1' }, { ...a100x40, driverVersion: 'unknown' }, 'NO', 'DRIVER_UNKNOWN', 'CUDARN'],
  [{ ecc: true }, { ...a100x40, eccEnabled: true }, 'NATIVE', 'OK', 'HTCONDOR'],
  [{ ecc: true }, { ...a100x40, eccEnabled: false }, 'NO', 'ECC_OFF', 'HTCONDOR'],
  [{ ecc: true }, a100x40, 'NO', 'ECC_UNKNOWN', 'HTCONDOR'],
  [{ nvlink: true, count: 2 }, { ...a100x40, nvlinkGroup: '0' }, 'NATIVE', 'OK', 'GFD'],
  [{ nvlink: true, count: 2 }, a100x40, 'NO', 'NVLINK_UNKNOWN', 'GFD'],
  [{ nvlink: true, count: 1 }, a100x40, 'NATIVE', 'OK', 'GFD'],
  [{}, { ...a100x40, health: 'UNHEALTHY' }, 'NO', 'UNHEALTHY', 'COMMON'],
  [{}, { ...a100x40, health: 'UNKNOWN' }, 'NO', 'HEALTH_UNKNOWN', 'COMMON'],
  [{ exclusive: true, migProfile: '1g.5gb' }, slice('1g.5gb', a100x40.model), 'NATIVE', 'OK', 'MIGU'],
];

/** All of them. */
export const hardwareCases: readonly HardwareCase[] = [...memory, ...models, ...parts, ...rocm, ...others];
