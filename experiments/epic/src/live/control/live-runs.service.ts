/** Announcements of live runs, their states and their frames, and the feed of sites. */
import { can, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { isRhizomeApiError } from '@rhizome/client';
import type { InputFault } from '@rhizome/experiment';
import type {
  AnnounceEpicLiveRunInput,
  AnnounceEpicLiveRunUserErrorCode,
  AnnounceEpicRunStateInput,
  AnnounceEpicRunStateUserErrorCode,
  AnnounceEpicTimeFramesInput,
  AnnounceEpicTimeFramesUserErrorCode,
  SetEpicSiteFeedInput,
} from '../../types.generated.js';
import { afterAnnouncement } from '../model/facets.js';
import { type BreakerDocument } from '../model/feed-collections.js';
import { type EntryDocument, entriesCollection } from '../model/live-collections.js';
import {
  checkFrames,
  checkLiveRun,
  checkSiteFeed,
  checkState,
  newLiveRun,
  unknownQueues,
} from '../model/live-input.js';
import type { LiveRunDocument } from '../model/live-run.document.js';
import { type LiveRunsRepository, maxActiveRuns } from '../store/live-runs.repository.js';
import type { ResultsRepository } from '../store/results.repository.js';
import { type CoreCalls, experimentName } from './core-calls.js';

/** Dependencies of {@link LiveRuns}. */
export interface LiveRunsOptions {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly core: Pick<CoreCalls, 'hasQueue'>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Called after each change: there may be something to do in core. */
  readonly changed: () => void;
}

type Faults<C extends string> = readonly InputFault<C | 'INVALID_VALUE'>[];

/** Entries that each facet may have. */
const maxEntries = 10_000;

export class LiveRuns {
  readonly #options: LiveRunsOptions;

  constructor(options: LiveRunsOptions) {
    this.#options = options;
  }

  /** Announces a run, once for each number. */
  async announce(
    { subject }: Principal,
    input: AnnounceEpicLiveRunInput,
  ): Promise<{
    readonly run: LiveRunDocument | null;
    readonly userErrors: Faults<AnnounceEpicLiveRunUserErrorCode>;
  }> {
    const { runs, core, clock, ids, changed } = this.#options;
    const faults = checkLiveRun(input);
    if (faults.length > 0) return { run: null, userErrors: faults };
    const known = await runs.ofNumber(input.runNumber);
    const hasQueue = (queue: string) => core.hasQueue(queue).catch(passing);
    const unknown = known ? [] : await unknownQueues(input, hasQueue);
    if (unknown.length > 0) return { run: null, userErrors: unknown };
    const run = newLiveRun(input, { id: ids.next('epicLiveRun'), subject, now: clock.now() });
    if (!known && (await runs.isFull())) return { run: null, userErrors: [tooMany(input.runNumber)] };
    if (!known && (await runs.add(run))) {
      changed();
      return { run, userErrors: [] };
    }
    const stored = known ?? (await runs.ofNumber(input.runNumber));
    if (stored?.digest === run.digest) return { run: stored, userErrors: [] };
    const message = `runNumber: live run ${input.runNumber} was announced with another input or by another principal; must be a number that was not used`;
    return { run: null, userErrors: [{ path: ['runNumber'], code: 'RUN_NUMBER_TAKEN', message }] };
  }

  /**
   * Announces a state of a facet, once for each facet and time. Those who manage the jobs of others may end
   * each run, as its owners may be gone.
   */
  async announceState(
    principal: Principal,
    input: AnnounceEpicRunStateInput,
  ): Promise<{
    readonly run: LiveRunDocument | null;
    readonly entry: EntryDocument | null;
    readonly userErrors: Faults<AnnounceEpicRunStateUserErrorCode>;
  }> {
    const { runs, clock, changed } = this.#options;
    const { subject } = principal;
    const { runNumber, facet, state, at } = input;
    const refuse = (userErrors: Faults<AnnounceEpicRunStateUserErrorCode>) => ({
      run: null,
      entry: null,
      userErrors,
    });
    const now = clock.now();
    const faults = checkState(input, now);
    if (faults.length > 0) return refuse(faults);
    const known = await runs.ofNumber(runNumber);
    if (!known) return refuse([notFound(runNumber)]);
    const mayEnd = state === 'END' && can(principal, 'job:manageAny', experimentName);
    if (known.owners[facet] !== subject && !mayEnd) {
      const message = `facet: ${facet} of run ${runNumber} belongs to ${known.owners[facet]}; must be announced by its owner`;
      return refuse([{ path: ['facet'], code: 'FORBIDDEN', message }]);
    }
    const entryId = `${known._id}/${facet}/${at.toISOString()}`;
    const entry = await runs.announce(
      known._id,
      entryId,
      (run) => (isFull(run, input) ? undefined : entryOf(run, input, { entryId, subject, now })),
      now,
    );
    if (!entry) {
      const message = `runNumber: the history of run ${runNumber} has ${maxEntries} entries of ${facet}, which is the most`;
      return refuse([{ path: ['runNumber'], code: 'HISTORY_FULL', message }]);
    }
    if (entry.state !== state) {
      const message = `at: ${facet} was announced to be ${entry.state} at ${at.toISOString()}; must be another time for ${state}`;
      return refuse([{ path: ['at'], code: 'STATE_CONFLICT', message }]);
    }
    changed();
    return { run: await runs.ofNumber(runNumber), entry, userErrors: [] };
  }

  /** Announces frames, each once by its number. */
  async announceFrames(
    { subject }: Principal,
    input: AnnounceEpicTimeFramesInput,
  ): Promise<{
    readonly run: LiveRunDocument | null;
    readonly announcedCount: number;
    readonly repeatedCount: number;
    readonly userErrors: Faults<AnnounceEpicTimeFramesUserErrorCode>;
  }> {
    const { runs, clock, changed } = this.#options;
    const refuse = (userErrors: Faults<AnnounceEpicTimeFramesUserErrorCode>) => ({
      ...{ run: null, announcedCount: 0, repeatedCount: 0, userErrors },
    });
    const now = clock.now();
    const faults = checkFrames(input, now);
    if (faults.length > 0) return refuse(faults);
    const { runNumber, frames } = input;
    const known = await runs.ofNumber(runNumber);
    if (!known) return refuse([notFound(runNumber)]);
    if (known.owners.DAQ !== subject && known.announcedBy !== subject) {
      const message = `runNumber: the frames of run ${runNumber} are announced by ${known.owners.DAQ} or ${known.announcedBy}`;
      return refuse([{ path: ['runNumber'], code: 'FORBIDDEN', message }]);
    }
    const added = await runs.addFrames(known._id, frames, now);
    if (added.isClosed) {
      const message = `runNumber: run ${runNumber} has ended and accepts no further frames`;
      return refuse([{ path: ['runNumber'], code: 'RUN_CLOSED', message }]);
    }
    if (added.conflicts.length > 0)
      return refuse(
        added.conflicts.map((number) => {
          const at = String(frames.findIndex((frame) => frame.number === number));
          const message = `frames.${at}: frame ${number} was announced with another location or size`;
          return { path: ['frames', at], code: 'FRAME_CONFLICT' as const, message };
        }),
      );
    changed();
    const run = await runs.ofNumber(runNumber);
    return { run, announcedCount: added.announced, repeatedCount: added.repeated, userErrors: [] };
  }

  /** Holds or releases the feed of a site. */
  async setSiteFeed(
    { subject }: Principal,
    input: SetEpicSiteFeedInput,
  ): Promise<{ readonly breaker: BreakerDocument | null; readonly userErrors: Faults<never> }> {
    const { results, clock, changed } = this.#options;
    const faults = checkSiteFeed(input);
    if (faults.length > 0) return { breaker: null, userErrors: faults };
    const { site, isHeld, reason } = input;
    const state = isHeld ? 'HELD' : 'CLOSED';
    const breaker = await results.setBreaker({ _id: site, state, since: clock.now(), reason, by: subject });
    changed();
    return { breaker, userErrors: [] };
  }
}

/** True if a facet has as many entries as it may have. The end of a run is always accepted. */
function isFull({ entriesOf, phase }: LiveRunDocument, { facet, state }: AnnounceEpicRunStateInput): boolean {
  const isEnd = (state === 'ENDED' || state === 'END') && phase !== 'COMPLETED';
  return !isEnd && (entriesOf[facet] ?? 0) >= maxEntries;
}

function tooMany(runNumber: number) {
  const message = `runNumber: run ${runNumber} would be one more than ${maxActiveRuns} runs that have not ended; must wait until one has`;
  return { path: ['runNumber'], code: 'TOO_MANY_RUNS', message } as const;
}

function notFound(runNumber: number) {
  const message = `runNumber: there is no live run ${runNumber}; must be the number of one`;
  return { path: ['runNumber'], code: 'RUN_NOT_FOUND', message } as const;
}

function entryOf(
  run: LiveRunDocument,
  { facet, state, at, reason }: AnnounceEpicRunStateInput,
  { entryId, subject, now }: { readonly entryId: string; readonly subject: string; readonly now: Date },
): { readonly entry: EntryDocument; readonly patch: Partial<LiveRunDocument> } {
  const { settleSeconds } = run;
  const { change, isLate } = afterAnnouncement(run, { facet, state, at }, { now, settleSeconds });
  const { facets, phase, phaseSince, closesAt } = change;
  const entry: EntryDocument = {
    _id: entryId,
    schemaVersion: entriesCollection.schemaVersion,
    revision: 1,
    runId: run._id,
    sequence: run.entries + 1,
    ...{ facet, state, at, recordedAt: now, author: subject, phase, isLate },
    ...(reason == null ? {} : { reason }),
  };
  const entriesOf = { ...run.entriesOf, [facet]: (run.entriesOf[facet] ?? 0) + 1 };
  return { entry, patch: { facets, phase, phaseSince, entriesOf, ...(closesAt ? { closesAt } : {}) } };
}

/** If core does not answer, that is a problem of the run. */
function passing(error: unknown): undefined {
  if (!isRhizomeApiError(error)) throw error;
}
