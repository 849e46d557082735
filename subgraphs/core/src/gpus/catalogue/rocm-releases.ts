/**
 * ROCm releases, their kernel drivers, and the members of generic targets; from ROCMKMD, ROCMKMD57, AMDGPU,
 * AMDMODULE and LLVM of `sources.ts`.
 */

/** Releases, oldest first: a driver supports two releases before its own and two after it. */
export const rocmReleases: readonly string[] = [
  '5.0',
  '5.1',
  '5.2',
  '5.3',
  '5.4',
  '5.5',
  '5.6',
  '5.7',
  '6.0',
  '6.1',
  '6.2',
  '6.3',
  '6.4',
  '7.0',
  '7.1',
  '7.2',
];

/** Maximum distance between kernel driver and user space, in releases. */
export const rocmReach = 2;

/** Drivers with their own version numbers, and the releases that they support. */
export const amdgpuDrivers: Readonly<Record<string, readonly string[]>> = {
  '30.30': ['6.3', '6.4', '7.0', '7.1', '7.2'],
};

/**
 * Versions of the kernel module, as tools and sysfs report them, and the ROCm releases they came with. The
 * module is numbered by kernels: its 6.3.6 is not the driver of ROCm 6.3. The source for 6.0 is AMDMODULE;
 * the others are general knowledge.
 */
export const amdgpuModules: Readonly<Record<string, string>> = {
  '6.0.5': '5.5',
  '6.1.5': '5.6',
  '6.2.4': '5.7',
  '6.3.6': '6.0',
  '6.7.0': '6.1',
  '6.8.5': '6.2',
  '6.10.5': '6.3',
  '6.12.12': '6.4',
};

/** Targets that each generic target covers. */
export const genericTargets: Readonly<Record<string, readonly string[]>> = {
  'gfx9-generic': ['gfx900', 'gfx902', 'gfx904', 'gfx906', 'gfx909', 'gfx90c'],
  'gfx9-4-generic': ['gfx940', 'gfx941', 'gfx942', 'gfx950'],
  'gfx10-1-generic': ['gfx1010', 'gfx1011', 'gfx1012', 'gfx1013'],
  'gfx10-3-generic': ['gfx1030', 'gfx1031', 'gfx1032', 'gfx1033', 'gfx1034', 'gfx1035', 'gfx1036'],
  'gfx11-generic': ['gfx1100', 'gfx1101', 'gfx1102', 'gfx1103', 'gfx1150', 'gfx1151', 'gfx1152', 'gfx1153'],
  'gfx12-generic': ['gfx1200', 'gfx1201'],
};
