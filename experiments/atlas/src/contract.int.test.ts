import { createClient } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { describeSubgraphContract } from '@rhizome/testkit/contract';
import { leftovers } from '@rhizome/testkit';
import { buildAtlas } from './app.js';
import { productionTasksCollection } from './production-task.document.js';

describeSubgraphContract('atlas', async (db) => {
  // Questions are answered without core.
  const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
  const service = await buildAtlas({ db, clock: systemClock, ids: createIds(), log: silentLogger(), core });
  const at = [1, 2, 3];
  await collection(db, productionTasksCollection).insertMany(
    at.map((one) => ({
      _id: `atlasTask_${one}`,
      schemaVersion: 1,
      revision: 1,
      createdAt: systemClock.now(),
      updatedAt: systemClock.now(),
      submittedBy: 'somebody',
      idempotencyKey: String(one),
      digest: '',
      stage: 'OPEN',
      taskId: `task_${one}`,
      totalJobs: 5,
      finishedJobs: 0,
      lostJobs: 0,
      amounts: {},
      campaign: 'mc23e',
      requestId: one,
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
    })),
  );
  return {
    subgraph: service.subgraph,
    representations: {
      AtlasTask: at.map((one) => ({ id: `atlasTask_${one}` })),
      Job: at.map((one) => ({
        id: `job_${one}`,
        task: { __typename: 'Task', id: `task_${one}` },
        taskIndex: one,
      })),
    },
    selections: {
      AtlasTask: 'steps state processedEvents task { id }',
      Job: 'atlas { step firstEvent events task { id requestId } }',
    },
    stop: () => service.stop(),
  };
});
