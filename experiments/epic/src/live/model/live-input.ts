/** Checks of what is announced, and the documents that follow from it. */
import { digestOf } from '@rhizome/digest';
import { ExperimentInputErrors, type InputFault } from '@rhizome/experiment';
import { checkRunIdentity, maxRunNumber } from '../../run-identity.js';
import type {
  AnnounceEpicLiveRunInput,
  AnnounceEpicRunStateInput,
  AnnounceEpicTimeFramesInput,
  EpicLivePathInput,
  SetEpicSiteFeedInput,
} from '../../types.generated.js';
import { isStateOf } from './facets.js';
import { maxFrameNumber } from './frame-numbers.js';
import {
  type Lane,
  type LivePath,
  type LiveRunDocument,
  liveRunsCollection,
  type PathSettings,
} from './live-run.document.js';
import { facetNames, facetStates, type FacetName, type PathName, regulatorName } from './live-run.types.js';

type Faults = readonly InputFault<'INVALID_VALUE'>[];

const maxWorkers = 2000;
const aheadMs = 60_000;

/** Everything that is wrong with the announcement of a run. */
export function checkLiveRun(input: AnnounceEpicLiveRunInput): Faults {
  const check = new ExperimentInputErrors();
  checkRunIdentity(input, check);
  check.int(['slicesPerFrame'], input.slicesPerFrame, 1, 200);
  check.int(['settleSeconds'], input.settleSeconds, 0, 3600);
  const owners = input.owners ?? [];
  check.distinct(
    ['owners'],
    owners.map(({ facet }) => facet),
    facetNames.length,
  );
  owners.forEach(({ subject }, at) => check.subject(['owners', at, 'subject'], subject));
  check.list(['paths'], input.paths, 2, 1);
  check.distinct(
    ['paths'],
    input.paths.map(({ name }) => name),
    2,
  );
  input.paths.forEach((path, at) => checkPath(path, at, check));
  return check.faults;
}

function checkPath(path: EpicLivePathInput, at: number, check: ExperimentInputErrors): void {
  const under = (name: string): readonly (string | number)[] => ['paths', at, name];
  check.program(under('command'), path.command);
  check.programArguments(under('arguments'), path.arguments ?? []);
  if (path.image != null) check.line(under('image'), path.image, 1, 1000);
  const queues = path.queues ?? [];
  check.distinct(under('queues'), queues, 10);
  queues.forEach((queue, index) => check.text([...under('queues'), index], queue, 1, 100));
  check.int(under('minWorkers'), path.minWorkers, 0, maxWorkers);
  check.int(under('maxWorkers'), path.maxWorkers, 1, maxWorkers);
  const most = path.maxWorkers ?? 30;
  if ((path.minWorkers ?? 0) > most)
    check.add(under('minWorkers'), path.minWorkers, `at most \`maxWorkers\`, ${most}`);
  check.int(under('prewarmedWorkers'), path.prewarmedWorkers, 0, Math.max(1, most));
  for (const name of ['targetLagSeconds', 'idleSeconds'] as const)
    check.int(under(name), path[name], 1, 86_400);
  check.int(under('leaseSeconds'), path.leaseSeconds, 5, 86_400);
  check.int(under('maxAttempts'), path.maxAttempts, 1, 100);
  check.resources(['paths', at], path);
  check.number(under('lowMarkHours'), path.lowMarkHours, { above: 0, max: 1000 });
  check.number(under('highMarkHours'), path.highMarkHours, { above: 0, max: 1000 });
  const { lowMarkHours, highMarkHours } = marksOf(path);
  if ((lowMarkHours === null) !== (highMarkHours === null))
    check.add(under('highMarkHours'), highMarkHours, 'given together with `lowMarkHours`');
  else if (lowMarkHours !== null && highMarkHours !== null && highMarkHours < lowMarkHours)
    check.add(under('highMarkHours'), highMarkHours, `at least \`lowMarkHours\`, ${lowMarkHours}`);
}

/**
 * Errors for queues that are not there. Each is asked for once, and all at the same time.
 * @param hasQueue undefined if that is unknown now
 */
export async function unknownQueues(
  { paths }: Pick<AnnounceEpicLiveRunInput, 'paths'>,
  hasQueue: (queue: string) => Promise<boolean | undefined>,
): Promise<Faults> {
  const check = new ExperimentInputErrors();
  const names = [...new Set(paths.flatMap(({ queues }) => queues ?? []))];
  const found = new Map(await Promise.all(names.map(async (name) => [name, await hasQueue(name)] as const)));
  for (const [at, { queues }] of paths.entries())
    for (const [index, queue] of (queues ?? []).entries())
      if (found.get(queue) === false) check.add(['paths', at, 'queues', index], queue, 'the name of a queue');
  return check.faults;
}

/** Marks of a path: the full path has some unless others are given. */
function marksOf({ name, lowMarkHours, highMarkHours }: EpicLivePathInput) {
  const [low, high] = name === 'FULL' ? [8, 24] : [null, null];
  return { lowMarkHours: lowMarkHours ?? low, highMarkHours: highMarkHours ?? high };
}

/** Everything that is wrong with the announcement of a state. */
export function checkState(
  { runNumber, facet, state, at, reason }: AnnounceEpicRunStateInput,
  now: Date,
): Faults {
  const check = new ExperimentInputErrors();
  check.int(['runNumber'], runNumber, 1, maxRunNumber);
  if (!isStateOf(facet, state))
    check.add(['state'], state, `a state of ${facet}: ${facetStates[facet].join(', ')}`);
  if (at.getTime() > now.getTime() + aheadMs)
    check.add(['at'], at.toISOString(), 'at most a minute from now');
  if (reason != null) check.text(['reason'], reason, 1, 500);
  return check.faults;
}

/** Everything that is wrong with the announcement of frames. */
export function checkFrames({ runNumber, frames }: AnnounceEpicTimeFramesInput, now: Date): Faults {
  const check = new ExperimentInputErrors();
  check.int(['runNumber'], runNumber, 1, maxRunNumber);
  check.list(['frames'], frames, 1000, 1);
  if (!check.isEmpty) return check.faults;
  check.distinct(
    ['frames'],
    frames.map(({ number }) => String(number)),
    1000,
  );
  frames.forEach(({ number, location, bytes, recordedAt }, at) => {
    check.int(['frames', at, 'number'], number, 0, maxFrameNumber);
    check.line(['frames', at, 'location'], location, 1, 1000);
    check.int(['frames', at, 'bytes'], bytes, 0, Number.MAX_SAFE_INTEGER);
    if (recordedAt.getTime() > now.getTime() + aheadMs)
      check.add(['frames', at, 'recordedAt'], recordedAt.toISOString(), 'at most a minute from now');
  });
  return check.faults;
}

/** Everything that is wrong with a change of the feed of a site. */
export function checkSiteFeed({ site, reason }: SetEpicSiteFeedInput): Faults {
  const check = new ExperimentInputErrors();
  check.text(['site'], site, 1, 100);
  check.text(['reason'], reason, 1, 500);
  return check.faults;
}

/** The document of a new run. @param input checked */
export function newLiveRun(
  input: AnnounceEpicLiveRunInput,
  { id, subject, now }: { readonly id: string; readonly subject: string; readonly now: Date },
): LiveRunDocument {
  const ownerOf = (name: FacetName): string =>
    (input.owners ?? []).find(({ facet }) => facet === name)?.subject ?? subject;
  return {
    _id: id,
    schemaVersion: liveRunsCollection.schemaVersion,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    runNumber: input.runNumber,
    detectorConfiguration: input.detectorConfiguration,
    announcedBy: subject,
    digest: digestOf({ ...input, subject }),
    slicesPerFrame: input.slicesPerFrame ?? 15,
    settleSeconds: input.settleSeconds ?? 10,
    owners: { MACHINE: ownerOf('MACHINE'), DAQ: ownerOf('DAQ'), OPERATOR: ownerOf('OPERATOR') },
    stage: 'OPEN',
    phase: 'IMMINENT',
    phaseSince: now,
    facets: {},
    entries: 0,
    entriesOf: {},
    frames: { announced: 0, bytes: 0, gaps: [] },
    paths: Object.fromEntries(
      input.paths.map((path): [PathName, LivePath] => [path.name, newPath(path, now)]),
    ),
  };
}

function newPath(path: EpicLivePathInput, now: Date): LivePath {
  const queues = path.queues?.length ? path.queues : [null];
  const feed = { reason: 'PHASE', message: 'the run is IMMINENT', by: regulatorName, since: now } as const;
  const lane = (queue: string | null): Lane => ({ queue, published: 0, heldCoreSeconds: 0, feed });
  return { settings: settingsOf(path), fed: 0, lanes: queues.map(lane) };
}

function settingsOf(path: EpicLivePathInput): PathSettings {
  const maximum = path.maxWorkers ?? 30;
  return {
    command: path.command,
    arguments: [...(path.arguments ?? [])],
    image: path.image ?? null,
    minWorkers: path.minWorkers ?? 0,
    maxWorkers: maximum,
    prewarmedWorkers: path.prewarmedWorkers ?? maximum,
    targetLagSeconds: path.targetLagSeconds ?? 10,
    idleSeconds: path.idleSeconds ?? 120,
    leaseSeconds: path.leaseSeconds ?? 60,
    maxAttempts: path.maxAttempts ?? 3,
    cores: path.cores ?? 1,
    memoryMiB: path.memoryMiB ?? 2000,
    walltimeSeconds: path.walltimeSeconds ?? 14_400,
    ...marksOf(path),
  };
}
