import { createClient } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { describeSubgraphContract } from '@rhizome/testkit/contract';
import { leftovers } from '@rhizome/testkit';
import { buildEpic } from './app.js';
import { runsCollection } from './run.document.js';

describeSubgraphContract('epic', async (db) => {
  // Questions are answered without core.
  const core = leftovers.use(createClient({ url: 'http://127.0.0.1:9/graphql', token: 'none' }));
  const service = await buildEpic({ db, clock: systemClock, ids: createIds(), log: silentLogger(), core });
  const at = [1, 2, 3];
  await collection(db, runsCollection).insertMany(
    at.map((one) => ({
      _id: `epicRun_${one}`,
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
      runNumber: one,
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
    })),
  );
  return {
    subgraph: service.subgraph,
    representations: {
      EpicRun: at.map((one) => ({ id: `epicRun_${one}` })),
      Job: at.map((one) => ({
        id: `job_${one}`,
        task: { __typename: 'Task', id: `task_${one}` },
        taskIndex: one,
      })),
    },
    selections: {
      EpicRun: 'runNumber phase groups { nodes { index frames state } } task { id }',
      Job: 'epic { run { runNumber } group { index firstFrame state } }',
    },
    stop: () => service.stop(),
  };
});
