/**
 * Work in core of one process for one run: it creates pools and fleets, pauses and resumes them by the phase,
 * feeds them, follows their results, and closes them. Each step may be repeated by another process at any
 * time.
 */
import type { ApiClient } from '@rhizome/client';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { Lane, LiveRunDocument } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';
import type { LiveRunsRepository } from '../store/live-runs.repository.js';
import type { ResultsRepository } from '../store/results.repository.js';
import { type CoreCalls, laneName, type LanePlace, type LaneState } from './core-calls.js';
import { Feeder } from './feeder.js';
import { laneField, lanesOf, type RunMemory } from './lane-view.js';
import { hasEnded, isFed, isOverdue } from './lane-end.js';
import { Problems } from './problems.js';
import { ResultsFollower, resultsId } from './results-follower.js';
import { type Breakers, RunObserver } from './run-observer.js';

/** Dependencies of {@link RunWork}. */
export interface RunWorkOptions {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly core: CoreCalls;
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
}

const observeEveryMs = 1000;
/** Time for which results are awaited after core has counted them, in milliseconds. */
const countAtMostMs = 60_000;
/** Pre-warming is requested for so long, and again a minute before its end. */
const prewarmMs = 900_000;
const renewMs = 60_000;
/** Time after the announcement of a run in which workers are pre-warmed: a run may never begin. */
const prewarmAtMostMs = 12 * 3_600_000;

export class RunWork {
  readonly #options: RunWorkOptions;
  readonly #runId: string;
  readonly #followers = new Map<string, ResultsFollower>();
  readonly #memory: RunMemory = { results: [], breakers: new Map(), fullUntil: new Map() };
  readonly #feeder: Feeder;
  readonly #observer: RunObserver;
  #fleets: ReadonlyMap<string, LaneState> = new Map();
  #observedAt = -Infinity;
  readonly #problems: Problems;
  /** Monotonic times since which core has counted all slices of a lane, by lane. */
  readonly #countedAt = new Map<string, number>();
  #isStopped = false;

  constructor(options: RunWorkOptions, runId: string) {
    this.#options = options;
    this.#runId = runId;
    this.#feeder = new Feeder(options);
    this.#observer = new RunObserver(options);
    this.#problems = new Problems(options);
  }

  /**
   * Does what the run needs now.
   * @param run as it was read a moment ago
   * @returns true if there may be more to do at once
   */
  async step(run: LiveRunDocument, breakers: Breakers): Promise<boolean> {
    const problems = this.#problems;
    let hasChanged = false;
    for (const place of lanesOf(run))
      hasChanged = ((await problems.note(laneName(place), () => this.#setUp(place))) ?? true) || hasChanged;
    let current = hasChanged ? await this.#read() : run;
    if (!current) return false;
    if (await this.#observe(current, breakers)) current = (await this.#read()) ?? current;
    const lanes = lanesOf(current);
    for (const place of lanes) problems.noteClosed(place);
    let hasMore = false;
    for (const path of Object.keys(current.paths) as PathName[]) {
      const feed = () => this.#feeder.feed(current ?? run, path, this.#memory);
      hasMore = ((await problems.note(path, feed)) ?? false) || hasMore;
    }
    await this.#end(current);
    await problems.store(run);
    return hasMore;
  }

  /** Pauses or resumes the fleets by the phase. It does not wait for a step that is under way. */
  async steer(run: LiveRunDocument): Promise<void> {
    await Promise.all(
      lanesOf(run).map((place) => this.#problems.note(`${laneName(place)} phase`, () => this.#steer(place))),
    );
  }

  /** Ends the streams. None is opened afterwards. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#followers.values()].map((follower) => follower.stop()));
    this.#followers.clear();
  }

  async #read(): Promise<LiveRunDocument | undefined> {
    return (await this.#options.runs.find([this.#runId]))[0];
  }

  /**
   * Creates the pool and the fleet of a lane, and begins to follow its results.
   * @returns true if the stored run has changed
   */
  async #setUp(place: LanePlace): Promise<boolean> {
    const { core } = this.#options;
    const { poolId, fleetId, queue } = place.lane;
    // Stored before the fleet, which core may refuse: the pool is closed with the run.
    if (poolId === undefined) return this.#found(place, { poolId: await core.createPool(place) });
    if (fleetId === undefined) {
      const site = queue === null ? undefined : await core.siteOf(queue);
      const fleet = await core.createFleet(place, poolId);
      const known = site === undefined ? {} : { site };
      return this.#found(place, { fleetId: fleet.id, fleetOwner: fleet.owner, ...known });
    }
    const hasChanged = await this.#prewarm(place, fleetId, place.settings.prewarmedWorkers);
    const id = resultsId(place);
    if (this.#isStopped || this.#followers.has(id)) return hasChanged;
    const { client, results, clock, log } = this.#options;
    this.#followers.set(id, new ResultsFollower({ core: client, results, clock, log }, place, poolId));
    return hasChanged;
  }

  /** Stores what core has created for a lane, and goes on with it. @returns true */
  async #found(place: LanePlace, found: Partial<Lane>): Promise<boolean> {
    const { runs, clock } = this.#options;
    const set = Object.entries(found).map(([field, value]) => [laneField(place, field), value]);
    await runs.change(place.run._id, {}, { $set: Object.fromEntries(set) }, clock.now());
    await this.#setUp({ ...place, lane: { ...place.lane, ...found } });
    return true;
  }

  /** Requests workers for a run that is imminent. @returns true if the stored run has changed */
  async #prewarm(place: LanePlace, fleetId: string, workers: number): Promise<boolean> {
    const { core, runs, clock } = this.#options;
    const { run, lane } = place;
    const now = clock.now().getTime();
    if (run.phase !== 'IMMINENT' || workers === 0) return false;
    if (now > run.createdAt.getTime() + prewarmAtMostMs) return false;
    if (lane.prewarmedUntil && lane.prewarmedUntil.getTime() > now + renewMs) return false;
    const until = new Date(now + prewarmMs);
    await core.prewarm(fleetId, workers, until);
    await runs.change(run._id, {}, { $set: { [laneField(place, 'prewarmedUntil')]: until } }, clock.now());
    return true;
  }

  /** Pauses or resumes the fleet by the phase. A person's is left alone while it is the latest decision. */
  async #steer(place: LanePlace): Promise<void> {
    const { core, runs, clock } = this.#options;
    const { run, lane } = place;
    const { fleetId, fleetState = 'RUNNING', fleetOwner } = lane;
    if (fleetId === undefined) return;
    const wanted = run.phase === 'STANDBY' ? 'PAUSED' : 'RUNNING';
    const found = this.#fleets.get(fleetId);
    const isOwn = found?.latestDecision?.decidedBy.subject === fleetOwner;
    const isOff =
      found !== undefined &&
      found.state !== wanted &&
      ['RUNNING', 'PAUSED'].includes(found.state) &&
      (isOwn || found.latestDecision?.reason !== (wanted === 'PAUSED' ? 'RESUMED' : 'PAUSED'));
    if (fleetState === wanted && !isOff) return;
    await core.setFleet(fleetId, wanted, `run ${run.runNumber} is ${run.phase}`);
    this.#fleets = new Map([...this.#fleets].filter(([id]) => id !== fleetId));
    await runs.change(run._id, {}, { $set: { [laneField(place, 'fleetState')]: wanted } }, clock.now());
  }

  /** Looks at core now and then. @returns true if it did: the stored run may have changed */
  async #observe(run: LiveRunDocument, breakers: Breakers): Promise<boolean> {
    const { clock } = this.#options;
    if (clock.monotonicMs() - this.#observedAt < observeEveryMs) return false;
    this.#fleets = await this.#observer.observe(run, this.#memory, breakers);
    this.#observedAt = clock.monotonicMs();
    return true;
  }

  /**
   * Closes a completed run: for frames, then its pools, and at last the run itself. What core refuses to
   * close keeps it from ending until it is overdue.
   */
  async #end(run: LiveRunDocument): Promise<void> {
    const { runs, clock } = this.#options;
    const now = clock.now();
    if (run.stage === 'OPEN') {
      if (run.closesAt && now >= run.closesAt)
        await runs.change(run._id, { stage: 'OPEN' }, { $set: { stage: 'CLOSED' } }, now);
      return;
    }
    const isLate = isOverdue(run, now);
    if (!(Object.keys(run.paths) as PathName[]).every((path) => isFed(run, path, isLate))) return;
    const lanes = lanesOf(run);
    const givenUp = new Set<LanePlace>();
    for (const place of lanes) {
      const isClosed = await this.#problems.note(`${laneName(place)} end`, () => this.#close(place));
      if (!isClosed && isLate) givenUp.add(place);
    }
    if (!lanes.every((place) => givenUp.has(place) || hasEnded(place.lane, isLate))) return;
    const counted = await Promise.all(lanes.map((place) => this.#isCounted(place)));
    if (!counted.every(Boolean)) return;
    await runs.change(run._id, { stage: 'CLOSED' }, { $set: { stage: 'ENDED', endedAt: now } }, now);
  }

  /** Closes the pool of a lane, if there is one. @returns true */
  async #close(place: LanePlace): Promise<boolean> {
    const { runs, core, clock } = this.#options;
    const { poolId, isPoolClosed } = place.lane;
    if (poolId === undefined || isPoolClosed) return true;
    await core.closePool(poolId);
    const closed = { $set: { [laneField(place, 'isPoolClosed')]: true } };
    await runs.change(place.run._id, {}, closed, clock.now());
    return true;
  }

  /** True if the sums have all results that core has counted, or if the rest has not come for a minute. */
  async #isCounted(place: LanePlace): Promise<boolean> {
    const { results, clock } = this.#options;
    const { published, observed } = place.lane;
    if (published === 0) return true;
    const id = resultsId(place);
    const sums = this.#memory.results.find(({ _id }) => _id === id);
    if (sums && (sums.hasGap || sums.completed >= Math.min(published, observed?.completed ?? 0))) return true;
    const since = this.#countedAt.get(id) ?? clock.monotonicMs();
    this.#countedAt.set(id, since);
    if (clock.monotonicMs() - since < countAtMostMs) return false;
    await results.noteGap(id, clock.now());
    return true;
  }
}
