/** Hand-checked cases of memory: as reported, and by the nominal size of a device or a MIG profile. */
import type { SourceKey } from '../../../src/gpus/catalogue/sources.js';
import type { HardwareCase } from './hardware-case.types.js';
import type { Device, VerdictCode, VerdictKind } from '../../../src/gpus/verdict/verdict.types.js';

/** Columns: required MiB, device, MIG profile (-: whole), reported MiB, verdict with its code, source. */
const reported = `
24576 | NVIDIA A30 | - | 24258 | NATIVE OK | MIGU
16384 | Tesla T4 | - | 15109 | NATIVE OK | ECCMEM
16384 | Tesla T4 | - | 14500 | NO MEMORY_TOO_SMALL | ECCMEM
16384 | Tesla V100-SXM2-16GB | - | 16160 | NATIVE OK | PCI
12288 | Tesla P100-PCIE-12GB | - | 12198 | NATIVE OK | PCI
24576 | Tesla P40 | - | 22919 | NATIVE OK | ECCMEM
24576 | NVIDIA A10G | - | 23028 | NATIVE OK | ECCMEM
24576 | NVIDIA A10 | - | 22731 | NATIVE OK | ECCMEM
16384 | NVIDIA A16 | - | 15356 | NATIVE OK | ECCMEM
16384 | NVIDIA A2 | - | 15356 | NATIVE OK | ECCMEM
49152 | NVIDIA RTX A6000 | - | 49140 | NATIVE OK | HFCSV
49152 | NVIDIA RTX A6000 | - | 45634 | NATIVE OK | ECCMEM
49152 | NVIDIA RTX 6000 Ada Generation | - | 46068 | NATIVE OK | ECCMEM
49152 | NVIDIA L40 | - | 46068 | NATIVE OK | ECCMEM
49152 | NVIDIA A40 | - | 45634 | NATIVE OK | ECCMEM
24576 | NVIDIA GeForce RTX 3090 | - | 23000 | NO MEMORY_TOO_SMALL | HFCSV
98304 | NVIDIA RTX PRO 6000 Blackwell Server Edition | - | 97887 | NATIVE OK | MIGU
96256 | NVIDIA H100 NVL | - | 95830 | NATIVE OK | MIGU
98304 | NVIDIA GH200 480GB | - | 97871 | NATIVE OK | MIGU
98304 | NVIDIA GH200 120GB | - | 97871 | NATIVE OK | MIGU
144384 | NVIDIA H200 | - | 143771 | NATIVE OK | MIGU
184320 | NVIDIA B200 | - | 183359 | NATIVE OK | MIGU
190464 | NVIDIA GB200 | - | 189471 | NATIVE OK | MIGU
294912 | NVIDIA B300 SXM6 AC | - | 275040 | NATIVE OK | B300MEM
294912 | NVIDIA B300 SXM6 AC | - | 270000 | NO MEMORY_TOO_SMALL | B300MEM
65536 | NVIDIA A100-SXM-64GB | - | 65536 | NATIVE OK | PCI
40961 | NVIDIA A100-SXM4-40GB | - | 40959 | NO MEMORY_TOO_SMALL | MIGU
12288 | NVIDIA H100 NVL | 1g.12gb | 11008 | NATIVE OK | MIGNAME
12288 | NVIDIA GH200 480GB | 1g.12gb | 11008 | NATIVE OK | MIGNAME
18432 | NVIDIA H200 | 1g.18gb | 16384 | NATIVE OK | MIGNAME
35840 | NVIDIA H200 | 2g.35gb | 33280 | NATIVE OK | MIGNAME
18432 | NVIDIA H200 | 1g.18gb | 14000 | NO MEMORY_TOO_SMALL | MIGNAME
144384 | NVIDIA H200 | 7g.141gb | 143360 | NATIVE OK | MIGNAME
10240 | NVIDIA A100-SXM4-80GB | 1g.10gb+me | 9728 | NATIVE OK | MIGP
20480 | NVIDIA H100 80GB HBM3 | 1g.20gb | 19968 | NATIVE OK | MIGP
6144 | NVIDIA A30 | 1g.6gb | 5952 | NATIVE OK | MIGP
23552 | NVIDIA B200 | 1g.23gb | 21632 | NATIVE OK | MIGNAME
34816 | NVIDIA B300 SXM6 AC | 1g.34gb | 34560 | NATIVE OK | MIGP
5121 | NVIDIA A100-SXM4-40GB | 1g.5gb | 4864 | NO MEMORY_TOO_SMALL | MIGP
`;

const columns: readonly HardwareCase[] = reported
  .trim()
  .split('\n')
  .map((line) => line.split(' | '))
  .map(([asked, model = '', migProfile = '-', memoryMiB, verdict = '', source = '']): HardwareCase => {
    const [kind, code] = verdict.split(' ') as [VerdictKind, VerdictCode];
    const part = migProfile === '-' ? {} : { migProfile };
    const facts = { model, memoryMiB: Number(memoryMiB), ...part };
    const device = migProfile === '-' ? facts : { ...facts, parentId: 'GPU-0' };
    return [{ minMemoryMiB: Number(asked), ...part }, device, kind, code, source as SourceKey];
  });

const a100x40 = { model: 'NVIDIA A100-SXM4-40GB' };
const a100x80 = { model: 'NVIDIA A100-SXM4-80GB' };
const slice = (migProfile: string, model: string) => ({ model, migProfile, parentId: 'GPU-0' });
const amd = (model: string, more: Partial<Device> = {}) => ({ vendor: 'AMD', model, ...more });

const others: readonly HardwareCase[] = [
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
  // Error correction takes a sixteenth of GDDR6.
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

/** All cases. */
export const memoryCases: readonly HardwareCase[] = [...columns, ...others];
