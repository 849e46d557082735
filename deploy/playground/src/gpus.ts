/** A small mixed fleet of simulated GPUs, so that matching can be seen on any machine: nothing computes on them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whose GPUs the pilots present. */
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

/** Of the first pilot and of the second; others have none. */
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

/** What the pilots present. */
export interface GpuChoice {
  readonly gpus: GpuKind;
  /** For `files`: those of the first pilot, the second, and so on. */
  readonly gpuFiles: readonly string[];
}

/** The flags with which a pilot presents its part of the fleet; none for those without. An edit of the file is seen by the pilot's next look. */
export function gpuFlags({ gpus, gpuFiles }: GpuChoice, folder: string, index: number): readonly string[] {
  const path = gpus === 'files' ? gpuFiles[index] : gpus === 'simulated' ? ownFile(folder, index) : undefined;
  if (path !== undefined) return ['--gpu-simulate', path, '--gpu-poll-seconds', '2'];
  // Beside a fleet that somebody wrote, this machine's own devices would be a surprise.
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
