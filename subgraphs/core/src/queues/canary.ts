/** Canary jobs of a queue as its operator sets them: checks and defaults. Pure. */
import type { InputErrors } from '@rhizome/errors';
import type { QueueDocument, StoredCanary } from './queue.document.js';

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
const maxArgumentBytes = 8192;

/** Adds the errors of canary jobs, apart from those of their experiment and share. */
export function checkCanary(errors: InputErrors, canary: CanaryInput): void {
  const at = 'canary';
  errors.line([at, 'command'], canary.command, 1, 4096);
  if (canary.image != null) errors.line([at, 'image'], canary.image, 1, 1024);
  const given = canary.arguments ?? [];
  errors.list([at, 'arguments'], given, maxArguments);
  given.forEach((value, position) => errors.lines([at, 'arguments', position], value, 0, maxArgumentBytes));
  errors.int([at, 'intervalSeconds'], canary.intervalSeconds, intervals.min, intervals.max);
  errors.int([at, 'cores'], canary.cores, 1, 4096);
  errors.int([at, 'memoryMiB'], canary.memoryMiB, 1, 16_777_216);
  errors.int([at, 'walltimeSeconds'], canary.walltimeSeconds, 1, longestWalltimeSeconds);
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
