/** For tests: announcements of live runs of ePIC, and questions about them. */
import { waitFor } from '@rhizome/testkit';
import type { AnyData } from '../e2e/system/api.js';
import { show } from './live-run-query.js';
import type { System } from './test-system.js';

/** Time for what a run does by itself. */
export const minute = { deadlineMs: 60_000 };

/** A path of a run. */
export const fast = (more: object = {}) => ({ name: 'FAST', command: 'reco', maxWorkers: 4, ...more });

/** Calls as ADMIN of all. @param started the beginning of the run, in milliseconds */
export function liveRunCalls(system: () => System, started: () => number) {
  /** A time of the run, in seconds after its beginning. */
  const at = (seconds: number): string => new Date(started() + seconds * 1000).toISOString();
  const announce = async (runNumber: number, more: object = {}, token?: string): Promise<AnyData> => {
    const text = `mutation ($input: AnnounceEpicLiveRunInput!) { announceEpicLiveRun(input: $input) {
      run { id phase } userErrors { code path message } } }`;
    const input = { runNumber, detectorConfiguration: 'epic', settleSeconds: 0, paths: [fast()], ...more };
    return (await system().ask(text, { input }, token)).data.announceEpicLiveRun;
  };
  const state = async (runNumber: number, more: object, token?: string): Promise<AnyData> => {
    const text = `mutation ($input: AnnounceEpicRunStateInput!) { announceEpicRunState(input: $input) {
      run { phase } entry { sequence isLate phase } userErrors { code path message } } }`;
    const answer = await system().ask(text, { input: { runNumber, ...more } }, token);
    return answer.data?.announceEpicRunState ?? answer.errors;
  };
  const daq = (runNumber: number, of: string, seconds: number): Promise<AnyData> =>
    state(runNumber, { facet: 'DAQ', state: of, at: at(seconds) });
  const frame = (number: number, more: object = {}) => ({
    ...{ number, location: `/stf/${number}`, bytes: 2000, recordedAt: at(number * 0.6) },
    ...more,
  });
  const frames = async (runNumber: number, all: readonly object[], token?: string): Promise<AnyData> => {
    const text = `mutation ($input: AnnounceEpicTimeFramesInput!) { announceEpicTimeFrames(input: $input) {
      announcedCount repeatedCount userErrors { code path message } } }`;
    return (await system().ask(text, { input: { runNumber, frames: all } }, token)).data
      .announceEpicTimeFrames;
  };
  const shown = async (run: number): Promise<AnyData> =>
    (await system().ask(show, { run })).data.epic.liveRun;
  const until = (run: number, what: string, fits: (shown: AnyData) => unknown): Promise<AnyData> =>
    waitFor(
      what,
      async () => {
        const found = await shown(run);
        return fits(found) ? found : undefined;
      },
      minute,
    );
  const poolOf = async (id: string): Promise<AnyData> =>
    (
      await system().ask('query ($id: ID!) { workPool(id: $id) { state counts { waiting completed } } }', {
        id,
      })
    ).data.workPool;
  const fleetOf = async (id: string): Promise<AnyData> =>
    (await system().ask('query ($id: ID!) { fleet(id: $id) { state prewarm { jobs } targetJobs } }', { id }))
      .data.fleet;
  return { at, announce, state, daq, frame, frames, shown, until, poolOf, fleetOf };
}
