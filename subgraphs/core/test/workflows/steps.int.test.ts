/** Steps of workflows in the store. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { coreCollections } from '../../src/composition/migrations.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import type { NodeSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { stepProcess, storeWorkflow } from '../support/workflow-steps.fixture.js';

let db: TestDatabase;
let jobs: JobsRepository;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
  jobs = new JobsRepository(collection(db, jobsCollection));
});

const labelled = (label: string, count: number): readonly NodeSpec[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${label}${at}`, label }));

describe('limits of labels', () => {
  it('do not limit labels without one', async () => {
    const id = await storeWorkflow(db, {
      nodes: [...labelled('a', 3), ...labelled('b', 1500)],
      nodeLabels: [{ label: 'a', maxSubmitted: 1 }],
    });
    const { stores, advance } = stepProcess(db, jobs);
    await advance(id);
    const groups = (await stores.workflows.find(id))?.groups ?? [];
    expect(groups.map(({ counts }) => counts.SUBMITTED)).toEqual([1, 1500]);
  });
});

describe('final nodes', () => {
  it('wait for all others, however few edges they need', async () => {
    const id = await storeWorkflow(db, {
      nodes: [
        ...[{ name: 'a' }, { name: 'b' }, { name: 'c' }],
        {
          name: 'end',
          isFinal: true,
          dependsOn: [{ node: 'a' }, { node: 'b' }, { node: 'c' }],
          needed: 1,
        },
      ],
    });
    const { stores, advance, finish } = stepProcess(db, jobs);
    await advance(id);
    const endJob = (index: number) =>
      stores.nodes.jobsEnded([
        { nodeId: `${id}/000000${index}`, run: 1, outcome: 'SUCCEEDED', at: new Date() },
      ]);
    await endJob(0);
    await endJob(1);
    await advance(id);
    const submitted = await stores.nodes.submitted(id, '', 100, true);
    expect(submitted.map(({ index }) => index)).toEqual([2]);
    const workflow = await finish(id, () => 'FAILED');
    const [end] = await stores.nodes.named(id, ['end']);
    expect(end?.state).toBe('FAILED');
    expect(workflow.state).toBe('FAILED');
  });
});
