import { collection } from '@rhizome/mongo';
import { describeExperiment } from '@rhizome/testkit/experiment';
import { buildLarkspur } from './app.js';
import { readConfig } from './config.js';
import { observationsCollection } from './observation.document.js';

describeExperiment('larkspur', {
  manifest: new URL('../experiment.yaml', import.meta.url),
  readConfig,
  build: buildLarkspur,
  type: 'LarkspurObservation',
  store: async (db, submissions) => {
    await collection(db, observationsCollection).insertMany(
      submissions.map((submission, index) => {
        const position = index + 1;
        return {
          ...submission,
          totalJobs: position + 1,
          field: 'LK-042',
          band: 'RED',
          exposures: position,
          exposureSeconds: 30,
          command: 'calibrate',
          arguments: [],
        };
      }),
    );
  },
  selections: {
    submission: 'field state calibratedExposures task { id }',
    job: 'larkspur { step exposure observation { id exposures } }',
  },
});
