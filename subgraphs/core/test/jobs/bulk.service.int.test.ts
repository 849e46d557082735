import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Grant, Principal } from '@rhizome/authz';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { BulkAnswer, BulkInput } from '../../src/jobs/bulk/bulk.service.js';
import type { BulkKind } from '../../src/jobs/bulk/bulk.types.js';
import {
  aSpec,
  instead,
  live,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import { aJob } from '../support/job.fixture.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { JobSpec } from '../../src/jobs/submit/submit.types.js';

let shared: TestDomain;
let process: TestProcess;
let serial = 0;

beforeAll(async () => {
  shared = await testDomain('bulk');
  process = await shared.process();
});

const key = (): string => `key ${(serial += 1)}`;
const deadline = { deadlineMs: 60_000 };

async function submit(count: number, over: Partial<JobSpec> = {}, experiment = 'alpha'): Promise<string[]> {
  const jobs = Array.from({ length: count }, () => aSpec(over));
  const result = await process.domain.submits.submit(testPrincipal({ subject: 'someone@example' }), {
    experiment,
    idempotencyKey: key(),
    jobs,
  });
  return result.jobs.map((job) => job?._id ?? '');
}

async function change(
  kind: BulkKind,
  input: BulkInput,
  principal = someone,
  on = process,
): Promise<BulkAnswer> {
  const result = await on.domain.bulk.change(principal, kind, input);
  if ('userErrors' in result) throw new Error(JSON.stringify(result.userErrors));
  return result.answer;
}

const ofIds = (
  ids: readonly string[],
  parameters: BulkInput['parameters'] = {},
  idempotencyKey?: string,
): BulkInput => ({ selection: { ids }, parameters, idempotencyKey });
const states = async (ids: readonly string[]): Promise<string[]> =>
  Promise.all(ids.map(async (id) => (await shared.read(id)).state));

describe('by ids', () => {
  it("reports each job: changed, missing, in the wrong state, or not the caller's", async () => {
    const [mine = '', ended = ''] = await submit(2);
    await live(process.writer, [ended]);
    const [theirs = ''] = await submit(1);
    await shared.db
      .collection('jobs')
      .updateOne({ _id: theirs as never }, { $set: { owner: 'other@example' } });
    const [hidden = ''] = await submit(1, {}, 'beta');
    const reader = testPrincipal({ subject: 'someone@example', grants: { alpha: 'USER' } });
    const answer = await change(
      'CANCEL',
      ofIds([mine, 'job_missing', ended, theirs, hidden], { reason: 'enough' }),
      reader,
    );
    expect(answer).toMatchObject({
      changedCount: 1,
      changedIds: [mine],
      refusedCount: 4,
      operation: null,
      refusedByReason: { JOB_NOT_FOUND: 2, JOB_STATE_CONFLICT: 1, FORBIDDEN: 1 },
    });
    expect(answer.refusals.map(({ jobId, code }) => [jobId, code])).toEqual([
      ['job_missing', 'JOB_NOT_FOUND'],
      [ended, 'JOB_STATE_CONFLICT'],
      [theirs, 'FORBIDDEN'],
      [hidden, 'JOB_NOT_FOUND'],
    ]);
    expect(answer.refusals[1]?.message).toBe(
      `Job "${ended}" is FINISHED: only a job that has not ended can be cancelled`,
    );
    expect(await shared.read(mine)).toMatchObject({
      state: 'CANCELLED',
      last: { actor: 'someone@example', reason: 'enough' },
    });
  });

  it('cancels a job whose state changes during the cancel in its new state', async () => {
    const ids = await submit(100);
    const moving = live(process.writer, ids.slice(0, 50)).catch(() => undefined);
    const answer = await change('CANCEL', ofIds(ids));
    await moving;
    const found = await states(ids);
    expect(answer.changedCount + answer.refusedCount).toBe(100);
    expect(found.filter((state) => state === 'CANCELLED')).toHaveLength(answer.changedCount);
    expect(found.filter((state) => state === 'FINISHED')).toHaveLength(answer.refusedCount);
  });

  it('changes hold, release and priority only for jobs that have not been sent', async () => {
    const [a = '', b = ''] = await submit(2);
    expect((await change('HOLD', ofIds([a], { reason: 'wait' }))).changedIds).toEqual([a]);
    expect((await change('HOLD', ofIds([a, b], { reason: 'again' }))).refusals).toMatchObject([
      { jobId: a, code: 'JOB_STATE_CONFLICT' },
    ]);
    expect(await shared.read(a)).toMatchObject({
      state: 'PENDING',
      hold: { by: 'someone@example', reason: 'wait' },
    });
    const operator = testPrincipal();
    expect((await change('SET_PRIORITY', ofIds([a, b], { priority: 7 }), operator)).changedCount).toBe(2);
    expect((await change('RELEASE', ofIds([a, b]))).changedCount).toBe(2);
    expect(await shared.read(a)).toMatchObject({ state: 'ACTIVATED', priority: 7 });
    expect((await change('RELEASE', ofIds([a]))).refusals).toMatchObject([{ code: 'JOB_STATE_CONFLICT' }]);
    expect((await change('SET_PRIORITY', ofIds([a], { priority: 1 }))).refusals).toMatchObject([
      { code: 'FORBIDDEN' },
    ]);
  });

  it('applies a change once per key: a job that was released meanwhile is not held again', async () => {
    const [id = ''] = await submit(1);
    const once = ofIds([id, 'job_missing'], { reason: 'wait' }, key());
    const first = await change('HOLD', once);
    await change('RELEASE', ofIds([id]));
    const second = await change('HOLD', once);
    expect(second).toEqual(first);
    expect((await shared.read(id)).state).toBe('ACTIVATED');
    const other = await process.domain.bulk.change(someone, 'HOLD', {
      ...once,
      parameters: { reason: 'other' },
    });
    expect(other).toMatchObject({
      userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'] }],
    });
  });

  it.each<[string, BulkKind, BulkInput, string]>([
    ['no ids', 'CANCEL', ofIds([]), 'selection.ids'],
    [
      'too many ids',
      'CANCEL',
      ofIds(Array.from({ length: 10_001 }, (_, at) => `job_${at}`)),
      'selection.ids',
    ],
    ['a hold without a reason', 'HOLD', ofIds(['job_1'], { reason: '' }), 'reason'],
    ['a priority out of range', 'SET_PRIORITY', ofIds(['job_1'], { priority: 1001 }), 'priority'],
    ['a retry without a key', 'RETRY', ofIds(['job_1']), 'idempotencyKey'],
    [
      'a filter without a condition',
      'CANCEL',
      { selection: { criteria: {} }, parameters: {} },
      'selection.filter',
    ],
  ])('refuses %s as a whole', async (_name, kind, input, path) => {
    const result = await process.domain.bulk.change(testPrincipal(), kind, input);
    expect(result).toMatchObject({ userErrors: [{ code: 'INVALID_VALUE' }] });
    expect('userErrors' in result && result.userErrors[0]?.path.join('.')).toBe(path);
  });
});

describe('by filter', () => {
  it('changes up to 10,000 jobs at once', async () => {
    const ids = await submit(30, { labels: [{ key: 'set', value: 'small' }] });
    const answer = await change('CANCEL', {
      selection: { criteria: { labels: ['set=small'] } },
      parameters: {},
    });
    expect(answer).toMatchObject({ changedCount: 30, refusedCount: 0, changedIds: null, operation: null });
    expect(new Set(await states(ids))).toEqual(new Set(['CANCELLED']));
  });

  it('changes more jobs in the background, resumes after a crash, and counts each job once', async () => {
    const count = 10_600;
    const documents = Array.from({ length: count }, (_, at) =>
      aJob(`job_00BIG${String(at).padStart(6, '0')}`, { share: 'alpha/other' }),
    );
    await process.stores.jobs.insertNew(documents);
    await live(
      process.writer,
      documents.slice(100, 250).map(({ _id }) => _id),
    );
    let pages = 0;
    const crashing = await shared.process({
      leads: false,
      stores: (stores) => ({
        ...stores,
        operations: instead(stores.operations, {
          endPage: async (...all) => {
            pages += 1;
            // The third page is applied, but its result is lost, and the process ends.
            if (pages === 3) throw new Error('the process ended here');
            return stores.operations.endPage(...all);
          },
        }),
      }),
    });
    const input = {
      selection: { criteria: { shares: ['alpha/other'] } },
      parameters: { reason: 'too many' },
      idempotencyKey: key(),
    };
    const answer = await change('CANCEL', input, someone, crashing);
    expect(answer).toMatchObject({
      changedIds: null,
      operation: { state: 'RUNNING', totalCount: count, isBackground: true },
    });
    const id = answer.operation?._id ?? '';
    await waitFor('the third page', () => pages >= 3, deadline);
    await crashing.stop();
    const broken = await process.stores.operations.find(id);
    expect(broken).toMatchObject({ state: 'RUNNING', changedCount: 1850, refusedCount: 150 });
    expect(broken?.page).toHaveLength(1000);
    // The next leader finds it.
    process.leader.lose();
    process.leader.gain();
    const done = await waitFor(
      'the operation to be done',
      async () => {
        const found = await process.domain.bulk.operation(someone, id);
        return found?.state === 'DONE' && found;
      },
      deadline,
    );
    expect(done).toMatchObject({
      changedCount: count - 150,
      refusedCount: 150,
      refusedByReason: { JOB_STATE_CONFLICT: 150 },
    });
    expect(done && done.refusals).toHaveLength(100);
    expect(
      await shared.db
        .collection('jobs')
        .countDocuments({ share: 'alpha/other', state: 'CANCELLED', revision: 2 }),
    ).toBe(count - 150);
    // The same key returns the result and changes nothing.
    expect(await change('CANCEL', input)).toMatchObject({
      changedCount: count - 150,
      operation: { _id: id, state: 'DONE' },
    });
    expect(
      await process.domain.bulk.operation(testPrincipal({ subject: 'other@example', grants: 'USER' }), id),
    ).toBeNull();
  });
});

describe('bulk change', () => {
  const documents = (prefix: string): readonly JobDocument[] =>
    Array.from({ length: 2500 }, (_, at) => aJob(`job_00${prefix}${String(at).padStart(6, '0')}`));

  it('checks the rights of the caller for each batch', async () => {
    let looks = 0;
    // Somebody removes the membership while the change runs.
    const grantsOf = async (): Promise<readonly Grant[]> =>
      (looks += 1) === 1 ? [{ experiment: 'alpha', roles: ['USER'] }] : [];
    const own = await shared.process({ leads: false, rights: { people: { grantsOf } } });
    for (const [kind, prefix, end] of [
      ['CANCEL', 'A', undefined],
      ['RETRY', 'B', 'FAILED'],
    ] as const) {
      looks = 0;
      const jobs = documents(prefix);
      const ids = jobs.map(({ _id }) => _id);
      await own.stores.jobs.insertNew(jobs);
      if (end) await live(process.writer, ids, end);
      expect(await change(kind, ofIds(ids, {}, key()), someone, own)).toMatchObject({
        changedCount: 1000,
        refusedByReason: { JOB_NOT_FOUND: 1500 },
      });
    }
    await own.stop();
  });

  it('refuses a caller that was revoked, and grants no more than its token', async () => {
    const isRevoked = ({ issuer, subject }: Principal): boolean =>
      issuer === 'https://left.example' && subject === someone.subject;
    const people = { grantsOf: async () => [{ experiment: '*', roles: ['ADMIN' as const] }] };
    const own = await shared.process({
      leads: false,
      rights: { people, revocations: { isRevoked, onChange: () => () => undefined } },
    });
    const [id = ''] = await submit(1);
    const revoked = { ...someone, issuer: 'https://left.example' };
    expect(await change('CANCEL', ofIds([id]), revoked, own)).toMatchObject({
      refusals: [{ jobId: id, code: 'FORBIDDEN' }],
    });
    // The directory knows an ADMIN, the token is that of a USER, limited to other actions.
    expect(await change('SET_PRIORITY', ofIds([id], { priority: 3 }), someone, own)).toMatchObject({
      refusals: [{ code: 'FORBIDDEN' }],
    });
    const limited = { ...someone, actions: ['job:read', 'job:hold'] };
    expect(await change('CANCEL', ofIds([id]), limited, own)).toMatchObject({
      refusals: [{ code: 'FORBIDDEN' }],
    });
    expect((await change('CANCEL', ofIds([id]), someone, own)).changedCount).toBe(1);
    await own.stop();
  });
});

describe('retry', () => {
  it('copies a terminal job with a reference to it, refuses a live one, and makes no second copy per key', async () => {
    const [failed = '', alive = ''] = await submit(2, { priority: 3, labels: [{ key: 'k', value: 'v' }] });
    await live(process.writer, [failed], 'FAILED');
    const input = ofIds([failed, alive], {}, key());
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
    const another = await change('RETRY', ofIds([failed], {}, key()));
    expect(another.changedIds?.[0]).not.toBe(copy);
  });

  it('leaves the key free after a call that copied nothing, for the same call and for another', async () => {
    const [alive = '', other = ''] = await submit(2);
    const once = ofIds([alive, 'job_missing'], {}, key());
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
    const missing = ofIds(['job_missing'], {}, key());
    await change('RETRY', missing);
    expect(await change('RETRY', { ...missing, selection: { ids: [other] } })).toMatchObject({
      changedCount: 1,
    });
    expect(
      await process.domain.bulk.change(someone, 'RETRY', ofIds([other], {}, idempotencyKey ?? '')),
    ).toMatchObject({ userErrors: [{ code: 'IDEMPOTENCY_KEY_REUSED' }] });
  });

  it('includes dependents that were closed because of the job; copies wait for copies', async () => {
    const specs = [{}, { dependsOn: ['#0'] }, { dependsOn: ['#1'] }, {}].map((over) => aSpec(over));
    const { jobs } = await process.domain.submits.submit(someone, {
      experiment: 'alpha',
      idempotencyKey: key(),
      jobs: specs,
    });
    const [parent = '', child = '', grandchild = ''] = jobs.map((job) => job?._id ?? '');
    await live(process.writer, [parent], 'FAILED');
    await waitFor(
      'the grandchild to be closed',
      async () => (await shared.read(grandchild)).state === 'CLOSED',
      deadline,
    );
    const answer = await change('RETRY', ofIds([parent], { includeDependents: true }, key()));
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
    const answer = await change('RETRY', ofIds([first, ...others], { includeDependents: true }, key()));
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
    const input = ofIds([parent, alive], { includeDependents: true }, key());
    await expect(change('RETRY', input, someone, crashing)).rejects.toThrow('the process ended here');
    await crashing.stop();
    expect(await shared.db.collection('retryMembers').countDocuments()).toBe(1001);
    process.leader.lose();
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
    const answer = await change('RETRY', ofIds([parent], { includeDependents: true }, key()));
    expect(answer).toMatchObject({ changedCount: 11_001, changedIds: null, refusedCount: 0 });
    const [copy] = await jobs.find({ retryOf: parent }).toArray();
    const copies = await jobs.find({ dependsOn: copy?._id ?? '' }, { projection: { retryOf: 1 } }).toArray();
    const children = await jobs.find({ dependsOn: parent }, { projection: { _id: 1 } }).toArray();
    expect(new Set(copies.map(({ retryOf }) => retryOf))).toEqual(new Set(children.map(({ _id }) => _id)));
    expect(copies).toHaveLength(11_000);
  });
});
