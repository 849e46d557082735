/** Canary jobs of a queue as its operator sets them: checks and defaults. Pure. */
import type { InputErrors } from '@rhizome/errors';
import { checkArguments } from './payload-arguments.js';
import type { QueueDocument, StoredCanary, StoredQueueLimits } from './queue.document.js';

/** Canary jobs as given; absent members have their defaults. */
export interface CanaryInput {
  readonly experiment: string;
  readonly share: string;
  readonly intervalSeconds: number;
  readonly command: string;
  readonly arguments?: readonly string[] | null | undefined;
  readonly image?: string | null | undefined;
  readonly cores?: number | null | undefined;
  readonly memoryMiB?: number | null | undefined;
  readonly walltimeSeconds?: number | null | undefined;
}

const intervals = { min: 60, max: 604_800 };
/** A canary that takes longer says little about the queue, and blocks the test of a host. */
const longestWalltimeSeconds = 3600;
const maxArguments = 100;
/** Each open run is stored with its settings. */
const maxArgumentBytes = 8192;

type Amount = 'cores' | 'memoryMiB' | 'walltimeSeconds';
/** Amounts of a canary job with the largest values, and the limits of the queue. */
const amounts: readonly (readonly [Amount, number, 'maxCores' | 'maxMemoryMiB' | 'maxWalltimeSeconds'])[] = [
  ['cores', 4096, 'maxCores'],
  ['memoryMiB', 16_777_216, 'maxMemoryMiB'],
  ['walltimeSeconds', longestWalltimeSeconds, 'maxWalltimeSeconds'],
];

/**
 * Adds the errors of canary jobs, apart from those of their experiment and share.
 * @param limits of the queue after the change
 */
export function checkCanary(errors: InputErrors, canary: CanaryInput, limits: StoredQueueLimits): void {
  const at = 'canary';
  errors.line([at, 'command'], canary.command, 1, 4096);
  if (canary.image != null) errors.line([at, 'image'], canary.image, 1, 1024);
  const given = canary.arguments ?? [];
  checkArguments(errors, [at, 'arguments'], given, { most: maxArguments, bytes: maxArgumentBytes });
  errors.int([at, 'intervalSeconds'], canary.intervalSeconds, intervals.min, intervals.max);
  const stored = storedCanary(canary);
  for (const [name, most, limit] of amounts)
    errors.int([at, name], stored[name], 1, Math.min(most, limits[limit] ?? most));
}

/** Adds the errors of limits that the existing canary jobs of the queue exceed. */
export function checkCanaryLimits(
  errors: InputErrors,
  canary: StoredCanary,
  limits: StoredQueueLimits,
): void {
  for (const [name, , limit] of amounts) {
    const most = limits[limit];
    if (most !== undefined && canary[name] > most)
      errors.add(['limits', limit], most, `at least ${canary[name]}, the ${name} of the canary jobs`);
  }
}

/** Stored form: with defaults, and with the path of the share, which may be given by its leaf name. */
export function storedCanary({ experiment, share, image, ...canary }: CanaryInput): StoredCanary {
  return {
    experiment,
    share: share.includes('/') ? share : `${experiment}/${share}`,
    intervalSeconds: canary.intervalSeconds,
    command: canary.command,
    arguments: [...(canary.arguments ?? [])],
    ...(image == null ? {} : { image }),
    cores: canary.cores ?? 1,
    memoryMiB: canary.memoryMiB ?? 512,
    walltimeSeconds: canary.walltimeSeconds ?? 600,
  };
}

/** Canary jobs that core starts now: none while the queue takes no work. */
export function canaryOf({ canary, state }: QueueDocument): StoredCanary | undefined {
  return state === 'PAUSED' || state === 'OFFLINE' ? undefined : canary;
}
