/** Hand-checked cases other than CUDA runtimes and code: models, parts, ECC, NVLink, health. */
import type { Device } from '../../../src/gpus/verdict/verdict.types.js';
import type { HardwareCase } from './hardware-case.types.js';
import { memoryCases } from './memory-cases.fixture.js';
import { rocmCases } from './rocm-cases.fixture.js';

const a100x40 = { model: 'NVIDIA A100-SXM4-40GB' };
const a100x80 = { model: 'NVIDIA A100-SXM4-80GB' };
const slice = (migProfile: string, model: string) => ({ model, migProfile, parentId: 'GPU-0' });
const amd = (model: string, more: Partial<Device> = {}) => ({ vendor: 'AMD', model, ...more });

const models: readonly HardwareCase[] = [
  [{ models: ['A100'] }, a100x40, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['A100'] }, a100x80, 'NATIVE', 'OK', 'PCI'],
  [{ models: ['A100-SXM4-80GB'] }, a100x40, 'NO', 'WRONG_MODEL', 'PCI'],
  [{ models: ['nvidia_a100-sxm4-40gb'] }, a100x40, 'NATIVE', 'OK', 'GFD'],
  // The name of a slice contains its profile if nothing else does: it is not whole.
  [{ models: ['A100-SXM4-40GB'] }, { model: 'A100-SXM4-40GB-MIG-1g.5gb' }, 'NO', 'NOT_WHOLE', 'GFD'],
  [{ share: 100 }, { model: 'NVIDIA H200 MIG 1g.18gb', isSharingAllowed: true }, 'NO', 'NOT_WHOLE', 'GFD'],
  [
    { models: ['A100-SXM4-40GB'], migProfile: '1g.5gb' },
    { model: 'A100-SXM4-40GB-MIG-1g.5gb' },
    'NATIVE',
    'OK',
    'GFD',
  ],
  [{ migProfile: '1g.10gb+me' }, { model: 'NVIDIA H100 80GB HBM3 MIG 1g.10gb+me' }, 'NATIVE', 'OK', 'MIGU'],
  [{ migFraction: 143 }, { model: 'NVIDIA H100 NVL MIG 1g.12gb' }, 'NATIVE', 'OK', 'MIGU'],
  [{ migFraction: 144 }, { model: 'NVIDIA H100 NVL MIG 1g.12gb' }, 'NO', 'SLICE_TOO_SMALL', 'MIGU'],
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

const of300 = (partitionMode: string, memoryMiB = 196_592) =>
  amd('AMD Instinct MI300X', { partitionMode, memoryMiB, parentId: 'GPU-0' });
const of300a = amd('AMD Instinct MI300A', { partitionMode: 'CPX/NPS1' });

/** A GPU in a mode that divides it is several devices; tools report the memory of the whole for each. */
const partitions: readonly HardwareCase[] = [
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
  [{ migFraction: 1 }, amd('AMD Instinct MI300X', { parentId: 'GPU-0' }), 'NO', 'PROFILE_UNKNOWN', 'COMMON'],
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

const parts: readonly HardwareCase[] = [
  [{ migProfile: '1g.10gb' }, slice('1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migProfile: '1g.10gb' }, slice('MIG 1g.10gb', a100x80.model), 'NATIVE', 'OK', 'MIGP'],
  [{ migProfile: '1g.10gb' }, slice('1g.10gb+me', a100x80.model), 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migProfile: '2g.20gb' }, slice('1g.20gb', a100x80.model), 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migProfile: '1g.10gb' }, a100x80, 'NO', 'WRONG_PROFILE', 'MIGP'],
  [{ migProfile: 'nvidia.com/mig-3g.20gb' }, slice('3g.20gb', a100x40.model), 'NATIVE', 'OK', 'GFD'],
  [{ migProfile: 'mig-1g.10gb.me' }, slice('1g.10gb+me', a100x80.model), 'NATIVE', 'OK', 'GFD'],
  [{ migProfile: 'mig-1g.10gb.me' }, slice('1g.10gb', a100x80.model), 'NO', 'WRONG_PROFILE', 'GFD'],
  [{ migFraction: 143 }, slice('1g.5gb', 'NVIDIA A100'), 'NATIVE', 'OK', 'MIGU'],
  [{ migFraction: 250 }, slice('1g.12gb-me', 'NVIDIA RTX PRO 5000 Blackwell'), 'NATIVE', 'OK', 'MIGP'],
  [{ migFraction: 428 }, slice('3g.71gb', 'NVIDIA H200'), 'NATIVE', 'OK', 'MIGP'],
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
  ...partitions,
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
  [
    { nvlink: true, count: 2, migProfile: '1g.5gb' },
    { ...slice('1g.5gb', a100x40.model), nvlinkGroup: '0' },
    'NO',
    'NVLINK_NONE',
    'MIGU',
  ],
  [{}, { ...a100x40, health: 'UNHEALTHY' }, 'NO', 'UNHEALTHY', 'COMMON'],
  [{}, { ...a100x40, health: 'UNKNOWN' }, 'NO', 'HEALTH_UNKNOWN', 'COMMON'],
  [{ exclusive: true, migProfile: '1g.5gb' }, slice('1g.5gb', a100x40.model), 'NATIVE', 'OK', 'MIGU'],
];

/** All cases. */
export const hardwareCases: readonly HardwareCase[] = [
  ...memoryCases,
  ...models,
  ...parts,
  ...rocmCases,
  ...others,
];
