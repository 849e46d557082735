import { collection } from '@rhizome/mongo';
import { describeExperiment } from '@rhizome/testkit/experiment';
import { buildRubin } from './app.js';
import { readConfig } from './config.js';
import { quantaCollection, quantumId, workflowsCollection } from './workflow.document.js';

describeExperiment('rubin', {
  manifest: new URL('../experiment.yaml', import.meta.url),
  readConfig,
  build: buildRubin,
  type: 'RubinWorkflow',
  store: async (db, submissions) => {
    await collection(db, workflowsCollection).insertMany(
      submissions.map((submission, index) => {
        const position = index + 1;
        return {
          ...submission,
          totalJobs: 4,
          totalQuanta: 4,
          name: `workflow ${position}`,
          pipeline: 'DRP',
          command: 'c',
          arguments: [],
          memoryMiB: 1,
          walltimeSeconds: 1,
        };
      }),
    );
    await collection(db, quantaCollection).insertMany(
      submissions.flatMap(({ _id }) =>
        [0, 1, 2, 3].map((index) => ({
          _id: quantumId(_id, index),
          schemaVersion: 1,
          revision: 1,
          name: `q${index}`,
          label: 'isr',
          dataId: `visit=${_id}`,
          needs: [],
        })),
      ),
    );
  },
  selections: {
    submission: 'name totalQuanta finishedQuanta task { id }',
    job: 'rubin { workflow { id name } quantum { name dataId } }',
  },
});
