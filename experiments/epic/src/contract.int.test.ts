import { collection } from '@rhizome/mongo';
import { describeExperiment } from '@rhizome/testkit/experiment';
import { buildEpic } from './app.js';
import { readConfig } from './config.js';
import { runsCollection } from './run.document.js';

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
  },
  selections: {
    submission: 'runNumber phase groups { nodes { index frames state } } task { id }',
    job: 'epic { run { runNumber } group { index firstFrame state } }',
  },
});
