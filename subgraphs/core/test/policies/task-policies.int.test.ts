import { beforeEach, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { countReads, testDatabase, type TestDatabase } from '@rhizome/testkit';
import type { CompiledPolicy } from '../../src/policies/compiled-policy.js';
import { policyBooks } from '../../src/policies/policy-book.js';
import { PolicyMemory } from '../../src/policies/policy-memory.repository.js';
import { policiesCollection, type PolicyDocument, policyId } from '../../src/policies/policy.document.js';
import { TaskPolicies } from '../../src/policies/task-policies.repository.js';
import { aRule, enabledPolicy } from '../support/policies.fixture.js';

let db: TestDatabase;
let memory: PolicyMemory;

/** Small bounds, so that the test needs few policies. */
const limits = { ids: 3, contents: 2, characters: 1_000_000 };
const policies = () => collection(db, policiesCollection);

beforeEach(async () => {
  db = await testDatabase('task-policies');
  await ensureCollections(db, [policiesCollection]);
  memory = new PolicyMemory(policies(), new TaskPolicies(policies(), limits));
});

async function store(task: string, version = 1): Promise<PolicyDocument> {
  const [, policy] = enabledPolicy({ kind: 'TASK', name: task }, { rules: [aRule()] }, version);
  await policies().replaceOne({ _id: policy._id }, policy, { upsert: true });
  return policy;
}

/** Policies of a job of the task, and the number of reads that they needed. */
async function policiesOf(task: string) {
  let found: readonly CompiledPolicy[] = [];
  const job = { experiment: 'alpha', taskId: task, queue: 'main' };
  const reads = await countReads(async () => {
    found = (await policyBooks(memory).bookFor([job])).of(job);
  });
  return { versions: found.map(({ version }) => version), reads };
}

const notice = (task: string) => memory.refresh([policyId({ kind: 'TASK', name: task })]);

describe('TaskPolicies', () => {
  it('reads a policy when a failure needs it, once, and none for tasks without one', async () => {
    await store('task_2');
    await memory.load();
    expect(await policiesOf('task_1')).toEqual({ versions: [], reads: 0 });
    expect(await policiesOf('task_2')).toEqual({ versions: [1], reads: 1 });
    expect(await policiesOf('task_2')).toEqual({ versions: [1], reads: 0 });
  });

  it('looks up the policies of tasks that are older than all that are known', async () => {
    for (const task of ['task_3', 'task_5', 'task_6', 'task_7']) await store(task);
    await memory.load();
    expect(await policiesOf('task_3')).toEqual({ versions: [1], reads: 1 });
    expect(await policiesOf('task_4')).toEqual({ versions: [], reads: 1 });
    expect(await policiesOf('task_4')).toEqual({ versions: [], reads: 0 });
    expect(await policiesOf('task_8')).toEqual({ versions: [], reads: 0 });
  });

  it('follows other processes by notices, whatever is in memory', async () => {
    await memory.load();
    expect((await policiesOf('task_1')).versions).toEqual([]);
    await store('task_1');
    await notice('task_1');
    expect(await policiesOf('task_1')).toEqual({ versions: [1], reads: 0 });
    await store('task_1', 2);
    await notice('task_1');
    expect((await policiesOf('task_1')).versions).toEqual([2]);
    await policies().updateOne(
      { _id: 'task/task_1' },
      { $unset: { enabled: 1 }, $set: { applies: false }, $inc: { revision: 1 } },
    );
    await notice('task_1');
    expect(await policiesOf('task_1')).toEqual({ versions: [], reads: 0 });
  });

  it('ignores an older revision that arrives late', async () => {
    await memory.load();
    const first = await store('task_1');
    memory.set(await store('task_1', 2));
    memory.set(first);
    expect((await policiesOf('task_1')).versions).toEqual([2]);
  });

  it('stays right when more of them are enabled than memory holds', async () => {
    await memory.load();
    const tasks = Array.from({ length: 20 }, (_, index) => `task_${String(index).padStart(2, '0')}`);
    for (const task of tasks) memory.set(await store(task));
    for (const task of tasks) expect((await policiesOf(task)).versions).toEqual([1]);
    expect((await policiesOf('task_05x')).versions).toEqual([]);
    expect(await policiesOf('task_99')).toEqual({ versions: [], reads: 0 });
  });

  it('reads all again after a gap in the stream', async () => {
    await store('task_1');
    await memory.load();
    expect((await policiesOf('task_1')).versions).toEqual([1]);
    await store('task_1', 2);
    await memory.load();
    expect((await policiesOf('task_1')).versions).toEqual([2]);
  });
});
