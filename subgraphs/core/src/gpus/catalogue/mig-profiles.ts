/** MIG profiles by product: names and how many fit (docs.nvidia.com MIG user guide; NVIDIA/mig-parted). */
import type { MigProfileRow } from './catalogue.types.js';

/**
 * Memory of the profiles of a product with seven slices: 1g, 1g with double memory, 2g, 3g, 4g, 7g; in GB.
 */
type SevenSlices = readonly [number, number, number, number, number, number];

/** Profiles of a device with seven slices. */
function seven([one, double, two, three, four, all]: SevenSlices): readonly MigProfileRow[] {
  return [
    { name: `1g.${one}gb`, slices: 1, memoryGB: one, maxInstances: 7 },
    { name: `1g.${one}gb+me`, slices: 1, memoryGB: one, maxInstances: 1 },
    { name: `1g.${double}gb`, slices: 1, memoryGB: double, maxInstances: 4 },
    { name: `2g.${two}gb`, slices: 2, memoryGB: two, maxInstances: 3 },
    { name: `3g.${three}gb`, slices: 3, memoryGB: three, maxInstances: 2 },
    { name: `4g.${four}gb`, slices: 4, memoryGB: four, maxInstances: 1 },
    { name: `7g.${all}gb`, slices: 7, memoryGB: all, maxInstances: 1 },
  ];
}

const a30: readonly MigProfileRow[] = [
  { name: '1g.6gb', slices: 1, memoryGB: 6, maxInstances: 4 },
  { name: '1g.6gb+me', slices: 1, memoryGB: 6, maxInstances: 1 },
  { name: '2g.12gb', slices: 2, memoryGB: 12, maxInstances: 2 },
  { name: '2g.12gb+me', slices: 2, memoryGB: 12, maxInstances: 1 },
  { name: '4g.24gb', slices: 4, memoryGB: 24, maxInstances: 1 },
];

const rtxPro6000: readonly MigProfileRow[] = [
  { name: '1g.24gb', slices: 1, memoryGB: 24, maxInstances: 4 },
  { name: '1g.24gb+me', slices: 1, memoryGB: 24, maxInstances: 1 },
  { name: '1g.24gb+gfx', slices: 1, memoryGB: 24, maxInstances: 4 },
  { name: '1g.24gb-me', slices: 1, memoryGB: 24, maxInstances: 4 },
  { name: '1g.24gb+me.all', slices: 1, memoryGB: 24, maxInstances: 1 },
  { name: '2g.48gb', slices: 2, memoryGB: 48, maxInstances: 2 },
  { name: '2g.48gb+gfx', slices: 2, memoryGB: 48, maxInstances: 2 },
  { name: '2g.48gb-me', slices: 2, memoryGB: 48, maxInstances: 2 },
  { name: '2g.48gb+me.all', slices: 2, memoryGB: 48, maxInstances: 1 },
  { name: '4g.96gb', slices: 4, memoryGB: 96, maxInstances: 1 },
  { name: '4g.96gb+gfx', slices: 4, memoryGB: 96, maxInstances: 1 },
];

/** Only one instance of each of the first three fits: the profiles without media engines take the rest. */
const rtxPro5000: readonly MigProfileRow[] = [
  { name: '1g.12gb', slices: 1, memoryGB: 12, maxInstances: 1 },
  { name: '1g.12gb+me', slices: 1, memoryGB: 12, maxInstances: 1 },
  { name: '1g.12gb+gfx', slices: 1, memoryGB: 12, maxInstances: 1 },
  { name: '1g.12gb-me', slices: 1, memoryGB: 12, maxInstances: 3 },
  { name: '2g.24gb-me', slices: 2, memoryGB: 24, maxInstances: 1 },
  { name: '4g.48gb', slices: 4, memoryGB: 48, maxInstances: 1 },
  { name: '4g.48gb+gfx', slices: 4, memoryGB: 48, maxInstances: 1 },
];

const gb200: readonly MigProfileRow[] = [
  ...seven([23, 47, 47, 93, 93, 186]),
  { name: '3g.95gb', slices: 3, memoryGB: 95, maxInstances: 2 },
  { name: '4g.95gb', slices: 4, memoryGB: 95, maxInstances: 1 },
  { name: '7g.189gb', slices: 7, memoryGB: 189, maxInstances: 1 },
];

/** Profiles by the key used in the rows of models. */
export const migProfiles = {
  none: [],
  a30,
  a100x40: seven([5, 10, 10, 20, 20, 40]),
  x64: seven([8, 16, 16, 32, 32, 64]),
  x80: seven([10, 20, 20, 40, 40, 80]),
  x94: seven([12, 24, 24, 47, 47, 94]),
  x96: seven([12, 24, 24, 48, 48, 96]),
  x141: seven([18, 35, 35, 71, 71, 141]),
  x144: seven([18, 36, 36, 72, 72, 144]),
  b200: seven([23, 45, 45, 90, 90, 180]),
  gb200,
  b300: seven([34, 67, 67, 135, 135, 269]),
  gb300: seven([35, 70, 70, 139, 139, 278]),
  rtxPro5000,
  rtxPro6000,
} as const satisfies Readonly<Record<string, readonly MigProfileRow[]>>;

/** Number of slices of a device: that of its largest profile. */
export function slicesOf(profiles: readonly MigProfileRow[]): number {
  return Math.max(0, ...profiles.map(({ slices }) => slices));
}
