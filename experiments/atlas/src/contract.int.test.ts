import { collection } from '@rhizome/mongo';
import { describeExperiment } from '@rhizome/testkit/experiment';
import { buildAtlas } from './app.js';
import { readConfig } from './config.js';
import { productionTasksCollection } from './production-task.document.js';

describeExperiment('atlas', {
  manifest: new URL('../experiment.yaml', import.meta.url),
  readConfig,
  build: buildAtlas,
  type: 'AtlasTask',
  store: async (db, submissions) => {
    await collection(db, productionTasksCollection).insertMany(
      submissions.map((submission, index) => {
        const position = index + 1;
        return {
          ...submission,
          totalJobs: 5,
          campaign: 'mc23e',
          requestId: position,
          physicsShort: 'Zmumu',
          totalEvents: 20,
          eventsPerJob: 10,
          transforms: (['EVGEN', 'RECO', 'MERGE'] as const).map((step) => ({
            step,
            command: 'c',
            arguments: [],
            outputs: ['o'],
          })),
          cores: 1,
          memoryMiB: 1,
          walltimeSeconds: 1,
          seed: 1,
          maxAttempts: 1,
        };
      }),
    );
  },
  selections: {
    submission: 'steps state processedEvents task { id }',
    job: 'atlas { step firstEvent events task { id requestId } }',
  },
});
