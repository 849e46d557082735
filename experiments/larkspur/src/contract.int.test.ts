import { createClient } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { describeSubgraphContract } from '@rhizome/testkit/contract';
import { leftovers } from '@rhizome/testkit';
import { buildLarkspur } from './app.js';
import { observationsCollection } from './observation.document.js';

describeSubgraphContract('larkspur', async (db) => {
  // Questions are answered without core.
  const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
  const service = await buildLarkspur({
    db,
    clock: systemClock,
    ids: createIds(),
    log: silentLogger(),
    core,
  });
  const at = [1, 2, 3];
  await collection(db, observationsCollection).insertMany(
    at.map((one) => ({
      _id: `larkspurObservation_${one}`,
      schemaVersion: 1,
      revision: 1,
      createdAt: systemClock.now(),
      updatedAt: systemClock.now(),
      submittedBy: 'somebody',
      idempotencyKey: String(one),
      digest: '',
      stage: 'OPEN',
      taskId: `task_${one}`,
      totalJobs: one + 1,
      finishedJobs: 0,
      lostJobs: 0,
      amounts: {},
      field: 'LK-042',
      band: 'RED',
      exposures: one,
      exposureSeconds: 30,
      command: 'calibrate',
      arguments: [],
    })),
  );
  return {
    subgraph: service.subgraph,
    representations: {
      LarkspurObservation: at.map((one) => ({ id: `larkspurObservation_${one}` })),
      Job: at.map((one) => ({
        id: `job_${one}`,
        task: { __typename: 'Task', id: `task_${one}` },
        taskIndex: one,
      })),
    },
    selections: {
      LarkspurObservation: 'field state calibratedExposures task { id }',
      Job: 'larkspur { step exposure observation { id exposures } }',
    },
    stop: () => service.stop(),
  };
});
