/** Calls to core about pools and fleets, as the service of the experiment. All of them may be repeated. */
import type { ApiClient, CallOptions, MutationOptions } from '@rhizome/client';
import {
  EpicClosePoolDocument,
  EpicCreateFleetDocument,
  EpicCreatePoolDocument,
  EpicFailedAttemptsDocument,
  EpicLaneStatesDocument,
  type EpicLaneStatesQuery,
  EpicPauseFleetDocument,
  EpicPrewarmFleetDocument,
  EpicPublishUnitsDocument,
  EpicQueueSiteDocument,
  EpicResumeFleetDocument,
} from '../../operations.generated.js';
import type { SliceUnit } from '../model/frame-numbers.js';
import type { Lane, LiveRunDocument, PathSettings } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';

/** Name of the experiment in core. */
export const experimentName = 'epic';

/** A lane with its place. */
export interface LanePlace {
  readonly run: LiveRunDocument;
  readonly path: PathName;
  readonly index: number;
  readonly lane: Lane;
  readonly settings: PathSettings;
}

/** Fleet of a lane, as core has it. */
export type LaneState = EpicLaneStatesQuery['fleets']['nodes'][number];

/** Core refused a call. */
export class CoreRefusal extends Error {
  /** Codes of the errors. */
  readonly codes: readonly string[];

  constructor(call: string, errors: readonly { readonly code: string; readonly message: string }[]) {
    super(`core refused ${call}: ${errors.map(({ message }) => message).join(' ')}`);
    this.name = 'CoreRefusal';
    this.codes = errors.map(({ code }) => code);
  }
}

/** Labels of the jobs of a run. */
export const runLabel = 'epic-live-run';
/** Few attempts: a step that failed is repeated, and a pause must not wait long for another call. */
const shortly = { timeoutMs: 10_000, retry: { attempts: 1 } } as const;

/** Name of the pool and of the fleet of a lane. */
export function laneName({ run, path, index }: LanePlace): string {
  const suffix = index === 0 ? '' : `-${index}`;
  return `run-${run.runNumber}-${path.toLowerCase()}${suffix}`;
}

export class CoreCalls {
  readonly #core: ApiClient;
  readonly #call: CallOptions;

  /** @param signal ends calls that are under way */
  constructor(core: ApiClient, signal?: AbortSignal) {
    this.#core = core;
    this.#call = signal ? { ...shortly, signal } : shortly;
  }

  get #change(): MutationOptions {
    return { ...this.#call, idempotent: true };
  }

  /** Creates the pool of a lane. @returns its identifier */
  async createPool(place: LanePlace): Promise<string> {
    const { run, settings } = place;
    const { leaseSeconds, maxAttempts } = settings;
    const input = {
      ...{ experiment: experimentName, name: laneName(place), run: String(run.runNumber) },
      settings: { leaseSeconds, maxAttempts, backoffSeconds: 1 },
    };
    const { createWorkPool } = await this.#core.mutate(EpicCreatePoolDocument, { input }, this.#change);
    if (createWorkPool.pool) return createWorkPool.pool.id;
    throw new CoreRefusal('createWorkPool', createWorkPool.userErrors);
  }

  /** Creates the fleet of a lane. @returns its identifier and its owner */
  async createFleet(
    place: LanePlace,
    poolId: string,
  ): Promise<{ readonly id: string; readonly owner: string }> {
    const { settings, lane } = place;
    const { minWorkers: min, maxWorkers: max, targetLagSeconds, idleSeconds } = settings;
    const queues = lane.queue === null ? [] : [{ queue: lane.queue, max }];
    const input = {
      ...{ poolId, name: laneName(place) },
      settings: { min, max, targetLagSeconds, idleSeconds, upCooldownSeconds: 5, queues },
      job: jobOf(place),
    };
    const { createFleet } = await this.#core.mutate(EpicCreateFleetDocument, { input }, this.#change);
    if (createFleet.fleet) return { id: createFleet.fleet.id, owner: createFleet.fleet.owner.subject };
    throw new CoreRefusal('createFleet', createFleet.userErrors);
  }

  /** Requests workers until a time. */
  async prewarm(fleetId: string, jobs: number, until: Date): Promise<void> {
    const input = { fleetId, jobs, until: until.toISOString() };
    const { prewarmFleet } = await this.#core.mutate(EpicPrewarmFleetDocument, { input }, this.#change);
    if (prewarmFleet.userErrors.length > 0) throw new CoreRefusal('prewarmFleet', prewarmFleet.userErrors);
  }

  /** Pauses or resumes a fleet. One that drains or has ended stays as it is. */
  async setFleet(fleetId: string, state: 'RUNNING' | 'PAUSED', reason: string): Promise<void> {
    const input = { fleetId, reason };
    const { userErrors } =
      state === 'PAUSED'
        ? (await this.#core.mutate(EpicPauseFleetDocument, { input }, this.#change)).pauseFleet
        : (await this.#core.mutate(EpicResumeFleetDocument, { input }, this.#change)).resumeFleet;
    const errors = userErrors.filter(({ code }) => code !== 'FLEET_STATE_CONFLICT');
    if (errors.length > 0) throw new CoreRefusal('a change of a fleet', errors);
  }

  /**
   * Publishes units, each once.
   * @returns seconds after which a full pool may have space; null if they are published
   */
  async publish(poolId: string, units: readonly SliceUnit[]): Promise<number | null> {
    const input = { poolId, units: [...units] };
    const { publishWorkUnits } = await this.#core.mutate(EpicPublishUnitsDocument, { input }, this.#change);
    const { userErrors, retryAfterSeconds } = publishWorkUnits;
    if (userErrors.length === 0) return null;
    if (userErrors.every(({ code }) => code === 'POOL_FULL')) return retryAfterSeconds ?? 10;
    throw new CoreRefusal('publishWorkUnits', userErrors);
  }

  /** Closes a pool. */
  async closePool(poolId: string): Promise<void> {
    const { closeWorkPool } = await this.#core.mutate(
      EpicClosePoolDocument,
      { input: { poolId } },
      this.#change,
    );
    if (closeWorkPool.userErrors.length > 0) throw new CoreRefusal('closeWorkPool', closeWorkPool.userErrors);
  }

  /** Fleets of pools with the numbers of the units. */
  async laneStates(poolIds: readonly string[]): Promise<readonly LaneState[]> {
    if (poolIds.length === 0) return [];
    return (await this.#core.query(EpicLaneStatesDocument, { poolIds: [...poolIds] }, this.#call)).fleets
      .nodes;
  }

  /** Failed attempts of the units of a run, by pool and site, in hours that begin at or after a time. */
  async failedAttempts(runNumber: number, since: Date) {
    const variables = { run: String(runNumber), since: since.toISOString() };
    return (await this.#core.query(EpicFailedAttemptsDocument, variables, this.#call)).workUnitTotals;
  }

  /** Name of the site of a queue; undefined if the queue is not there. */
  async siteOf(queue: string): Promise<string | undefined> {
    return (await this.#core.query(EpicQueueSiteDocument, { name: queue }, this.#call)).queue?.site.name;
  }

  /** True if the queue is there, for the experiment. */
  async hasQueue(queue: string): Promise<boolean> {
    return (await this.siteOf(queue)) !== undefined;
  }
}

function jobOf({ run, path, settings, ...place }: LanePlace) {
  const { cores, memoryMiB, walltimeSeconds, command, image } = settings;
  const name = laneName({ run, path, settings, ...place });
  return {
    name,
    labels: [
      { key: runLabel, value: String(run.runNumber) },
      { key: 'epic-path', value: path },
      { key: 'epic-announced-by', value: run.announcedBy },
    ],
    requirements: { cores, memoryMiB, walltimeSeconds },
    payload: {
      command,
      arguments: [...settings.arguments],
      environment: [
        { name: 'EPIC_POOL', value: name },
        { name: 'EPIC_RUN', value: String(run.runNumber) },
        { name: 'EPIC_DETECTOR', value: run.detectorConfiguration },
      ],
      ...(image === null ? {} : { image }),
    },
  };
}
