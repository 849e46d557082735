import { expect, it } from '@jest/globals';
import { assertNoDrift, collection, connectMongo, ensureCollections } from '@rhizome/mongo';
import { leftovers, ownMongod, waitFor } from '@rhizome/testkit';
import {
  bulkOperationsCollection,
  type BulkOperationDocument,
} from '../src/jobs/bulk/bulk-operation.document.js';
import { submissionsCollection } from '../src/jobs/submit/submission.document.js';
import { coreCollections } from '../src/composition/migrations.js';
import { workersCollection } from '../src/workers/worker.document.js';
import type { WorkerDocument } from '../src/workers/worker.types.js';

const day = 86_400_000;
const daysAgo = (days: number): Date => new Date(Date.now() - days * day);

async function ownStore() {
  const mongod = await ownMongod({ expirySeconds: 1 });
  const client = await connectMongo({ uri: mongod.uri, appName: 'tests' });
  leftovers.defer('its client', () => client.close());
  return client.db('core');
}

const submission = (_id: string, createdAt: Date) => ({
  _id,
  schemaVersion: 1,
  revision: 1,
  createdAt,
  digest: 'd',
  batchId: 'batch_1',
  count: 1,
  refused: [],
});

const operation = (_id: string, createdAt: Date, endedAt?: Date): BulkOperationDocument => ({
  _id,
  schemaVersion: 1,
  revision: 1,
  createdAt,
  updatedAt: createdAt,
  kind: 'CANCEL',
  state: endedAt ? 'DONE' : 'RUNNING',
  requester: { kind: 'HUMAN', subject: 'ada@example', grants: [] },
  parameters: {},
  isBackground: true,
  totalCount: 1,
  changedCount: 0,
  refusedCount: 0,
  refusedByReason: {},
  refusals: [],
  ...(endedAt ? { endedAt } : {}),
});

const worker = (state: WorkerDocument['state'], updatedAt: Date): WorkerDocument => ({
  _id: `${state} ${updatedAt.toISOString()}`,
  schemaVersion: 1,
  revision: 1,
  createdAt: daysAgo(100),
  updatedAt,
  queueId: 'queue_1',
  queue: 'main',
  name: 'agent',
  host: 'host-1',
  version: '1.0',
  state,
  hardware: { architecture: 'x86_64', cores: 1, memoryMiB: 1, diskMiB: 1, containerRuntimes: [] },
  labels: [],
  devices: [],
  registrationKey: `${state} ${updatedAt.toISOString()}`,
  registrationDigest: 'd',
});

it('deletes keys, changes and workers thirty days after their end, and nothing earlier', async () => {
  const db = await ownStore();
  await ensureCollections(db, coreCollections);
  assertNoDrift(await ensureCollections(db, coreCollections));
  const submissions = collection(db, submissionsCollection);
  const operations = collection(db, bulkOperationsCollection);
  const workers = collection(db, workersCollection);
  const young = { submission: daysAgo(29), operation: daysAgo(29) };
  await submissions.insertMany([submission('old', daysAgo(31)), submission('young', young.submission)]);
  await operations.insertMany([
    operation('old', daysAgo(60), daysAgo(31)),
    operation('young', daysAgo(60), young.operation),
    operation('under way', daysAgo(60)),
  ]);
  const kept = [
    worker('ENDED', daysAgo(29)),
    worker('LOST', daysAgo(29)),
    worker('READY', daysAgo(90)),
    worker('DRAINING', daysAgo(90)),
  ];
  await workers.insertMany([worker('ENDED', daysAgo(31)), worker('LOST', daysAgo(31)), ...kept]);
  const stored = async (): Promise<string[]> => {
    const all = [submissions, operations, workers].map((one) =>
      one.find({}, { projection: { _id: 1 } }).toArray(),
    );
    return (await Promise.all(all as Promise<{ _id: string }[]>[])).flat().map(({ _id }) => _id);
  };
  await waitFor('four documents to go', async () => (await stored()).length <= 7, { deadlineMs: 60_000 });
  // Each collection was scanned as a whole, so the kept documents were considered, too.
  expect((await stored()).sort()).toEqual(
    ['young', 'young', 'under way', ...kept.map(({ _id }) => _id)].sort(),
  );
});
