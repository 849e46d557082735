/** Models of AMD and Intel. AMD devices are told apart by their LLVM target: there is no order among targets. */
import type { GpuModelRow } from './catalogue.types.js';
import type { SourceKey } from './sources.js';

type AmdRow = readonly [
  name: string,
  families: readonly string[],
  architecture: string,
  gfxTarget: string,
  memoryGB: number,
  devices: readonly string[],
  partitions?: readonly string[],
  isDataCenter?: boolean,
];

const modes300 = ['SPX 1', 'DPX 2', 'QPX 4', 'CPX 8'];
const amdRows: readonly AmdRow[] = [
  ['MI25', [], 'GCN5.0', 'gfx900', 16, ['6860']],
  ['MI50-16GB', ['MI50'], 'GCN5.1', 'gfx906', 16, []],
  ['MI50-32GB', ['MI50'], 'GCN5.1', 'gfx906', 32, ['66a1']],
  ['MI60', [], 'GCN5.1', 'gfx906', 32, []],
  ['MI100', [], 'CDNA', 'gfx908', 32, ['738c', '738e']],
  ['MI210', [], 'CDNA2', 'gfx90a', 64, ['740f']],
  ['MI250', [], 'CDNA2', 'gfx90a', 64, ['740c']],
  ['MI250X', [], 'CDNA2', 'gfx90a', 64, ['7408']],
  ['MI300A', ['MI300'], 'CDNA3', 'gfx942', 128, ['74a0'], ['SPX 1', 'CPX 6']],
  ['MI300X', ['MI300'], 'CDNA3', 'gfx942', 192, ['74a1'], modes300],
  ['MI325X', [], 'CDNA3', 'gfx942', 256, ['74a5'], modes300],
  ['MI350X', [], 'CDNA4', 'gfx950', 288, [], modes300],
  ['MI355X', [], 'CDNA4', 'gfx950', 288, [], modes300],
  ['Radeon PRO W7900', ['W7900'], 'RDNA3', 'gfx1100', 48, [], [], false],
  ['Radeon PRO W7800', ['W7800'], 'RDNA3', 'gfx1100', 32, [], [], false],
  ['Radeon PRO W7800 48GB', ['W7800'], 'RDNA3', 'gfx1100', 48, [], [], false],
  ['Radeon AI PRO R9700', ['R9700'], 'RDNA4', 'gfx1201', 32, [], [], false],
];

/** All models of AMD. An MI250 or MI250X is seen as two devices of 64 GiB: that is the row. */
export const amdModels: readonly GpuModelRow[] = amdRows.map(
  ([name, families, architecture, gfxTarget, memoryGB, devices, partitions = [], isDataCenter = true]) => {
    const found: SourceKey[] = ['ROCMSPEC'];
    if (devices.length > 0) found.push('PCI');
    if (partitions.length > 0) found.push('AMDPART');
    const isModeUncertain = name !== 'MI300X' && partitions.length > 0;
    return {
      name,
      vendor: 'AMD',
      families,
      aliases: [`Instinct ${name}`, `AMD Instinct ${name}`, `AMD Instinct ${name} OAM`],
      architecture,
      gfxTarget,
      memoryGB,
      reportedMiB: [],
      pciIds: devices.map((device) => `1002:${device}`),
      migSlices: 0,
      migProfiles: [],
      partitions,
      isDataCenter,
      sources: [...found, ...(isModeUncertain ? (['COMMON'] as const) : [])],
      confidence: isModeUncertain ? 'LOW' : 'HIGH',
      uncertain: isModeUncertain ? ['partitions'] : [],
    };
  },
);

type IntelRow = readonly [
  name: string,
  alias: string,
  architecture: string,
  memoryGB: number | undefined,
  devices: readonly string[],
];

const intelRows: readonly IntelRow[] = [
  ['Max 1550', 'Max_1550', 'Xe-HPC', 128, ['0bd5', '0bd6']],
  ['Max 1450', 'Max_1450', 'Xe-HPC', undefined, ['0b69']],
  ['Max 1350', 'Max_1350', 'Xe-HPC', undefined, ['0bd7', '0bd8']],
  ['Max 1100', 'Max_1100', 'Xe-HPC', 48, ['0bd9', '0bda', '0bdb']],
  ['Flex 170', 'Flex_170', 'Xe-HPG', 16, ['56c0']],
  ['Flex 140', 'Flex_140', 'Xe-HPG', 12, ['56c1']],
];

/** All models of Intel. */
export const intelModels: readonly GpuModelRow[] = intelRows.map(
  ([name, alias, architecture, memoryGB, devices]) => {
    const isMemorySourced = name === 'Max 1550';
    const uncertain = memoryGB === undefined ? ['memoryGB: not found'] : isMemorySourced ? [] : ['memoryGB'];
    return {
      name,
      vendor: 'INTEL',
      families: name.startsWith('Max') ? ['Data Center GPU Max'] : ['Data Center GPU Flex'],
      aliases: [alias, `Data Center GPU ${name}`, `Intel Data Center GPU ${name}`],
      architecture,
      ...(memoryGB === undefined ? {} : { memoryGB }),
      reportedMiB: [],
      pciIds: devices.map((device) => `8086:${device}`),
      migSlices: 0,
      migProfiles: [],
      partitions: [],
      isDataCenter: true,
      sources: ['PCI', 'INTELLBL', isMemorySourced ? 'TACC' : 'COMMON'],
      confidence: isMemorySourced ? 'HIGH' : 'LOW',
      uncertain,
    };
  },
);
