/** Resolvers of live runs: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { DocumentChange } from '@rhizome/experiment';
import { byKey, connection, defineLoader } from '@rhizome/subgraph';
import { actions } from '../../actions.js';
import type { Context } from '../../context.js';
import { errors } from '../../errors.js';
import type { Resolvers } from '../../types.generated.js';
import { lanesOfPath, viewOf } from '../control/lane-view.js';
import type { ResultsDocument } from '../model/live-collections.js';
import { missingFrames, rateOf } from '../model/frame-numbers.js';
import { latencyOf } from '../model/latency.js';
import type { LiveRunDocument, PathSettings } from '../model/live-run.document.js';
import { facetNames, type PathName } from '../model/live-run.types.js';
import { depthHours } from '../model/regulator.js';
import { costOf, lagOf, sliceCounts, slicesBySite, slowestOf } from './questions.js';

const experiment = 'epic';
const read = { action: 'task:read', experiment } as const;
/** Frames over which the rate is measured. */
const ratedFrames = 100;

type Types =
  | 'EpicLiveRun'
  | 'EpicLiveRunChanged'
  | 'EpicLiveRunConnection'
  | 'EpicLiveRunEntry'
  | 'EpicLiveRunEntryConnection'
  | 'EpicLiveRunEvent'
  | 'EpicFacet'
  | 'EpicFrameProgress'
  | 'EpicLivePath'
  | 'EpicLane'
  | 'EpicLaneWorkers'
  | 'EpicFeed'
  | 'EpicFeedDecision'
  | 'EpicFeedDecisionConnection'
  | 'EpicSlowSlice'
  | 'EpicSiteSlices'
  | 'EpicSiteBreaker';

const runLoader = defineLoader<string, LiveRunDocument, Context>({
  name: 'EpicLiveRun',
  load: async (ids, { live }) => byKey(ids, await live.runs.find(ids), ({ _id }) => _id),
});

const resultsLoader = defineLoader<string, readonly ResultsDocument[], Context>({
  name: 'EpicLiveRun.results',
  load: async (ids, { live }) => {
    const all = await live.results.ofRuns(ids);
    return ids.map((id) => all.filter(({ runId }) => runId === id));
  },
});

/** Times of the newest frames, by run and number of announced frames. */
const newestLoader = defineLoader<FramePlace, readonly Date[], Context>({
  name: 'EpicLiveRun.newestFrames',
  cacheKey: placeKey,
  load: async (places, { live }) => {
    const intervals = places.map(({ runId, sequence: to }) => ({ runId, from: to - ratedFrames + 1, to }));
    const frames = await live.runs.timesOfFrames(intervals);
    return intervals.map(({ runId, from, to }) =>
      frames
        .filter((frame) => frame.runId === runId && frame.sequence >= from && frame.sequence <= to)
        .map(({ recordedAt }) => recordedAt),
    );
  },
});

/** Times at which frames were announced, by run and position in the order of announcement. */
const announcedLoader = defineLoader<FramePlace, Date, Context>({
  name: 'EpicLiveRun.announcedAt',
  cacheKey: placeKey,
  load: async (places, { live }) => {
    const intervals = places.map(({ runId, sequence }) => ({ runId, from: sequence, to: sequence }));
    const frames = await live.runs.timesOfFrames(intervals);
    const times = new Map(frames.map((frame) => [placeKey(frame), frame.announcedAt]));
    return places.map((place) => times.get(placeKey(place)) ?? null);
  },
});

/** A position in the order of announcement. */
interface FramePlace {
  readonly runId: string;
  readonly sequence: number;
}

function placeKey({ runId, sequence }: FramePlace): string {
  return `${runId}/${sequence}`;
}

async function resultsOf(
  { run, name }: { readonly run: LiveRunDocument; readonly name: PathName },
  { loaders }: Context,
): Promise<readonly ResultsDocument[]> {
  const all = (await loaders.load(resultsLoader, run._id)) ?? [];
  return all.filter(({ path }) => path === name);
}

async function* changesOf(
  runNumber: number,
  after: string | null | undefined,
  { live, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  const found = await live.runs.ofNumber(runNumber);
  if (!found) {
    const details = { field: 'runNumber', value: runNumber };
    throw new DomainError(errors.EPIC_RUN_NOT_FOUND, `Run ${runNumber} not found.`, details);
  }
  yield* live.feed.changes(found._id, after, signal);
}

/** Lanes of a path as they are stored. */
const storedLanes = ({ run, name }: { readonly run: LiveRunDocument; readonly name: PathName }) =>
  lanesOfPath(run, name).map(({ lane }) => lane);

/** Settings of a path as they are stored. */
function storedSettings(run: LiveRunDocument, name: PathName): PathSettings {
  const path = run.paths[name];
  if (!path) throw new Error(`live run ${run._id} has no path ${name}`);
  return path.settings;
}

/** Reference to an object of core by its name. */
const named = (name: string | null | undefined) => (name == null ? null : { name });

/** Root fields of live runs. */
export const liveRoots = {
  EpicQuery: {
    liveRun: (_parent, { runNumber }, { live }) => live.runs.ofNumber(runNumber),
    liveRuns: (_parent, { first, after }, { live }) => live.runs.page(first ?? 20, after),
    siteBreakers: async (_parent, _args, { live }) => [...(await live.results.breakers())],
  },
  Mutation: {
    announceEpicLiveRun: (_parent, { input }, { live, principal }) => live.service.announce(principal, input),
    announceEpicRunState: (_parent, { input }, { live, principal }) =>
      live.service.announceState(principal, input),
    announceEpicTimeFrames: (_parent, { input }, { live, principal }) =>
      live.service.announceFrames(principal, input),
    setEpicSiteFeed: (_parent, { input }, { live, principal }) => live.service.setSiteFeed(principal, input),
  },
  Subscription: {
    epicLiveRunChanged: {
      subscribe: (_parent, { runNumber, after }, context) => changesOf(runNumber, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
} satisfies Pick<Resolvers, 'EpicQuery' | 'Mutation' | 'Subscription'>;

/** Resolvers of the types of live runs. */
export const liveTypes: Pick<Resolvers, Types> = {
  EpicLiveRun: {
    __resolveReference: ({ id }, { loaders }) => loaders.load(runLoader, String(id)),
    id: ({ _id }) => _id,
    facets: ({ owners, facets }) =>
      facetNames.map((name) => ({ name, owner: owners[name], facet: facets[name] })),
    history: ({ _id }, { first, after }, { live }) => live.runs.history(_id, first ?? 20, after),
    frames: (run) => run,
    paths: (run) => (Object.keys(run.paths) as PathName[]).map((name) => ({ run, name })),
    decisions: ({ _id }, { first, after }, { live }) => live.results.decisions(_id, first ?? 20, after),
    announcedBy: ({ announcedBy: subject }) => ({ subject }),
    announcedAt: ({ createdAt }) => createdAt,
    closesAt: ({ closesAt }) => closesAt ?? null,
    endedAt: ({ endedAt }) => endedAt ?? null,
    problem: ({ problem }) => problem ?? null,
  },
  EpicLiveRunConnection: connection,
  EpicLiveRunChanged: { event: ({ id }) => (id === null ? null : { id }) },
  EpicLiveRunEvent: {
    run: async ({ id }, _args, { loaders }) => {
      const found = await loaders.load(runLoader, id);
      if (found) return found;
      throw new Error(`live run ${id} does not exist any more`);
    },
  },
  EpicLiveRunEntry: {
    author: ({ author: subject }) => ({ subject }),
    reason: ({ reason }) => reason ?? null,
  },
  EpicLiveRunEntryConnection: connection,
  EpicFacet: {
    state: ({ facet }) => facet?.state ?? null,
    since: ({ facet }) => facet?.at ?? null,
    owner: ({ owner: subject }) => ({ subject }),
  },
  EpicFrameProgress: {
    announced: ({ frames }) => frames.announced,
    bytes: ({ frames }) => frames.bytes,
    lastNumber: ({ frames }) => frames.highest ?? null,
    lastAnnouncedAt: ({ frames }) => frames.lastAnnouncedAt ?? null,
    ratePerSecond: async ({ _id, frames }, _args, { loaders }) =>
      rateOf((await loaders.load(newestLoader, { runId: _id, sequence: frames.announced })) ?? []),
    missing: ({ frames }) => missingFrames(frames),
    gaps: ({ frames }) => frames.gaps.map(([first, last]) => ({ first, last })),
  },
  EpicLivePath: {
    command: ({ run, name }) => storedSettings(run, name).command,
    arguments: ({ run, name }) => [...storedSettings(run, name).arguments],
    image: ({ run, name }) => storedSettings(run, name).image,
    announcedSlices: ({ run }) => run.frames.announced * run.slicesPerFrame,
    fedSlices: (path) => storedLanes(path).reduce((sum, { published }) => sum + published, 0),
    slices: (path) => sliceCounts(storedLanes(path)),
    lagSeconds: (path) => lagOf(storedLanes(path)),
    feedLagSeconds: async ({ run, name }, _args, { live, loaders }) => {
      const fed = run.paths[name]?.fed ?? 0;
      if (fed >= run.frames.announced) return 0;
      const next = await loaders.load(announcedLoader, { runId: run._id, sequence: fed + 1 });
      return next ? Math.max(0, (live.clock.now().getTime() - next.getTime()) / 1000) : 0;
    },
    lanes: ({ run, name }) => [...lanesOfPath(run, name)],
    latency: async (path, _args, context) => latencyOf(await resultsOf(path, context)),
    slowest: async (path, _args, context) => slowestOf(await resultsOf(path, context)),
    sites: async (path, _args, context) => slicesBySite(await resultsOf(path, context)),
    cost: async (path, _args, context) => costOf(path.run, path.name, await resultsOf(path, context)),
  },
  EpicLane: {
    queue: ({ lane }) => named(lane.queue),
    queueName: ({ lane }) => lane.queue,
    site: ({ lane }) => named(lane.site),
    poolId: ({ lane }) => lane.poolId ?? null,
    fleetId: ({ lane }) => lane.fleetId ?? null,
    feed: ({ lane }) => lane.feed,
    slices: ({ lane }) => sliceCounts([lane]),
    lagSeconds: ({ lane }) => lagOf([lane]),
    workers: ({ lane, settings }) => ({ observed: lane.observed, maximum: settings.maxWorkers }),
    depthHours: async (place, _args, context) => {
      const results = await resultsOf({ run: place.run, name: place.path }, context);
      return depthHours(viewOf(place, { results, breakers: new Map(), fullUntil: new Map() }));
    },
    observedAt: ({ lane }) => lane.observed?.at ?? null,
  },
  EpicLaneWorkers: {
    target: ({ observed }) => observed?.targetWorkers ?? 0,
    running: ({ observed }) => observed?.runningWorkers ?? 0,
    waiting: ({ observed }) => observed?.waitingWorkers ?? 0,
    reason: ({ observed }) => observed?.fleetReason ?? null,
  },
  EpicFeed: {
    isHeld: ({ reason }) => reason !== 'FED' && reason !== 'PROBE',
    heldBy: ({ by: subject }) => (subject === null ? null : { subject }),
  },
  EpicFeedDecision: {
    queue: ({ queue }) => named(queue),
    queueName: ({ queue }) => queue,
  },
  EpicFeedDecisionConnection: connection,
  EpicSlowSlice: {
    site: ({ site }) => named(site),
    job: ({ jobId: id }) => ({ id }),
  },
  EpicSiteSlices: { site: ({ site }) => named(site) },
  EpicSiteBreaker: {
    site: ({ _id }) => named(_id),
    siteName: ({ _id }) => _id,
    setBy: ({ by: subject }) => ({ subject }),
  },
};

/** Policy of each entry point. Who owns a facet is checked by the service. */
export const livePolicies: Policies = {
  'Mutation.announceEpicLiveRun': { action: actions['epicLiveRun:announce'], experiment },
  'Mutation.announceEpicRunState': { action: 'job:hold', experiment },
  'Mutation.announceEpicTimeFrames': { action: 'task:submit', experiment },
  'Mutation.setEpicSiteFeed': { action: 'job:manageAny', experiment },
  'Subscription.epicLiveRunChanged': read,
  'EpicLiveRun.__resolveReference': read,
};
