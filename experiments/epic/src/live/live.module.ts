/** Live runs, put together: stores, commands, the work in core, and the stream of changes. */
import type { Clock } from '@rhizome/clock';
import { ChangeFeed, changesOf, type ExperimentOptions } from '@rhizome/experiment';
import { CoreCalls } from './control/core-calls.js';
import { LiveRuns } from './control/live-runs.service.js';
import { LiveSupervisor } from './control/live-supervisor.js';
import { liveRunsCollection } from './model/live-run.document.js';
import { LiveRunsRepository } from './store/live-runs.repository.js';
import { ResultsRepository } from './store/results.repository.js';

/** Live runs for resolvers and for the service. */
export interface LiveModule {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly service: LiveRuns;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  /** Begins to work in core for runs that have not ended. */
  start(): void;
  /** Ends the work and the streams. */
  stop(): Promise<void>;
}

/** Builds live runs. Nothing runs before `start`. */
export function createLiveRuns({ db, clock, ids, core, log }: ExperimentOptions): LiveModule {
  const own = log.child({ part: 'live' });
  const runs = new LiveRunsRepository(db);
  const results = new ResultsRepository(db);
  const supervisor = new LiveSupervisor({ runs, results, core, clock, ids, log: own });
  const calls = new CoreCalls(core);
  const service = new LiveRuns({ runs, results, core: calls, clock, ids, changed: () => supervisor.wake() });
  const feed = new ChangeFeed({ read: changesOf(db, liveRunsCollection), log: own });
  return {
    ...{ runs, results, service, feed, clock },
    start: () => supervisor.start(),
    async stop() {
      await Promise.all([supervisor.stop(), feed.stop()]);
    },
  };
}
