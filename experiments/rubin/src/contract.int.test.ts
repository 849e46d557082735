import { createClient } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { describeSubgraphContract } from '@rhizome/testkit/contract';
import { leftovers } from '@rhizome/testkit';
import { buildRubin } from './app.js';
import { quantaCollection, quantumId, workflowsCollection } from './workflow.document.js';

describeSubgraphContract('rubin', async (db) => {
  // Questions are answered without core.
  const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
  const service = await buildRubin({ db, clock: systemClock, ids: createIds(), log: silentLogger(), core });
  const at = [1, 2, 3];
  await collection(db, workflowsCollection).insertMany(
    at.map((one) => ({
      _id: `rubinWorkflow_${one}`,
      schemaVersion: 1,
      revision: 1,
      createdAt: systemClock.now(),
      updatedAt: systemClock.now(),
      submittedBy: 'somebody',
      idempotencyKey: String(one),
      digest: '',
      stage: 'OPEN',
      taskId: `task_${one}`,
      totalJobs: 4,
      finishedJobs: 0,
      lostJobs: 0,
      amounts: {},
      name: `workflow ${one}`,
      pipeline: 'DRP',
      command: 'c',
      arguments: [],
      memoryMiB: 1,
      walltimeSeconds: 1,
    })),
  );
  await collection(db, quantaCollection).insertMany(
    at.flatMap((one) =>
      [0, 1, 2, 3].map((index) => ({
        _id: quantumId(`rubinWorkflow_${one}`, index),
        schemaVersion: 1,
        revision: 1,
        name: `q${index}`,
        label: 'isr',
        dataId: `visit=${one}`,
        needs: [],
      })),
    ),
  );
  return {
    subgraph: service.subgraph,
    representations: {
      RubinWorkflow: at.map((one) => ({ id: `rubinWorkflow_${one}` })),
      Job: at.map((one) => ({
        id: `job_${one}`,
        task: { __typename: 'Task', id: `task_${one}` },
        taskIndex: one,
      })),
    },
    selections: {
      RubinWorkflow: 'name totalQuanta finishedQuanta task { id }',
      Job: 'rubin { workflow { id name } quantum { name dataId } }',
    },
    stop: () => service.stop(),
  };
});
