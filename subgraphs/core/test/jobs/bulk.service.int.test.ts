import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Grant, RightsHolder, RightsNow } from '@rhizome/authz';
import { systemClock } from '@rhizome/clock';
import { testPrincipal, waitFor } from '@rhizome/testkit';
import type { BulkInput } from '../../src/jobs/bulk/bulk.service.js';
import type { BulkKind } from '../../src/jobs/bulk/bulk.types.js';
import { type BulkDomain, bulkDomain, ofIds } from '../support/bulk.fixture.js';
import { instead } from '../support/instead.fixture.js';
import {
  deadline,
  freshKey,
  live,
  someone,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';
import { aJob } from '../support/job.fixture.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';

let shared: TestDomain;
let process: TestProcess;
let submit: BulkDomain['submit'];
let change: BulkDomain['change'];

beforeAll(async () => {
  ({ shared, process, submit, change } = await bulkDomain('bulk'));
});

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
    const once = ofIds([id, 'job_missing'], { reason: 'wait' }, freshKey());
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
      idempotencyKey: freshKey(),
    };
    // Nobody resumes it until the state that the crash left behind is read.
    process.leader.lose();
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

  it('is not resumed by the leader before its own process has begun it', async () => {
    const abandoned: (readonly string[])[] = [];
    const own = await shared.process({
      leads: false,
      stores: (stores) => ({
        ...stores,
        operations: instead(stores.operations, {
          create: async (...all) => {
            const recorded = await stores.operations.create(...all);
            abandoned.push(await stores.operations.abandoned(systemClock.now(), '', 10));
            return recorded;
          },
        }),
      }),
    });
    const [id = ''] = await submit(1);
    expect(await change('CANCEL', ofIds([id], {}, freshKey()), someone, own)).toMatchObject({
      changedIds: [id],
      operation: null,
    });
    expect(abandoned).toEqual([[]]);
    await own.stop();
  });

  it('renews its claim before each further batch', async () => {
    let renewals = 0;
    const own = await shared.process({
      leads: false,
      stores: (stores) => ({
        ...stores,
        operations: instead(stores.operations, {
          renew: async (...all) => {
            renewals += 1;
            return stores.operations.renew(...all);
          },
        }),
      }),
    });
    const jobs = documents('R');
    await own.stores.jobs.insertNew(jobs);
    const ids = jobs.map(({ _id }) => _id);
    expect(await change('CANCEL', ofIds(ids, {}, freshKey()), someone, own)).toMatchObject({
      changedCount: ids.length,
      operation: null,
    });
    expect(renewals).toBe(2);
    await own.stop();
  });

  it('checks the rights of the caller for each batch', async () => {
    let looks = 0;
    // Somebody removes the membership while the change runs.
    const grants = (): readonly Grant[] =>
      (looks += 1) === 1 ? [{ experiment: 'alpha', roles: ['USER'] }] : [];
    const of = async (): Promise<RightsNow> => ({ isRevoked: false, grants: grants() });
    const own = await shared.process({ leads: false, rights: { of } });
    for (const [kind, prefix, end] of [
      ['CANCEL', 'A', undefined],
      ['RETRY', 'B', 'FAILED'],
    ] as const) {
      looks = 0;
      const jobs = documents(prefix);
      const ids = jobs.map(({ _id }) => _id);
      await own.stores.jobs.insertNew(jobs);
      if (end) await live(process.writer, ids, end);
      expect(await change(kind, ofIds(ids, {}, freshKey()), someone, own)).toMatchObject({
        changedCount: 1000,
        refusedByReason: { JOB_NOT_FOUND: 1500 },
      });
    }
    await own.stop();
  });

  it('counts the roles of an elevation until it ends, while they are ready', async () => {
    const production: readonly Grant[] = [{ experiment: 'alpha', roles: ['PRODUCTION'] }];
    let ready = production;
    const grants: readonly Grant[] = [{ experiment: 'alpha', roles: ['USER'] }];
    const of = async (): Promise<RightsNow> => ({ isRevoked: false, grants, ready });
    const own = await shared.process({ leads: false, rights: { of } });
    const theirs = await submit(3);
    await shared.db
      .collection('jobs')
      .updateMany({ _id: { $in: theirs as never[] } }, { $set: { owner: 'o@x', submittedBy: 'o@x' } });
    const [first = '', second = '', third = ''] = theirs;
    const until = (ms: number) => ({
      id: 'elv_1',
      experiment: 'alpha',
      roles: ['PRODUCTION'] as const,
      until: new Date(Date.now() + ms),
    });
    const elevated = (ms: number) => ({
      ...someone,
      grants: [...grants, ...production],
      elevation: until(ms),
    });
    const refused = { refusals: [{ code: 'FORBIDDEN' }] };
    expect(await change('CANCEL', ofIds([first], {}, freshKey()), elevated(3_600_000), own)).toMatchObject({
      changedCount: 1,
    });
    expect(await change('CANCEL', ofIds([second], {}, freshKey()), elevated(-86_400_000), own)).toMatchObject(
      refused,
    );
    ready = [];
    expect(await change('CANCEL', ofIds([third], {}, freshKey()), elevated(3_600_000), own)).toMatchObject(
      refused,
    );
    await own.stop();
  });

  it('refuses a caller that was revoked, and grants no more than its token', async () => {
    const of = async ({ issuer, subject }: RightsHolder): Promise<RightsNow> => ({
      isRevoked: issuer === 'https://left.example' && subject === someone.subject,
      grants: [{ experiment: '*', roles: ['ADMIN'] }],
    });
    const own = await shared.process({ leads: false, rights: { of } });
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
