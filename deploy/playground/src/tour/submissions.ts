/**
 * Work of the tour: an ATLAS task with the toy Monte Carlo, and an ePIC run whose first group fails on its
 * first attempt.
 */
import { fileURLToPath } from 'node:url';
import type { SubmitAtlasTaskInput, SubmitEpicRunInput } from '../operations.generated.js';

const program = (name: string) => fileURLToPath(new URL(`../../payloads/${name}`, import.meta.url));
const node = process.execPath;

/** Events of each generator job, enough for a visible peak. */
const eventsPerJob = 20_000;
const generatorJobs = 3;

/** The ATLAS task: three generator jobs, a reconstruction for each, and a merge that fits the peak. */
export function atlasTask(key: string): SubmitAtlasTaskInput {
  return {
    idempotencyKey: key,
    campaign: 'mc23e',
    requestId: 1,
    physicsShort: 'Zmumu',
    totalEvents: eventsPerJob * generatorJobs,
    eventsPerJob,
    seed: 20_260_501,
    memoryMiB: 400,
    walltimeSeconds: 300,
    transforms: [
      {
        step: 'EVGEN',
        command: [node, program('generate.mjs'), '--events', '{{events}}', '--seed', '{{seed}}'],
        output: 'events.z4v',
      },
      { step: 'RECO', command: [node, program('reconstruct.mjs')], output: 'masses.zmm' },
      {
        step: 'MERGE',
        command: [node, program('merge.mjs')],
        output: 'histogram.json',
        moreOutputs: ['histogram.svg'],
      },
    ],
  };
}

/** The ePIC run: three groups of super time frames; the job of the first fails once with exit code 3. */
export function epicRun(key: string, runNumber: number): SubmitEpicRunInput {
  return {
    idempotencyKey: key,
    runNumber,
    detectorConfiguration: 'epic_craterlake_18x275',
    superTimeFrames: 30,
    framesPerGroup: 10,
    command: node,
    arguments: [program('frames.mjs'), '--flaky-frame', '0'],
    outputs: ['frames.json'],
    memoryMiB: 400,
    walltimeSeconds: 300,
    maxAttempts: 3,
  };
}
