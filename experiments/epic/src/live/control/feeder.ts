/**
 * Gives the slices of announced frames to core. Before a call, the frames and their lane are stored
 * (`intent`); after it, the cursor of the path moves behind them. A process that finds an intent repeats its
 * call: the keys of the slices let core publish each once.
 */
import type { Clock } from '@rhizome/clock';
import { decisionsCollection } from '../model/feed-collections.js';
import { slicesOf } from '../model/frame-numbers.js';
import type { FeedIntent, LiveRunDocument } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';
import { decideFeed, type FeedDecision, isFed, nextLane } from '../model/regulator.js';
import type { LiveRunsRepository } from '../store/live-runs.repository.js';
import type { ResultsRepository } from '../store/results.repository.js';
import { type CoreCalls, CoreRefusal, type LanePlace } from './core-calls.js';
import { laneField, lanesOfPath, type RunMemory, viewOf } from './lane-view.js';
import { resultsId } from './results-follower.js';

/** Dependencies of {@link Feeder}. */
export interface FeederOptions {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly core: CoreCalls;
  readonly clock: Clock;
}

/** Units of one publication; core accepts 10,000 units and 8 MiB. */
const maxUnits = 1500;

export class Feeder {
  readonly #options: FeederOptions;
  /** Lanes to which a frame was given while a breaker is half open, with the time of the breaker. */
  readonly #probes = new Map<string, number>();

  constructor(options: FeederOptions) {
    this.#options = options;
  }

  /** Decides which lanes of a path are fed, and stores each decision that differs from the one before. */
  async decide(run: LiveRunDocument, path: PathName, memory: RunMemory): Promise<readonly FeedDecision[]> {
    const now = this.#options.clock.now();
    const decisions: FeedDecision[] = [];
    for (const place of lanesOfPath(run, path)) {
      const decision = decideFeed(run.phase, viewOf(place, memory), now);
      decisions.push(decision);
      const { feed } = place.lane;
      const isSame = feed.reason === decision.reason && feed.by === decision.by;
      if (!isSame || (feed.reason === 'PHASE' && feed.message !== decision.message))
        await this.#note(place, decision, now);
    }
    return decisions;
  }

  /**
   * Gives the next frames of a path to core.
   * @returns true if there may be more to give right now
   */
  async feed(run: LiveRunDocument, name: PathName, memory: RunMemory): Promise<boolean> {
    const { runs } = this.#options;
    const path = run.paths[name];
    // What closes at the end of a run is no decision about its feed.
    if (path && run.stage !== 'OPEN' && !path.intent && path.fed >= run.frames.announced) return false;
    const decisions = await this.decide(run, name, memory);
    if (!path || run.phase === 'IMMINENT' || run.phase === 'STANDBY') return false;
    if (path.intent) return this.#publish(run, name, path.intent, memory);
    const left = run.frames.announced - path.fed;
    const lane = left > 0 ? this.#choose(run, name, memory, decisions) : undefined;
    if (lane === undefined) return false;
    const isProbe = decisions[lane]?.reason === 'PROBE';
    const most = isProbe ? 1 : Math.max(1, Math.floor(maxUnits / run.slicesPerFrame));
    const intent = { lane, to: path.fed + Math.min(left, most) };
    const condition = { [`paths.${name}.fed`]: path.fed, [`paths.${name}.intent`]: { $exists: false } };
    const update = { $set: { [`paths.${name}.intent`]: intent } };
    const noted = await runs.change(run._id, condition, update, this.#options.clock.now());
    return noted ? this.#publish(noted, name, intent, memory) : false;
  }

  /** The lane that gets the next frames. One whose results are not followed yet gets none. */
  #choose(
    run: LiveRunDocument,
    name: PathName,
    memory: RunMemory,
    decisions: readonly FeedDecision[],
  ): number | undefined {
    return nextLane(
      lanesOfPath(run, name).map((place, index) => {
        const id = resultsId(place);
        const decision = decisions[index];
        const isProbeOut = this.#probes.get(id) === this.#breakerTime(place, memory);
        const isReady = place.lane.poolId !== undefined && memory.results.some(({ _id }) => _id === id);
        const { observed, published } = place.lane;
        return {
          isFed: isReady && decision !== undefined && isFed(decision, isProbeOut),
          depthHours: decision?.depthHours ?? null,
          open: published - (observed?.completed ?? 0),
        };
      }),
    );
  }

  #breakerTime({ lane }: LanePlace, memory: RunMemory): number | undefined {
    return lane.site === undefined ? undefined : (memory.breakers.get(lane.site)?.since.getTime() ?? 0);
  }

  async #publish(
    run: LiveRunDocument,
    name: PathName,
    intent: FeedIntent,
    memory: RunMemory,
  ): Promise<boolean> {
    const { runs, core, clock } = this.#options;
    const path = run.paths[name];
    const place = lanesOfPath(run, name)[intent.lane];
    const poolId = place?.lane.poolId;
    if (!path || !place || poolId === undefined) return false;
    const id = resultsId(place);
    const full = memory.fullUntil.get(id);
    if (full && full > clock.now()) return false;
    const frames = await runs.framesAfter(run._id, path.fed, intent.to - path.fed);
    const units = frames.flatMap((frame) => slicesOf(run, name, frame));
    const span = { from: path.fed, to: intent.to };
    // Before the call: a worker may complete a slice before core has answered.
    await runs.noteFed(run._id, name, span, clock.now());
    let retryAfter: number | null = null;
    try {
      if (units.length > 0) retryAfter = await core.publish(poolId, units);
    } catch (error) {
      if (!(error instanceof CoreRefusal) || !error.codes.includes('POOL_CLOSED')) throw error;
      await runs.noteUnfed(run._id, name, span);
      return this.#giveUp(place, intent, path.fed);
    }
    const now = clock.now();
    if (retryAfter !== null) {
      await runs.noteUnfed(run._id, name, span);
      memory.fullUntil.set(id, new Date(now.getTime() + retryAfter * 1000));
      return false;
    }
    const moved = await runs.change(
      run._id,
      { [`paths.${name}.fed`]: path.fed },
      {
        $set: { [`paths.${name}.fed`]: intent.to },
        $unset: { [`paths.${name}.intent`]: '' },
        $inc: { [laneField(place, 'published')]: units.length },
      },
      now,
    );
    const breakerTime = this.#breakerTime(place, memory);
    if (breakerTime !== undefined) this.#probes.set(id, breakerTime);
    return moved !== null && moved.frames.announced > intent.to;
  }

  /**
   * Removes an intent for a pool that was closed: a pool is never opened again, and it has none of the
   * slices, or it would have answered that it knows them. They go to another lane.
   * @returns true: another lane may have space
   */
  async #giveUp(place: LanePlace, { lane, to }: FeedIntent, fed: number): Promise<boolean> {
    const { runs, clock } = this.#options;
    const { run, path } = place;
    const intent = `paths.${path}.intent`;
    const condition = { [`paths.${path}.fed`]: fed, [`${intent}.lane`]: lane, [`${intent}.to`]: to };
    const update = { $unset: { [intent]: '' as const }, $set: { [laneField(place, 'isPoolClosed')]: true } };
    await runs.change(run._id, condition, update, clock.now());
    return true;
  }

  /** Stores a decision. What identifies it is the one before: a repetition after a crash adds none. */
  async #note(place: LanePlace, decision: FeedDecision, now: Date): Promise<void> {
    const { runs, results } = this.#options;
    const { run, path, lane } = place;
    const { reason, message, by, depthHours: depth } = decision;
    await results.decide({
      _id: `${resultsId(place)}/${lane.feed.since.getTime()}`,
      schemaVersion: decisionsCollection.schemaVersion,
      revision: 1,
      ...{ runId: run._id, path, queue: lane.queue, at: now, reason, message, depthHours: depth },
    });
    const condition = { [laneField(place, 'feed.since')]: lane.feed.since };
    const since = now > lane.feed.since ? now : new Date(lane.feed.since.getTime() + 1);
    const update = { $set: { [laneField(place, 'feed')]: { reason, message, by, since } } };
    await runs.change(run._id, condition, update, now);
  }
}
