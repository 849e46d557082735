/** Models of NVIDIA with compute capability, memory, MIG and PCI ids. */
import type { GpuModelRow } from './catalogue.types.js';
import { migProfiles, slicesOf } from './mig-profiles.js';
import type { SourceKey } from './sources.js';

/** What of a row is not the rule. */
interface Details {
  readonly aliases?: readonly string[];
  readonly mig?: keyof typeof migProfiles;
  /** Slices where MIG is known and its profiles are not. */
  readonly migSlices?: number;
  readonly reportedMiB?: readonly number[];
  /** Where these are from; left out: from where the memory is. */
  readonly reported?: SourceKey;
  readonly isDataCenter?: boolean;
  /** Where the memory is from; left out: nowhere citable. */
  readonly memory?: SourceKey;
  /** Where the capability is from, where it is in none of NVIDIA's two tables. */
  readonly capability?: SourceKey;
  readonly uncertain?: readonly string[];
  readonly legacy?: boolean;
}

type Row = readonly [
  name: string,
  families: readonly string[],
  architecture: string,
  capability: string,
  memoryGB: number | undefined,
  devices: readonly string[],
  details?: Details,
];

const mig = 'MIGU';
const rows: readonly Row[] = [
  ['P100-PCIE-12GB', ['P100'], 'Pascal', '6.0', 12, ['15f7'], { legacy: true, memory: 'PCI' }],
  ['P100-PCIE-16GB', ['P100'], 'Pascal', '6.0', 16, ['15f8'], { legacy: true, memory: 'PCI' }],
  ['P100-SXM2-16GB', ['P100'], 'Pascal', '6.0', 16, ['15f9'], { legacy: true, memory: 'PCI' }],
  ['P40', [], 'Pascal', '6.1', 24, ['1b38'], { legacy: true }],
  ['V100-SXM2-16GB', ['V100', 'V100-SXM2'], 'Volta', '7.0', 16, ['1db1'], { legacy: true, memory: 'PCI' }],
  ['V100-PCIE-16GB', ['V100', 'V100-PCIE'], 'Volta', '7.0', 16, ['1db4'], { legacy: true, memory: 'PCI' }],
  ['V100-SXM2-32GB', ['V100', 'V100-SXM2'], 'Volta', '7.0', 32, ['1db5'], { legacy: true, memory: 'PCI' }],
  ['V100-PCIE-32GB', ['V100', 'V100-PCIE'], 'Volta', '7.0', 32, ['1db6'], { legacy: true, memory: 'PCI' }],
  ['V100-SXM3-32GB', ['V100', 'V100-SXM3'], 'Volta', '7.0', 32, ['1db8'], { legacy: true, memory: 'PCI' }],
  [
    'V100S-PCIE-32GB',
    ['V100', 'V100S'],
    'Volta',
    '7.0',
    32,
    ['1df6'],
    { legacy: true, reportedMiB: [32_510], memory: 'CMSSW38138' },
  ],
  ['T4', [], 'Turing', '7.5', 16, ['1eb8'], { reportedMiB: [15_360], memory: 'GFD' }],
  [
    'A100-SXM4-40GB',
    ['A100', 'A100-SXM4', 'A100-40GB'],
    'Ampere',
    '8.0',
    40,
    ['20b0'],
    { mig: 'a100x40', reportedMiB: [40_536, 40_339, 39_538], memory: mig },
  ],
  [
    'A100-PCIE-40GB',
    ['A100', 'A100-PCIE', 'A100-40GB'],
    'Ampere',
    '8.0',
    40,
    ['20b1', '20f1'],
    { mig: 'a100x40', reportedMiB: [40_536, 40_339, 39_538], memory: mig },
  ],
  [
    'A100-SXM4-80GB',
    ['A100', 'A100-SXM4', 'A100-80GB'],
    'Ampere',
    '8.0',
    80,
    ['20b2'],
    { mig: 'x80', memory: mig },
  ],
  [
    'A100-PCIE-80GB',
    ['A100', 'A100-PCIE', 'A100-80GB'],
    'Ampere',
    '8.0',
    80,
    ['20b5'],
    { mig: 'x80', memory: mig, aliases: ['A100 80GB PCIe'] },
  ],
  [
    'A800-40GB',
    ['A800'],
    'Ampere',
    '8.0',
    40,
    ['20bd', '20f6'],
    { mig: 'a100x40', memory: 'MIGPARTED', uncertain: ['computeCapability'], aliases: ['A800 40GB Active'] },
  ],
  [
    'A800-80GB',
    ['A800'],
    'Ampere',
    '8.0',
    80,
    ['20f3', '20f5'],
    {
      mig: 'x80',
      memory: 'MIGPARTED',
      uncertain: ['computeCapability'],
      aliases: ['A800-SXM4-80GB', 'A800 80GB PCIe'],
    },
  ],
  ['A30', [], 'Ampere', '8.0', 24, ['20b7'], { mig: 'a30', memory: mig }],
  ['A40', [], 'Ampere', '8.6', 48, ['2235'], { memory: 'HFHW', reportedMiB: [46_068], reported: 'A40MEM' }],
  [
    'A10',
    [],
    'Ampere',
    '8.6',
    24,
    ['2236'],
    { memory: 'MODAL', reportedMiB: [23_028], reported: 'MODALMEM' },
  ],
  ['A10G', [], 'Ampere', '8.6', 24, ['2237'], { memory: 'MODAL' }],
  ['A16', [], 'Ampere', '8.6', 16, ['25b6'], {}],
  ['A2', [], 'Ampere', '8.6', 16, [], {}],
  ['RTX A6000', ['A6000'], 'Ampere', '8.6', 48, ['2230'], { memory: 'HFCSV', isDataCenter: false }],
  ['GeForce RTX 3090', [], 'Ampere', '8.6', 24, ['2204'], { memory: 'HFCSV', isDataCenter: false }],
  ['Jetson AGX Orin', ['Orin'], 'Ampere', '8.7', undefined, [], { isDataCenter: false }],
  [
    'L4',
    [],
    'Ada Lovelace',
    '8.9',
    24,
    ['27b8'],
    { memory: 'MODAL', reportedMiB: [23_034], reported: 'MODALMEM' },
  ],
  ['L40', [], 'Ada Lovelace', '8.9', 48, ['26b5'], { memory: 'HFHW' }],
  [
    'L40S',
    [],
    'Ada Lovelace',
    '8.9',
    48,
    ['26b9'],
    { memory: 'HFHW', reportedMiB: [46_068], reported: 'MODALMEM' },
  ],
  ['RTX 6000 Ada Generation', ['RTX 6000 Ada'], 'Ada Lovelace', '8.9', 48, ['26b1'], { isDataCenter: false }],
  ['GeForce RTX 4090', [], 'Ada Lovelace', '8.9', 24, ['2684'], { isDataCenter: false }],
  [
    'H100-SXM5-80GB',
    ['H100', 'H100-SXM5', 'H100-80GB'],
    'Hopper',
    '9.0',
    80,
    ['2330'],
    { mig: 'x80', memory: mig, aliases: ['H100 80GB HBM3'] },
  ],
  [
    'H100-PCIE-80GB',
    ['H100', 'H100-80GB'],
    'Hopper',
    '9.0',
    80,
    ['2331'],
    { mig: 'x80', memory: mig, aliases: ['H100 PCIe'] },
  ],
  [
    'H100-SXM5-94GB',
    ['H100', 'H100-SXM5'],
    'Hopper',
    '9.0',
    94,
    ['2339'],
    { mig: 'x94', memory: mig, aliases: ['H100 94GB HBM2e'] },
  ],
  [
    'H100-NVL-94GB',
    ['H100'],
    'Hopper',
    '9.0',
    94,
    ['2321'],
    { mig: 'x94', memory: mig, aliases: ['H100 NVL'] },
  ],
  [
    'H100-SXM5-64GB',
    ['H100', 'H100-SXM5'],
    'Hopper',
    '9.0',
    64,
    ['2337'],
    { memory: mig, aliases: ['H100 64GB HBM2'] },
  ],
  [
    'H100-SXM5-96GB',
    ['H100', 'H100-SXM5'],
    'Hopper',
    '9.0',
    96,
    ['2338', '233d'],
    { mig: 'x96', memory: mig, aliases: ['H100 96GB HBM3'] },
  ],
  [
    'H800-80GB',
    ['H800'],
    'Hopper',
    '9.0',
    80,
    ['2324', '2322'],
    { mig: 'x80', memory: 'MIGPARTED', capability: 'H800', aliases: ['H800 PCIe'] },
  ],
  [
    'H800-NVL-94GB',
    ['H800'],
    'Hopper',
    '9.0',
    94,
    ['233a'],
    { mig: 'x94', memory: 'MIGPARTED', capability: 'H800', aliases: ['H800 NVL'] },
  ],
  ['H20', [], 'Hopper', '9.0', 96, ['2329'], { mig: 'x96', memory: mig }],
  [
    'H200-SXM5-141GB',
    ['H200'],
    'Hopper',
    '9.0',
    141,
    ['2335'],
    { mig: 'x141', memory: mig, aliases: ['H200 SXM'] },
  ],
  [
    'H200-NVL-141GB',
    ['H200'],
    'Hopper',
    '9.0',
    141,
    ['233b'],
    { mig: 'x141', memory: mig, aliases: ['H200 NVL'] },
  ],
  [
    'GH200-96GB',
    ['GH200'],
    'Hopper',
    '9.0',
    96,
    ['2342'],
    { mig: 'x96', memory: mig, aliases: ['GH200 480GB'] },
  ],
  [
    'GH200-144GB',
    ['GH200'],
    'Hopper',
    '9.0',
    144,
    ['2348'],
    { mig: 'x144', memory: mig, aliases: ['GH200 144G HBM3e'] },
  ],
  ['B200', [], 'Blackwell', '10.0', 180, ['2901'], { mig: 'b200', memory: mig }],
  ['GB200', [], 'Blackwell', '10.0', 186, ['2941'], { mig: 'gb200', memory: mig }],
  [
    'B300',
    [],
    'Blackwell Ultra',
    '10.3',
    288,
    ['3182'],
    { mig: 'b300', memory: 'NIM', aliases: ['B300 SXM6 AC'] },
  ],
  [
    'GB300',
    [],
    'Blackwell Ultra',
    '10.3',
    278,
    ['31c2'],
    { mig: 'gb300', memory: 'MIGP', uncertain: ['memoryGB: that of the largest MIG profile'] },
  ],
  [
    'RTX PRO 6000 Blackwell Workstation Edition',
    ['RTX PRO 6000', 'RTX PRO 6000 Blackwell'],
    'Blackwell',
    '12.0',
    96,
    ['2bb1'],
    { mig: 'rtxPro6000', memory: mig, isDataCenter: false },
  ],
  [
    'RTX PRO 6000 Blackwell Max-Q Workstation Edition',
    ['RTX PRO 6000', 'RTX PRO 6000 Blackwell'],
    'Blackwell',
    '12.0',
    96,
    ['2bb4'],
    { mig: 'rtxPro6000', memory: mig, isDataCenter: false },
  ],
  [
    'RTX PRO 6000 Blackwell Server Edition',
    ['RTX PRO 6000', 'RTX PRO 6000 Blackwell'],
    'Blackwell',
    '12.0',
    96,
    ['2bb5'],
    { mig: 'rtxPro6000', memory: mig },
  ],
  [
    'RTX PRO 5000 Blackwell',
    ['RTX PRO 5000'],
    'Blackwell',
    '12.0',
    48,
    ['2bb3'],
    { migSlices: 2, memory: mig, isDataCenter: false },
  ],
  [
    'RTX PRO 4500 Blackwell',
    ['RTX PRO 4500'],
    'Blackwell',
    '12.0',
    32,
    [],
    { migSlices: 2, memory: mig, isDataCenter: false },
  ],
  ['GeForce RTX 5090', [], 'Blackwell', '12.0', 32, ['2b85'], { isDataCenter: false }],
  ['Jetson T5000', ['Thor'], 'Blackwell', '11.0', undefined, [], { migSlices: 2, isDataCenter: false }],
  ['Jetson T4000', ['Thor'], 'Blackwell', '11.0', undefined, [], { migSlices: 2, isDataCenter: false }],
  ['GB10', ['DGX Spark'], 'Blackwell', '12.1', 128, [], { isDataCenter: false }],
  // It has a name that is an experiment's too, and core does not spell those: it is known by its capability.
  [
    'Capability 10.7',
    [],
    'after Blackwell Ultra',
    '10.7',
    undefined,
    [],
    { uncertain: ['memoryGB: not found', 'migSlices: not found'] },
  ],
];

/** All models of NVIDIA. */
export const nvidiaModels: readonly GpuModelRow[] = rows.map(
  ([name, families, architecture, computeCapability, memoryGB, devices, details = {}]) => {
    const { aliases = [], reportedMiB = [], isDataCenter = true, memory, legacy = false } = details;
    const profiles = details.mig ? migProfiles[details.mig] : migProfiles.none;
    const isMemoryUnsourced = memoryGB !== undefined && memory === undefined;
    const uncertain = [...(details.uncertain ?? []), ...(isMemoryUnsourced ? ['memoryGB'] : [])];
    const table = computeCapability === '10.7' ? 'CUDARN' : legacy ? 'CCL' : 'CC';
    const found: SourceKey[] = [details.capability ?? table];
    if (devices.length > 0) found.push('PCI');
    if (memory) found.push(memory);
    if (details.reported) found.push(details.reported);
    if (profiles.length > 0) found.push('MIGP', 'MIGPARTED');
    if (details.migSlices) found.push('MIGU');
    if (uncertain.length > 0) found.push('COMMON');
    return {
      name,
      vendor: 'NVIDIA',
      families,
      aliases,
      architecture,
      computeCapability,
      ...(memoryGB === undefined ? {} : { memoryGB }),
      reportedMiB,
      pciIds: devices.map((device) => `10de:${device}`),
      migSlices: details.migSlices ?? slicesOf(profiles),
      migProfiles: profiles,
      partitions: [],
      isDataCenter,
      sources: [...new Set(found)],
      confidence: uncertain.length > 0 ? 'LOW' : 'HIGH',
      uncertain,
    };
  },
);
