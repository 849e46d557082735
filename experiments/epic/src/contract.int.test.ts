import { collection } from '@rhizome/mongo';
import { describeExperiment } from '@rhizome/testkit/experiment';
import { buildEpic } from './app.js';
import { readConfig } from './config.js';
import { newLiveRun } from './live/model/live-input.js';
import { liveRunsCollection } from './live/model/live-run.document.js';
import { runsCollection } from './run.document.js';

const liveRunIds = ['epicLiveRun_1', 'epicLiveRun_2', 'epicLiveRun_3'];

describeExperiment('epic', {
  manifest: new URL('../experiment.yaml', import.meta.url),
  readConfig,
  build: buildEpic,
  type: 'EpicRun',
  store: async (db, submissions) => {
    await collection(db, runsCollection).insertMany(
      submissions.map((submission, index) => {
        const position = index + 1;
        return {
          ...submission,
          totalJobs: 4,
          runNumber: position,
          detectorConfiguration: 'd',
          superTimeFrames: 35,
          framesPerGroup: 10,
          command: 'c',
          arguments: [],
          outputs: [],
          cores: 1,
          memoryMiB: 1,
          walltimeSeconds: 1,
          maxAttempts: 1,
          requireDetectorLabel: false,
        };
      }),
    );
    const now = new Date();
    const paths = [{ name: 'FAST', command: 'c' }] as const;
    const input = { detectorConfiguration: 'd', paths };
    await collection(db, liveRunsCollection).insertMany(
      liveRunIds.map((id, index) => ({
        ...newLiveRun({ ...input, runNumber: index + 1 }, { id, subject: 'me', now }),
        stage: 'ENDED',
      })),
    );
  },
  others: {
    EpicLiveRun: {
      representations: liveRunIds.map((id) => ({ id })),
      selection: 'runNumber phase facets { name } frames { announced missing } paths { name fedSlices }',
    },
  },
  selections: {
    submission: 'runNumber phase groups { nodes { index frames state } } task { id }',
    job: 'epic { run { runNumber } group { index firstFrame state } }',
  },
});
