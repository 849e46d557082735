import type { DetectedDevice, Vendor } from './detected-device.js';
import { visibilityVariables } from './visibility-variables.js';

/** Lists that say which devices of a vendor a pilot was given; a list that is not set restricts nothing. */
export type VisibilityLists = { readonly [Name in Vendor]?: string | undefined } & {
  /** The list that HIP and OpenCL read: its numbers count the devices that `AMD` leaves. */
  readonly hip?: string | undefined;
  /** Numbering of devices in Level Zero. */
  readonly levelZero?: LevelZeroOrder | undefined;
};

/** Numbering of devices in Level Zero, for `ZE_AFFINITY_MASK`. */
export interface LevelZeroOrder {
  /** True if a number is a whole card; otherwise each tile has a number. */
  readonly isByCard: boolean;
  /**
   * True for numbering by address, including devices that are left out here; otherwise discrete devices come
   * first.
   */
  readonly isByAddress: boolean;
}

/**
 * The lists in an environment. If the vendor's own variable is not set, the list of HTCondor's slot counts
 * (`CUDA0`, `HIP1`, the beginning of a UUID, or a number that no device has). Slurm's list (`SLURM_JOB_GPUS`)
 * does not: its numbers are those of the host, while a job may see only its own devices, with other numbers.
 */
export function visibilityIn(env: NodeJS.ProcessEnv): VisibilityLists {
  const own = (vendor: Vendor): string | undefined => env[visibilityVariables[vendor]];
  const slot = env['_CONDOR_AssignedGPUs'];
  const hip =
    env['HIP_VISIBLE_DEVICES'] ?? (own('AMD') === undefined ? env['GPU_DEVICE_ORDINAL'] : undefined);
  const hierarchy = env['ZE_FLAT_DEVICE_HIERARCHY'];
  return {
    NVIDIA: own('NVIDIA') ?? slot?.replaceAll(/\bCUDA(?=\d)/g, ''),
    AMD: own('AMD') ?? (hip === undefined ? slot?.replaceAll(/\b(HIP|OCL)(?=\d)/g, '') : undefined),
    INTEL: own('INTEL'),
    hip,
    levelZero: {
      // Current drivers number tiles by default; a mask with a point was written for cards.
      isByCard:
        hierarchy === 'COMPOSITE' || (hierarchy === undefined && own('INTEL')?.includes('.') === true),
      isByAddress: env['ZE_ENABLE_PCI_ID_DEVICE_ORDER'] === '1',
    },
  };
}

/**
 * The devices that a pilot may offer. A batch system that gave it some of a host's devices lists them by
 * number, UUID, or the beginning of a UUID. As in the vendors' libraries, entries after one that can name no
 * device are ignored. A lost device does not count as such an entry: it does not hide the others.
 */
export function offeredDevices(
  devices: readonly DetectedDevice[],
  words: VisibilityLists,
): readonly DetectedDevice[] {
  const of = (vendor: Vendor): readonly DetectedDevice[] => devices.filter((one) => one.vendor === vendor);
  const offered = new Set([
    ...named(of('NVIDIA'), words.NVIDIA),
    ...named(renumbered(named(of('AMD'), words.AMD), words.AMD), words.hip),
  ]);
  const ids = new Set([...offered].map(({ id }) => id));
  const intel = new Map(intelParts(of('INTEL'), words).map((part) => [part.of, part.device]));
  return devices.flatMap((device) => {
    if (device.vendor === 'INTEL') return intel.get(device.id) ?? [];
    return ids.has(device.id) ? [device] : [];
  });
}

const wordsIn = (list: string): readonly string[] => list.split(',').map((word) => word.trim());

function named(own: readonly DetectedDevice[], list: string | undefined): readonly DetectedDevice[] {
  if (list === undefined) return own;
  const found: DetectedDevice[] = [];
  for (const word of wordsIn(list)) {
    const those = own.filter(({ names }) => names.some((name) => isNamed(name, word)));
    if (those.length === 0 && !mayBeLost(word, own)) break;
    found.push(...those);
  }
  return found;
}

function isNamed(name: string, word: string): boolean {
  if (word === '') return false;
  return isNumber(word) ? name === word : name.startsWith(word);
}

/** True for a UUID that no device has now, or a number within the host's range. */
function mayBeLost(word: string, own: readonly DetectedDevice[]): boolean {
  if (/^(MIG-)?(GPU-)?[0-9a-f]{8}/i.test(word)) return !isNumber(word);
  const numbers = own.map(({ names }) => Number(names.find(isNumber) ?? NaN));
  const most = Math.max(-1, ...numbers.filter(Number.isFinite)) + numbers.filter(Number.isNaN).length;
  return isNumber(word) && Number(word) <= most;
}

const isNumber = (word: string): boolean => /^\d+$/.test(word);

/** The numbering of HIP: in the order of ROCm's list, or of its numbers without one. */
function renumbered(own: readonly DetectedDevice[], list: string | undefined): readonly DetectedDevice[] {
  if (list === undefined) return own;
  const order = [...new Set(own)];
  return order.map((device, at) => ({
    ...device,
    names: [...device.names.filter((name) => !isNumber(name)), String(at)],
  }));
}

interface Part {
  /** The device that it is, or is part of. */
  readonly of: string;
  readonly device: DetectedDevice;
}

/** Meaning of a number: a card, or one of its tiles. */
interface Unit {
  readonly device: DetectedDevice;
  readonly tile: number | undefined;
}

/** Intel cards are given whole or tile by tile: a pilot that has some tiles of a card offers only these. */
function intelParts(
  own: readonly DetectedDevice[],
  { INTEL: list, levelZero }: VisibilityLists,
): readonly Part[] {
  if (list === undefined) return own.map((device) => ({ of: device.id, device }));
  const { isByCard = true, isByAddress = false } = levelZero ?? {};
  const units = unitsOf(isByAddress ? byNumber(own) : own, isByCard);
  const given = new Map<DetectedDevice, number[]>();
  for (const word of wordsIn(list)) {
    const [, number, dotted] = /^(\d+)(?:\.(\d+))?$/.exec(word) ?? [];
    const unit = number === undefined ? undefined : units[Number(number)];
    if (unit === undefined || (dotted !== undefined && !isByCard)) continue;
    const tile = dotted === undefined ? unit.tile : Number(dotted);
    const tiles = tile === undefined ? allTiles(unit.device) : [tile];
    given.set(unit.device, [...(given.get(unit.device) ?? []), ...tiles]);
  }
  return [...given].flatMap(([device, tiles]) => {
    const part = withTiles(device, new Set(tiles));
    return part === undefined ? [] : [{ of: device.id, device: part }];
  });
}

function unitsOf(
  cards: readonly (DetectedDevice | undefined)[],
  isByCard: boolean,
): readonly (Unit | undefined)[] {
  return cards.flatMap((device): readonly (Unit | undefined)[] => {
    if (device === undefined) return [undefined];
    return isByCard ? [{ device, tile: undefined }] : allTiles(device).map((tile) => ({ device, tile }));
  });
}

const allTiles = ({ tiles = 1 }: DetectedDevice): readonly number[] =>
  Array.from({ length: tiles }, (_, tile) => tile);

/** The devices at the index of their number. */
function byNumber(own: readonly DetectedDevice[]): readonly (DetectedDevice | undefined)[] {
  const numbers = own.map(({ names }) => Number(names.find(isNumber) ?? NaN));
  return Array.from({ length: Math.max(0, ...numbers.filter(Number.isFinite)) + 1 }, (_, number) =>
    own.find((_one, at) => numbers[at] === number),
  );
}

/**
 * Some tiles of a card, with their share of its memory. Measurements of the whole card do not apply to them.
 */
function withTiles(device: DetectedDevice, given: ReadonlySet<number>): DetectedDevice | undefined {
  const tiles = [...given].filter((tile) => device.tiles === undefined || tile < device.tiles);
  if (tiles.length === 0) return undefined;
  if (allTiles(device).every((tile) => given.has(tile)) && (device.tiles ?? tiles.length) === tiles.length)
    return device;
  tiles.sort((a, b) => a - b);
  const { memoryMiB, memoryUsedMiB: _used, utilisation: _utilisation, tiles: all, ...facts } = device;
  const share =
    memoryMiB === undefined || all === undefined ? undefined : Math.floor((memoryMiB * tiles.length) / all);
  const unknown = new Set(['memoryUsedMiB', 'utilisation', ...(share === undefined ? ['memoryMiB'] : [])]);
  return {
    ...facts,
    ...(share === undefined ? {} : { memoryMiB: share }),
    id: `${device.id}/${tiles.join('+')}`,
    visibleAs:
      device.visibleAs === null ? null : tiles.map((tile) => `${device.visibleAs}.${tile}`).join(','),
    sources: device.sources.map(({ fact, source }) =>
      unknown.has(fact)
        ? { fact, source: 'unknown: the pilot was given a part of the card' }
        : { fact, source },
    ),
  };
}
