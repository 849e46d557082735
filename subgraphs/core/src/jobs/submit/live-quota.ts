import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { LiveUsage } from '../model/job.types.js';
import { locationsOf } from '../../storages/places.js';
import type { PayloadSpec } from './submit.types.js';

/** Limits of live jobs and of the bytes of their payloads. */
export interface LiveQuotaLimits {
  readonly liveJobsPerOwner: number;
  readonly liveBytesPerOwner: number;
  readonly liveJobsPerExperiment: number;
  readonly liveBytesPerExperiment: number;
}

const gibibyte = 1024 ** 3;

/** Default limits: a task of a million jobs fits, with another one. */
export const defaultQuotas: LiveQuotaLimits = {
  liveJobsPerOwner: 2_000_000,
  liveBytesPerOwner: 8 * gibibyte,
  liveJobsPerExperiment: 10_000_000,
  liveBytesPerExperiment: 64 * gibibyte,
};

/** Dependencies of {@link LiveQuota}. */
export interface LiveQuotaOptions {
  readonly limits: LiveQuotaLimits;
  /** Usage of the owners of an experiment according to the store. */
  readonly read: (experiment: string) => Promise<ReadonlyMap<string, LiveUsage>>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Usage of an experiment when it was read, plus what was submitted since. */
interface Known {
  readonly owners: Map<string, LiveUsage>;
  all: LiveUsage;
  readonly readAtMs: number;
}

const none: LiveUsage = { jobs: 0, bytes: 0 };
/** Minimum age of a count, in milliseconds, at which a limit that seems reached has it read again. */
const shortestMs = 2000;
/** Age at which a count is read again, in milliseconds: other processes accept jobs, too. */
const longestMs = 60_000;

/**
 * Limits live jobs and their bytes. The store is counted at most once a minute for each experiment, or when a
 * limit seems to be reached; in between, what is submitted is added, and ended jobs count on.
 */
export class LiveQuota {
  readonly #options: LiveQuotaOptions;
  readonly #known = new Map<string, Known>();
  readonly #reading = new Map<string, Promise<Known>>();

  constructor(options: LiveQuotaOptions) {
    this.#options = options;
  }

  /**
   * Counts a submit of an owner.
   * @param linked other identities of the same person, whose jobs count for the limits of the owner
   * @throws DomainError LIMIT_EXCEEDED, with the name of the limit
   */
  async charge(
    experiment: string,
    owner: string,
    added: LiveUsage,
    linked: readonly string[] = [],
  ): Promise<void> {
    const owners = [owner, ...linked];
    let known = this.#known.get(experiment);
    const age = known ? this.#nowMs() - known.readAtMs : Infinity;
    const seemsFull = known !== undefined && this.#exceeded(known, owners, added) !== undefined;
    if (!known || age > longestMs || (seemsFull && age > shortestMs)) known = await this.#read(experiment);
    const error = this.#exceeded(known, owners, added);
    if (error) throw error;
    known.owners.set(owner, sum(known.owners.get(owner) ?? none, added));
    known.all = sum(known.all, added);
  }

  #exceeded(known: Known, owners: readonly string[], added: LiveUsage): DomainError | undefined {
    const { limits } = this.#options;
    const own = owners.reduce((all, owner) => sum(all, known.owners.get(owner) ?? none), added);
    const all = sum(known.all, added);
    return (
      over('liveJobsPerOwner', own.jobs, limits) ??
      over('liveBytesPerOwner', own.bytes, limits) ??
      over('liveJobsPerExperiment', all.jobs, limits) ??
      over('liveBytesPerExperiment', all.bytes, limits)
    );
  }

  /** Concurrent submits wait for one count. */
  #read(experiment: string): Promise<Known> {
    const running = this.#reading.get(experiment);
    if (running) return running;
    const reading = this.#count(experiment).finally(() => this.#reading.delete(experiment));
    this.#reading.set(experiment, reading);
    return reading;
  }

  async #count(experiment: string): Promise<Known> {
    const { read, log } = this.#options;
    let owners = new Map(this.#known.get(experiment)?.owners);
    try {
      owners = new Map(await read(experiment));
    } catch (error) {
      // Jobs are accepted rather than refused for a count that takes too long.
      log.warn({ err: error, experiment }, 'live jobs not counted');
    }
    const known: Known = { owners, all: [...owners.values()].reduce(sum, none), readAtMs: this.#nowMs() };
    this.#known.set(experiment, known);
    return known;
  }

  #nowMs(): number {
    return this.#options.clock.now().getTime();
  }
}

function sum(one: LiveUsage, other: LiveUsage): LiveUsage {
  return { jobs: one.jobs + other.jobs, bytes: one.bytes + other.bytes };
}

function over(name: keyof LiveQuotaLimits, value: number, limits: LiveQuotaLimits): DomainError | undefined {
  const limit = limits[name];
  if (value <= limit) return undefined;
  const what = name.includes('Jobs') ? 'live jobs' : 'bytes of live jobs';
  const whose = name.endsWith('Owner') ? 'the owner' : 'the experiment';
  const text = `quotas.${name}: ${whose} would have ${value} ${what}; must be at most ${limit}; wait until jobs end, or cancel some`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    field: `quotas.${name}`,
    value,
    expected: `at most ${limit}`,
    retryAfterSeconds: 60,
  });
}

/** Bytes of a payload, about as many as it takes in the store. */
export function payloadBytes({
  command,
  arguments: given,
  environment,
  image,
  inputs,
  outputs,
  keepOnFailure,
}: PayloadSpec): number {
  let bytes = 100 + textOf(image) + textOf(command);
  for (const text of given ?? []) bytes += textOf(text);
  for (const { name, value } of environment ?? []) bytes += textOf(name) + textOf(value);
  for (const file of inputs ?? [])
    bytes += [file.name, ...locationsOf(file)].reduce((all, text) => all + textOf(text), 64);
  for (const output of [...(outputs ?? []), ...(keepOnFailure ?? [])]) bytes += textOf(output);
  return bytes;
}

function textOf(text: unknown): number {
  return typeof text === 'string' ? text.length + 8 : 8;
}
