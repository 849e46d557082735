/** A small simulated set of GPUs, so that matching can be tried on any machine. Nothing computes on them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Source of the GPUs that the pilots report. */
export type GpuKind = 'simulated' | 'host' | 'files';

const a100 = {
  vendor: 'NVIDIA',
  model: 'NVIDIA A100-SXM4-40GB',
  pciId: '10de:20b0',
  memoryMiB: 40_536,
  computeCapability: '8.0',
  driverVersion: '535.104.12',
  cudaVersion: '12.2',
  eccEnabled: true,
};
const slice = { ...a100, id: 'MIG-simulated-a100-2', parentId: 'GPU-simulated-a100-2', partitionMode: 'MIG' };

/** Devices of the first and second pilot; others have none. */
const fleets: readonly (readonly object[])[] = [
  [
    {
      ...a100,
      id: 'GPU-simulated-a100',
      count: 2,
      nvlinkGroup: 'nvlink:0,1',
      utilisation: 0,
      memoryUsedMiB: 4,
    },
    { ...slice, id: `${slice.id}-0`, migProfile: '3g.20gb', memoryMiB: 19_968 },
    { ...slice, id: `${slice.id}-1`, migProfile: '2g.10gb', memoryMiB: 9_856 },
    { ...slice, id: `${slice.id}-2`, migProfile: '1g.5gb', memoryMiB: 4_864 },
    {
      vendor: 'NVIDIA',
      model: 'Tesla T4',
      id: 'GPU-simulated-t4',
      pciId: '10de:1eb8',
      memoryMiB: 15_360,
      computeCapability: '7.5',
      driverVersion: '535.104.12',
      cudaVersion: '12.2',
      eccEnabled: true,
    },
  ],
  [
    {
      vendor: 'AMD',
      model: 'AMD Instinct MI210',
      id: 'GPU-simulated-mi210',
      count: 2,
      pciId: '1002:740f',
      memoryMiB: 65_520,
      gfxTarget: 'gfx90a',
      driverVersion: '6.8.5',
      rocmVersion: '6.2',
      eccEnabled: true,
    },
    {
      vendor: 'INTEL',
      model: 'Intel(R) Data Center GPU Max 1100',
      id: 'simulated-max1100',
      pciId: '8086:0bda',
      memoryMiB: 49_152,
      driverVersion: 'I915_23.10.32',
      health: 'UNHEALTHY',
    },
  ],
];

/** GPUs that the pilots report. */
export interface GpuChoice {
  readonly gpus: GpuKind;
  /** For `files`: one file for each pilot, in order. */
  readonly gpuFiles: readonly string[];
}

/** Options with which a pilot reports its GPUs. A changed file takes effect at the pilot's next check. */
export function gpuFlags({ gpus, gpuFiles }: GpuChoice, folder: string, index: number): readonly string[] {
  const path = gpus === 'files' ? gpuFiles[index] : gpus === 'simulated' ? ownFile(folder, index) : undefined;
  if (path !== undefined) return ['--gpu-simulate', path, '--gpu-poll-seconds', '2'];
  // Devices of this machine would be a surprise next to a file of simulated ones.
  return gpus === 'files' ? ['--gpu-simulate', emptyFile(folder)] : [];
}

function ownFile(folder: string, index: number): string | undefined {
  const devices = fleets[index];
  return devices && fleetFile(folder, `gpus-${index + 1}`, devices);
}

const emptyFile = (folder: string): string => fleetFile(folder, 'gpus-none', []);

function fleetFile(folder: string, name: string, devices: readonly object[]): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, `${JSON.stringify({ devices }, null, 2)}\n`);
  return path;
}
