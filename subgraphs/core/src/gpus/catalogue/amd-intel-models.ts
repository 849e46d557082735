/** Models of AMD and Intel. AMD devices are distinguished by their LLVM target; targets have no order. */
import type { GpuModelRow } from './catalogue.types.js';
import type { SourceKey } from './sources.js';

interface AmdDetails {
  readonly devices?: readonly string[];
  readonly strays?: readonly string[];
  readonly families?: readonly string[];
  readonly partitions?: readonly string[];
  /** Devices that one card appears as. */
  readonly gpusPerCard?: number;
  readonly tiles?: number;
}

type AmdRow = readonly [
  name: string,
  architecture: string,
  gfxTarget: string,
  memoryGB: number,
  computeUnits: number,
  details?: AmdDetails,
];

const modes300 = ['SPX 1', 'DPX 2', 'QPX 4', 'CPX 8'];
const mi50 = ['MI50'];
const mi300 = ['MI300'];

/** Memory and compute units are per device: a card with two devices has half of its totals here. */
const instinctRows: readonly AmdRow[] = [
  ['MI25', 'GCN5.0', 'gfx900', 16, 64, { devices: ['6860'] }],
  ['MI50-16GB', 'GCN5.1', 'gfx906', 16, 60, { families: mi50 }],
  ['MI50-32GB', 'GCN5.1', 'gfx906', 32, 60, { families: mi50, devices: ['66a1'] }],
  ['MI60', 'GCN5.1', 'gfx906', 32, 64],
  ['MI100', 'CDNA', 'gfx908', 32, 120, { devices: ['738c', '738e'] }],
  ['MI210', 'CDNA2', 'gfx90a', 64, 104, { devices: ['740f'] }],
  ['MI250', 'CDNA2', 'gfx90a', 64, 104, { devices: ['740c'], gpusPerCard: 2 }],
  ['MI250X', 'CDNA2', 'gfx90a', 64, 110, { devices: ['7408'], strays: ['740c'], gpusPerCard: 2 }],
  [
    'MI300A',
    'CDNA3',
    'gfx942',
    128,
    228,
    { families: mi300, devices: ['74a0'], partitions: ['SPX 1', 'CPX 6'], tiles: 6 },
  ],
  [
    'MI300X',
    'CDNA3',
    'gfx942',
    192,
    304,
    { families: mi300, devices: ['74a1'], partitions: modes300, tiles: 8 },
  ],
  ['MI325X', 'CDNA3', 'gfx942', 256, 304, { devices: ['74a5'], partitions: modes300, tiles: 8 }],
  ['MI350X', 'CDNA4', 'gfx950', 288, 256, { partitions: modes300, tiles: 8 }],
  ['MI355X', 'CDNA4', 'gfx950', 288, 256, { partitions: modes300, tiles: 8 }],
];

const radeonRows: readonly AmdRow[] = [
  ['Radeon PRO W7900', 'RDNA3', 'gfx1100', 48, 96, { families: ['W7900'] }],
  ['Radeon PRO W7800', 'RDNA3', 'gfx1100', 32, 70, { families: ['W7800'] }],
  ['Radeon PRO W7800 48GB', 'RDNA3', 'gfx1100', 48, 70, { families: ['W7800'] }],
  ['Radeon AI PRO R9700', 'RDNA4', 'gfx1201', 32, 64, { families: ['R9700'] }],
];

function amdModel(
  [name, architecture, gfxTarget, memoryGB, computeUnits, details = {}]: AmdRow,
  isInstinct: boolean,
): GpuModelRow {
  const { devices = [], partitions = [], tiles } = details;
  const found: SourceKey[] = ['ROCMSPEC'];
  if (devices.length > 0) found.push('PCI');
  if (partitions.length > 0) found.push('AMDPART');
  const isModeUncertain = name !== 'MI300X' && partitions.length > 0;
  return {
    name,
    vendor: 'AMD',
    families: details.families ?? [],
    aliases: isInstinct
      ? [`Instinct ${name}`, `AMD Instinct ${name}`, `AMD Instinct ${name} OAM`]
      : [`AMD ${name}`],
    architecture,
    gfxTarget,
    memoryGB,
    isEccInMemory: false,
    reportedMiB: [],
    pciIds: devices.map((device) => `1002:${device}`),
    strayPciIds: (details.strays ?? []).map((device) => `1002:${device}`),
    gpusPerCard: details.gpusPerCard ?? 1,
    computeUnits,
    ...(tiles === undefined ? {} : { tiles }),
    migSlices: 0,
    migInstances: 0,
    migProfiles: [],
    partitions,
    isDataCenter: isInstinct,
    sources: [...found, ...(isModeUncertain ? (['COMMON'] as const) : [])],
    confidence: isModeUncertain ? 'LOW' : 'HIGH',
    uncertain: isModeUncertain ? ['partitions'] : [],
  };
}

/** All models of AMD. An MI250 or MI250X appears as two devices of 64 GiB: the row describes one of them. */
export const amdModels: readonly GpuModelRow[] = [
  ...instinctRows.map((row) => amdModel(row, true)),
  ...radeonRows.map((row) => amdModel(row, false)),
];

type IntelRow = readonly [
  name: string,
  alias: string,
  architecture: string,
  memoryGB: number | undefined,
  devices: readonly string[],
  tiles?: number,
];

const intelRows: readonly IntelRow[] = [
  ['Max 1550', 'Max_1550', 'Xe-HPC', 128, ['0bd5', '0bd6'], 2],
  ['Max 1450', 'Max_1450', 'Xe-HPC', undefined, ['0b69']],
  ['Max 1350', 'Max_1350', 'Xe-HPC', undefined, ['0bd7', '0bd8'], 2],
  ['Max 1100', 'Max_1100', 'Xe-HPC', 48, ['0bd9', '0bda', '0bdb'], 1],
  ['Flex 170', 'Flex_170', 'Xe-HPG', 16, ['56c0']],
  ['Flex 140', 'Flex_140', 'Xe-HPG', 12, ['56c1']],
];

/** All models of Intel. */
export const intelModels: readonly GpuModelRow[] = intelRows.map(
  ([name, alias, architecture, memoryGB, devices, tiles]) => {
    const isMemorySourced = name === 'Max 1550';
    const uncertain = memoryGB === undefined ? ['memoryGB: not found'] : isMemorySourced ? [] : ['memoryGB'];
    return {
      name,
      vendor: 'INTEL',
      families: name.startsWith('Max') ? ['Data Center GPU Max'] : ['Data Center GPU Flex'],
      aliases: [alias, `Data Center GPU ${name}`, `Intel Data Center GPU ${name}`],
      architecture,
      ...(memoryGB === undefined ? {} : { memoryGB }),
      isEccInMemory: false,
      reportedMiB: [],
      pciIds: devices.map((device) => `8086:${device}`),
      strayPciIds: [],
      gpusPerCard: 1,
      ...(tiles === undefined ? {} : { tiles }),
      migSlices: 0,
      migInstances: 0,
      migProfiles: [],
      partitions: [],
      isDataCenter: true,
      sources: ['PCI', 'INTELLBL', isMemorySourced ? 'TACC' : 'COMMON'],
      confidence: isMemorySourced ? 'HIGH' : 'LOW',
      uncertain,
    };
  },
);
