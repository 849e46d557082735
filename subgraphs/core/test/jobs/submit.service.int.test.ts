import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { storedKey } from '../../src/shared/stored-key.js';
import { instead } from '../support/instead.fixture.js';
import {
  aSpec,
  freshKey,
  idsOf,
  someone,
  testDomain,
  type TestDomain,
  type TestProcess,
} from '../support/job-domain.fixture.js';

let shared: TestDomain;
let process: TestProcess;

beforeAll(async () => {
  shared = await testDomain('submit');
  process = await shared.process();
});

describe('accepting', () => {
  it('stores jobs with defaults filled in, and their class first', async () => {
    const { jobs, refusals } = await process.domain.submits.submit(someone, {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: [aSpec({ labels: [{ key: 'run', value: '1' }] }), aSpec({ share: 'other', priority: 5 })],
    });
    expect(refusals).toEqual([]);
    const [first = '', second = ''] = idsOf(jobs);
    const stored = await shared.read(first);
    expect(stored).toMatchObject({
      state: 'ACTIVATED',
      experiment: 'alpha',
      owner: 'someone@example',
      share: 'alpha/default',
      priority: 0,
      lookup: ['o:alpha:someone@example', 's:alpha/default', 'l:alpha:run=1'],
      requirements: { cores: 1, memoryMiB: 1024, diskMiB: 1024, walltimeSeconds: 3600, network: false },
      retry: { maxAttempts: 3 },
    });
    expect(await shared.read(second)).toMatchObject({ share: 'alpha/other', priority: 5 });
    expect(
      await shared.db.collection('requirementClasses').countDocuments({ _id: stored.classId as never }),
    ).toBe(1);
    expect(first < second).toBe(true);
  });

  it('accepts valid jobs of a call with invalid ones, and names field, value and expectation of each error', async () => {
    const { jobs, refusals } = await process.domain.submits.submit(someone, {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: [
        aSpec(),
        aSpec({ requirements: { cores: 0 } }),
        aSpec({ requirements: { selector: 'bad' } }),
        aSpec({ share: 'nowhere' }),
        aSpec({ dependsOn: ['job_unknown'] }),
        aSpec({ dependsOn: ['#5'] }),
        aSpec({ dependsOn: ['#1'] }),
        aSpec({
          payload: { command: 'x', environment: [{ name: 'RHIZOME_X', value: '' }], outputs: ['../b'] },
        }),
        aSpec({ dependsOn: ['#0'] }),
      ],
    });
    expect(jobs.map((job) => job !== null)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
    expect(refusals.map(({ path, code }) => [path.join('.'), code])).toEqual([
      ['jobs.1.requirements.cores', 'INVALID_VALUE'],
      ['jobs.2.requirements.selector', 'SELECTOR_INVALID'],
      ['jobs.3.share', 'SHARE_NOT_FOUND'],
      ['jobs.4.dependsOn.0', 'DEPENDENCY_INVALID'],
      ['jobs.5.dependsOn.0', 'DEPENDENCY_INVALID'],
      ['jobs.6.dependsOn.0', 'DEPENDENCY_INVALID'],
      ['jobs.7.payload.environment.0.name', 'INVALID_VALUE'],
      ['jobs.7.payload.outputs.0', 'INVALID_VALUE'],
    ]);
    expect(refusals[0]?.message).toBe('jobs.1.requirements.cores: 0 is too small; must be at least 1');
  });

  it('accepts valid jobs of a call with very many errors, and counts the errors that it omits', async () => {
    const long = 'y'.repeat(300);
    const bad = (at: number) =>
      aSpec({
        name: '',
        priority: 5000 + at,
        requirements: { cores: 0, memoryMiB: 0, diskMiB: -1, walltimeSeconds: 0 },
        payload: { command: '', outputs: Array.from({ length: 5 }, (_, n) => `a/${n}${long}`) },
        dependsOn: ['#9999', 'job_unknown'],
      });
    const errorsPerJob = 14;
    const jobs = [...Array.from({ length: 9999 }, (_, at) => bad(at)), aSpec({ name: 'good' })];
    const input = { experiment: 'alpha', idempotencyKey: freshKey(), jobs };
    const first = await process.domain.submits.submit(someone, input);
    expect(first.jobs.slice(0, 9999).every((job) => job === null)).toBe(true);
    expect(await shared.read(idsOf(first.jobs)[9999] ?? '')).toMatchObject({
      name: 'good',
      state: 'ACTIVATED',
    });
    expect(new Set(first.refusals.map(({ path }) => path[1])).size).toBe(9999);
    expect(first.refusals.length + first.omitted).toBe(9999 * errorsPerJob);
    expect(first.omitted).toBeGreaterThan(9999 * (errorsPerJob - 10));
    const form = /^\S+: .+ (is not valid|(is|are) too (small|large|many)); must be /;
    expect(first.refusals.slice(0, 10).map(({ message }) => form.test(message))).toEqual(
      Array.from({ length: 10 }, () => true),
    );
    expect(first.refusals.at(-1)).toMatchObject({ code: 'INVALID_VALUE', path: ['jobs', '9998', 'name'] });
    expect(await process.domain.submits.submit(someone, input)).toMatchObject({
      jobs: [...Array.from({ length: 9999 }, () => null), { _id: idsOf(first.jobs)[9999] }],
      refusals: first.refusals,
      omitted: first.omitted,
    });
    const [stored] = await shared.db
      .collection('submissions')
      .aggregate([{ $match: { omitted: first.omitted } }, { $project: { bytes: { $bsonSize: '$$ROOT' } } }])
      .toArray();
    expect(stored?.['bytes']).toBeLessThan(8 * 1024 * 1024);
  });

  it('refuses a call with an error outside its jobs and writes nothing', async () => {
    const before = await shared.db.collection('jobs').countDocuments();
    const submit = (over: object) =>
      process.domain.submits.submit(testPrincipal(), {
        experiment: 'alpha',
        idempotencyKey: freshKey(),
        jobs: [aSpec()],
        ...over,
      });
    expect((await submit({ experiment: 'gamma' })).refusals).toMatchObject([
      { code: 'EXPERIMENT_NOT_FOUND', path: ['experiment'] },
    ]);
    expect((await submit({ idempotencyKey: '' })).refusals).toMatchObject([
      { code: 'INVALID_VALUE', path: ['idempotencyKey'] },
    ]);
    expect((await submit({ jobs: [] })).refusals).toMatchObject([{ code: 'INVALID_VALUE', path: ['jobs'] }]);
    expect((await submit({ jobs: Array.from({ length: 10_001 }, () => aSpec()) })).refusals).toMatchObject([
      { code: 'BATCH_TOO_LARGE' },
    ]);
    await expect(
      process.domain.submits.submit(testPrincipal({ grants: { alpha: 'READER' } }), {
        experiment: 'alpha',
        idempotencyKey: freshKey(),
        jobs: [aSpec()],
      }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await shared.db.collection('jobs').countDocuments()).toBe(before);
  });
});

describe('idempotency', () => {
  it('returns the same answer for the same key and jobs, and refuses other jobs', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: [aSpec(), aSpec({ priority: 5000 }), aSpec({ name: 'b' })],
    };
    const first = await process.domain.submits.submit(someone, input);
    const second = await process.domain.submits.submit(someone, input);
    expect(idsOf(second.jobs)).toEqual(idsOf(first.jobs));
    expect(second.refusals).toEqual(first.refusals);
    const other = await process.domain.submits.submit(someone, { ...input, jobs: [aSpec({ name: 'c' })] });
    expect(other).toMatchObject({
      jobs: [null],
      refusals: [{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['idempotencyKey'] }],
    });
    const elsewhere = await process.domain.submits.submit(testPrincipal({ subject: 'other@example' }), input);
    expect(idsOf(elsewhere.jobs)).not.toEqual(idsOf(first.jobs));
  });

  it('ignores null members and the order of members in the comparison', async () => {
    const input = {
      experiment: 'alpha',
      idempotencyKey: freshKey(),
      jobs: [aSpec({ labels: [{ key: 'a', value: 'b' }] })],
    };
    const first = await process.domain.submits.submit(someone, input);
    const [spec] = input.jobs;
    const turned = Object.fromEntries(Object.entries({ ...spec, retryOf: null }).reverse()) as typeof spec &
      object;
    const second = await process.domain.submits.submit(someone, { ...input, jobs: [turned] });
    expect([idsOf(second.jobs), second.refusals]).toEqual([idsOf(first.jobs), []]);
  });

  it('recognises a submission that an earlier version stored with a digest of its plain text', async () => {
    const spec = Object.fromEntries(Object.entries(aSpec()).reverse()) as ReturnType<typeof aSpec>;
    const input = { experiment: 'alpha', idempotencyKey: freshKey(), jobs: [spec] };
    const first = await process.domain.submits.submit(someone, input);
    const digest = createHash('sha256').update(JSON.stringify(input.jobs)).digest('base64url');
    const _id = storedKey('jobs', 'alpha', someone.subject, input.idempotencyKey) as never;
    const changed = await shared.db.collection('submissions').updateOne({ _id }, { $set: { digest } });
    expect(changed.modifiedCount).toBe(1);
    const second = await process.domain.submits.submit(someone, input);
    expect([idsOf(second.jobs), second.refusals]).toEqual([idsOf(first.jobs), []]);
    const other = await process.domain.submits.submit(someone, { ...input, jobs: [aSpec({ name: 'c' })] });
    expect(other.refusals).toMatchObject([{ code: 'IDEMPOTENCY_KEY_REUSED' }]);
  });

  it('creates each job once for concurrent calls with one key in two processes', async () => {
    const second = await shared.process({ leads: false });
    const input = {
      experiment: 'beta',
      idempotencyKey: freshKey(),
      jobs: Array.from({ length: 300 }, (_, at) => aSpec({ name: `job ${at}` })),
    };
    const answers = await Promise.all(
      [process, second, process, second].map(({ domain }) => domain.submits.submit(someone, input)),
    );
    const [ids] = answers.map(({ jobs }) => idsOf(jobs));
    answers.forEach(({ jobs }) => expect(idsOf(jobs)).toEqual(ids));
    expect(await shared.db.collection('jobs').countDocuments({ experiment: 'beta' })).toBe(300);
  });

  it.each([0, 700])(
    'completes a call that ended after %i of its 1500 jobs when it is repeated',
    async (written) => {
      const crashing = await shared.process({
        leads: false,
        stores: (stores) => {
          const { jobs } = stores;
          const insertNew = async (documents: Parameters<typeof jobs.insertNew>[0]): Promise<void> => {
            await jobs.insertNew(documents.slice(0, written));
            throw new Error('the process ended here');
          };
          return { ...stores, jobs: instead(jobs, { insertNew }) };
        },
      });
      const input = {
        experiment: 'alpha',
        idempotencyKey: freshKey(),
        jobs: Array.from({ length: 1500 }, (_, at) => aSpec({ name: `crash ${written} ${at}` })),
      };
      await expect(crashing.domain.submits.submit(someone, input)).rejects.toThrow('the process ended here');
      const { jobs, refusals } = await process.domain.submits.submit(someone, input);
      expect(refusals).toEqual([]);
      expect(new Set(idsOf(jobs)).size).toBe(1500);
      const stored = await process.stores.jobs.existing(idsOf(jobs));
      expect(stored.size).toBe(1500);
      expect(
        await shared.db.collection('jobs').countDocuments({ name: new RegExp(`^crash ${written} `) }),
      ).toBe(1500);
    },
  );
});
