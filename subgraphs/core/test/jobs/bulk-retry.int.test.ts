import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import { type BulkDomain, bulkDomain, ofIds } from '../support/bulk.fixture.js';
import { instead } from '../support/instead.fixture.js';
import {
  aSpec,
  deadline,
  freshKey,
  live,
  someone,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';

let shared: TestDomain;
let process: TestProcess;
let submit: BulkDomain['submit'];
let change: BulkDomain['change'];

beforeAll(async () => {
  ({ shared, process, submit, change } = await bulkDomain('retry'));
});

describe('retry', () => {
  it('copies a terminal job with a reference to it, refuses a live one, and makes no second copy per key', async () => {
    const [failed = '', alive = ''] = await submit(2, { priority: 3, labels: [{ key: 'k', value: 'v' }] });
    await live(process.writer, [failed], 'FAILED');
    const input = ofIds([failed, alive], {}, freshKey());
    const answer = await change('RETRY', input);
    expect(answer).toMatchObject({
      changedCount: 1,
      refusals: [{ jobId: alive, code: 'JOB_STATE_CONFLICT' }],
    });
    const [copy = ''] = answer.changedIds ?? [];
    expect(await shared.read(copy)).toMatchObject({
      state: 'ACTIVATED',
      retryOf: failed,
      priority: 3,
      lookup: ['o:alpha:someone@example', 's:alpha/default', 'l:alpha:k=v'],
      attempt: 0,
      owner: 'someone@example',
      attempts: [],
    });
    expect(await shared.read(failed)).toMatchObject({ state: 'FAILED' });
    expect(await change('RETRY', input)).toEqual(answer);
    expect(await shared.db.collection('jobs').countDocuments({ retryOf: failed })).toBe(1);
    const another = await change('RETRY', ofIds([failed], {}, freshKey()));
    expect(another.changedIds?.[0]).not.toBe(copy);
  });

  it('leaves the key free after a call that copied nothing, for the same call and for another', async () => {
    const [alive = '', other = ''] = await submit(2);
    const once = ofIds([alive, 'job_missing'], {}, freshKey());
    expect(await change('RETRY', once)).toMatchObject({
      changedCount: 0,
      refusedByReason: { JOB_STATE_CONFLICT: 1, JOB_NOT_FOUND: 1 },
    });
    await live(process.writer, [alive, other], 'FAILED');
    const again = await change('RETRY', once);
    expect(again).toMatchObject({ changedCount: 1, refusedByReason: { JOB_NOT_FOUND: 1 } });
    expect(await change('RETRY', once)).toEqual(again);
    expect(await shared.db.collection('jobs').countDocuments({ retryOf: alive })).toBe(1);
    const { idempotencyKey } = once;
    const missing = ofIds(['job_missing'], {}, freshKey());
    await change('RETRY', missing);
    expect(await change('RETRY', { ...missing, selection: { ids: [other] } })).toMatchObject({
      changedCount: 1,
    });
    expect(
      await process.domain.bulk.change(someone, 'RETRY', ofIds([other], {}, idempotencyKey ?? '')),
    ).toMatchObject({ userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] });
  });

  it('stores nothing for a call that copied nothing', async () => {
    const stranger = testPrincipal({ subject: 'stranger@example', grants: { alpha: 'USER' } });
    const [failed = ''] = await submit(1);
    await live(process.writer, [failed], 'FAILED');
    const operations = shared.db.collection('bulkOperations');
    const before = await operations.countDocuments();
    for (const includeDependents of [false, true])
      expect(
        await change('RETRY', ofIds([failed], { includeDependents }, freshKey()), stranger),
      ).toMatchObject({ changedCount: 0, refusedByReason: { FORBIDDEN: 1 }, operation: null });
    expect(await operations.countDocuments()).toBe(before);
  });

  it('starts again if another process ended the same call without a copy', async () => {
    const [alive = ''] = await submit(1);
    let claims = 0;
    const late = await shared.process({
      leads: false,
      stores: (stores) => ({
        ...stores,
        operations: instead(stores.operations, {
          claim: async (id, ...rest) => {
            claims += 1;
            if (claims === 1) await stores.operations.remove(id);
            return stores.operations.claim(id, ...rest);
          },
        }),
      }),
    });
    // No sweep of the leader works on the operation in between.
    process.leader.lose();
    expect(await change('RETRY', ofIds([alive], {}, freshKey()), someone, late)).toMatchObject({
      changedCount: 0,
      refusedByReason: { JOB_STATE_CONFLICT: 1 },
      operation: null,
    });
    process.leader.gain();
    expect(claims).toBe(2);
    await late.stop();
  });

  it('includes dependents that were closed because of the job; copies wait for copies', async () => {
    const specs = [{}, { dependsOn: ['#0'] }, { dependsOn: ['#1'] }, {}].map((over) => aSpec(over));
    const { jobs } = await process.domain.submits.submit(someone, {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: specs,
    });
    const [parent = '', child = '', grandchild = ''] = jobs.map((job) => job?._id ?? '');
    await live(process.writer, [parent], 'FAILED');
    await waitFor(
      'the grandchild to be closed',
      async () => (await shared.read(grandchild)).state === 'CLOSED',
      deadline,
    );
    const answer = await change('RETRY', ofIds([parent], { includeDependents: true }, freshKey()));
    expect(answer.changedCount).toBe(3);
    const copies = await shared.db
      .collection<{ _id: string; retryOf: string; dependsOn: string[]; state: string }>('jobs')
      .find({ _id: { $in: [...(answer.changedIds ?? [])] } })
      .toArray();
    const byOriginal = new Map(copies.map((copy) => [copy.retryOf, copy]));
    expect(byOriginal.get(child)).toMatchObject({
      state: 'PENDING',
      dependsOn: [byOriginal.get(parent)?._id],
    });
    expect(byOriginal.get(grandchild)).toMatchObject({
      state: 'PENDING',
      dependsOn: [byOriginal.get(child)?._id],
    });
    await live(process.writer, [byOriginal.get(parent)?._id ?? '']);
    await waitFor(
      'the copy of the child to be released',
      async () => (await shared.read(byOriginal.get(child)?._id ?? '')).state === 'ACTIVATED',
      deadline,
    );
  });

  it('lets the copy of a shared child wait for the copies of all its parents, on whichever page they are', async () => {
    // More parents than a page of the selection; the last one shares its child with the first.
    const [first = ''] = await submit(1);
    const others = await submit(1200, { labels: [{ key: 'set', value: 'parents' }] });
    const last = others.at(-1) ?? '';
    const [child = ''] = await submit(1, { dependsOn: [first, last] });
    await live(process.writer, [first, ...others], 'FAILED');
    await waitFor(
      'the child to be closed',
      async () => (await shared.read(child)).state === 'CLOSED',
      deadline,
    );
    const answer = await change('RETRY', ofIds([first, ...others], { includeDependents: true }, freshKey()));
    expect(answer).toMatchObject({ changedCount: 1202, refusedCount: 0 });
    const jobs = shared.db.collection<{ _id: string; retryOf: string; dependsOn: string[]; state: string }>(
      'jobs',
    );
    const copyOf = async (id: string) => (await jobs.find({ retryOf: id }).toArray())[0];
    const parents = [await copyOf(first), await copyOf(last)].map((copy) => copy?._id);
    expect(await copyOf(child)).toMatchObject({ state: 'PENDING', dependsOn: parents });
    expect(await shared.db.collection('retryMembers').countDocuments()).toBe(0);
  });

  it('resumes the collection of dependents, and copies and counts each job once', async () => {
    const [parent = '', alive = ''] = await submit(2);
    await submit(1000, { dependsOn: [parent] });
    await submit(500, { dependsOn: [parent] });
    await live(process.writer, [parent], 'FAILED');
    const closed = { 'transitions.reason': `its parent ${parent} ended as FAILED` };
    await waitFor(
      'the children to be closed',
      async () => (await shared.db.collection('jobs').countDocuments(closed)) === 1500,
      deadline,
    );
    let additions = 0;
    const crashing = await shared.process({
      leads: false,
      stores: (stores) => ({
        ...stores,
        retryMembers: instead(stores.retryMembers, {
          add: async (...all) => {
            additions += 1;
            // The selection and the first page of children are recorded; then the process ends.
            if (additions === 3) throw new Error('the process ended here');
            return stores.retryMembers.add(...all);
          },
        }),
      }),
    });
    const input = ofIds([parent, alive], { includeDependents: true }, freshKey());
    // Nobody resumes it until the members are counted.
    process.leader.lose();
    await expect(change('RETRY', input, someone, crashing)).rejects.toThrow('the process ended here');
    await crashing.stop();
    expect(await shared.db.collection('retryMembers').countDocuments()).toBe(1001);
    process.leader.gain();
    const answer = await waitFor(
      'the operation to be done',
      async () => {
        const repeated = await change('RETRY', input);
        return repeated.operation === null && repeated;
      },
      deadline,
    );
    expect(answer).toMatchObject({
      changedCount: 1501,
      refusedCount: 1,
      refusals: [{ jobId: alive, code: 'JOB_STATE_CONFLICT' }],
    });
    const copies = await shared.db
      .collection('jobs')
      .find({ retryOf: { $exists: true }, 'dependsOn.0': { $exists: true } })
      .toArray();
    const [copy] = await shared.db.collection<{ _id: string }>('jobs').find({ retryOf: parent }).toArray();
    expect(
      copies.filter((one) => (one as unknown as { dependsOn: string[] }).dependsOn[0] === copy?._id),
    ).toHaveLength(1500);
  });

  it('includes more dependents than fit into memory at once', async () => {
    const [parent = ''] = await submit(1);
    for (let page = 0; page < 11; page += 1) await submit(1000, { dependsOn: [parent] });
    await live(process.writer, [parent], 'FAILED');
    const jobs = shared.db.collection<{ _id: string; retryOf: string; dependsOn: string[] }>('jobs');
    const closed = { 'transitions.reason': `its parent ${parent} ended as FAILED` };
    await waitFor(
      'the children to be closed',
      async () => (await jobs.countDocuments(closed)) === 11_000,
      deadline,
    );
    const answer = await change('RETRY', ofIds([parent], { includeDependents: true }, freshKey()));
    expect(answer).toMatchObject({ changedCount: 11_001, changedIds: null, refusedCount: 0 });
    const [copy] = await jobs.find({ retryOf: parent }).toArray();
    const copies = await jobs.find({ dependsOn: copy?._id ?? '' }, { projection: { retryOf: 1 } }).toArray();
    const children = await jobs.find({ dependsOn: parent }, { projection: { _id: 1 } }).toArray();
    expect(new Set(copies.map(({ retryOf }) => retryOf))).toEqual(new Set(children.map(({ _id }) => _id)));
    expect(copies).toHaveLength(11_000);
  });
});

describe('retry with changes', () => {
  const more = { requirements: { memory: { factor: 2 }, queue: 'main' } };

  it('gives the copies other resources, stores their class, and keeps the originals', async () => {
    const [failed = ''] = await submit(1, { requirements: { memoryMiB: 700, walltimeSeconds: 60 } });
    await live(process.writer, [failed], 'FAILED');
    const { changedIds } = await change('RETRY', ofIds([failed], { changes: more }, freshKey()));
    const copy = await shared.read(changedIds?.[0] ?? '');
    expect(copy).toMatchObject({
      retryOf: failed,
      requirements: { memoryMiB: 1400, walltimeSeconds: 60, queue: 'main' },
      last: { classId: copy.classId },
    });
    const stored = shared.db.collection<{ _id: string }>('requirementClasses');
    expect(await stored.findOne({ _id: copy.classId })).toMatchObject({ requirements: { memoryMiB: 1400 } });
    expect(await shared.read(failed)).toMatchObject({ requirements: { memoryMiB: 700 } });
  });

  it('repeats children that were closed as they were', async () => {
    const [parent = ''] = await submit(1, { requirements: { memoryMiB: 700 } });
    const [child = ''] = await submit(1, { dependsOn: [parent], requirements: { memoryMiB: 300 } });
    await live(process.writer, [parent], 'FAILED');
    await waitFor(
      'the child to be closed',
      async () => (await shared.read(child)).state === 'CLOSED',
      deadline,
    );
    const input = ofIds([parent], { includeDependents: true, changes: more }, freshKey());
    expect(await change('RETRY', input)).toMatchObject({ changedCount: 2 });
    const jobs = shared.db.collection('jobs');
    expect(await jobs.findOne({ retryOf: parent })).toMatchObject({ requirements: { memoryMiB: 1400 } });
    expect(await jobs.findOne({ retryOf: child })).toMatchObject({ requirements: { memoryMiB: 300 } });
  });

  it('refuses a queue that does not admit the experiment, and copies nothing', async () => {
    const [failed = ''] = await submit(1);
    await live(process.writer, [failed], 'FAILED');
    const changes = { requirements: { queue: 'elsewhere' } };
    expect(await change('RETRY', ofIds([failed], { changes }, freshKey()))).toMatchObject({
      changedCount: 0,
      refusals: [{ jobId: failed, code: 'QUEUE_NOT_FOUND' }],
    });
    expect(await shared.db.collection('jobs').countDocuments({ retryOf: failed })).toBe(0);
  });

  it('lets a manager give memory to the job of another, but no other program', async () => {
    const manager = testPrincipal({
      subject: 'manager@example',
      grants: { alpha: ['PRODUCTION'] },
    });
    const [failed = ''] = await submit(1);
    await live(process.writer, [failed], 'FAILED');
    const program = ofIds([failed], { changes: { payload: { command: 'other' } } }, freshKey());
    expect(await change('RETRY', program, manager)).toMatchObject({
      changedCount: 0,
      refusals: [{ code: 'FORBIDDEN', message: expect.stringContaining('someone@example') }],
    });
    expect(await change('RETRY', ofIds([failed], { changes: more }, freshKey()), manager)).toMatchObject({
      changedCount: 1,
    });
    expect(await change('RETRY', { ...program, idempotencyKey: freshKey() })).toMatchObject({
      changedCount: 1,
    });
  });

  it('refuses the key of a retry with other changes', async () => {
    const [failed = ''] = await submit(1);
    await live(process.writer, [failed], 'FAILED');
    const key = freshKey();
    await change('RETRY', ofIds([failed], { changes: more }, key));
    expect(await process.domain.bulk.change(someone, 'RETRY', ofIds([failed], {}, key))).toMatchObject({
      userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }],
    });
  });
});
