import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { seededRandom, testDatabase, testPrincipal } from '@rhizome/testkit';
import type { Collection, Document, Filter } from 'mongodb';
import { aJob } from '../../../test/support/job.fixture.js';
import { compileCountFilter } from '../../events/counts/count-filter.js';
import { compileFilter } from '../../events/hub/event-filter.js';
import { type JobFilterSpec, JobsService } from '../jobs.service.js';
import { jobsCollection } from './job.document.js';
import { batchJobIds } from './job-ids.js';
import type { JobDocument, JobErrorFamily, StoredAttempt } from './job.types.js';
import { JobsRepository } from './jobs.repository.js';

const total = 6000;
const start = new Date('2030-01-01T00:00:00Z');
const random = seededRandom(11);
const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
const families: readonly JobErrorFamily[] = ['PAYLOAD', 'LIMIT', 'WORKER'];
const experiments = ['alpha', 'beta'];
const idAt = batchJobIds('search', start);
const everybody = testPrincipal();
const ofAlpha = testPrincipal({ grants: { alpha: 'READER' } });

let jobs: Collection<JobDocument>;

/** An attempt that failed in some way. */
function failedAttempt(number: number, at = 0): StoredAttempt {
  const family = oneOf(families);
  const code = `${family}_${oneOf([1, 2, 3])}`;
  return {
    number,
    id: `attempt_${number}`,
    workerId: 'worker_1',
    queueId: 'queue_1',
    fence: 8 * (2 * at + number),
    deviceIds: [],
    sentAt: start,
    endedAt: start,
    outcome: 'FAILED',
    site: oneOf(['NORTH', 'SOUTH']),
    host: `host${oneOf([1, 2, 3, 4])}`,
    exitCode: oneOf([1, 2, 137]),
    error: { family, code, message: `${code} (of "x.y") on the Node`, retryable: false },
  };
}

const documents: readonly JobDocument[] = Array.from({ length: total }, (_, at) => {
  const state = oneOf(['FAILED', 'FINISHED', 'ACTIVATED'] as const);
  const attempts = [1, 2]
    .slice(0, state === 'FAILED' ? 1 + (at % 2) : at % 2)
    .map((number) => failedAttempt(number, at));
  const experiment = oneOf(experiments);
  const image = oneOf(['one.sif', 'two.sif', undefined]);
  const payload = { command: 'true', arguments: [], environment: [], inputs: [], outputs: [] };
  const over = {
    name: `step ${at % 7} [${oneOf(['a', 'b'])}]`,
    experiment,
    share: `${experiment}/default`,
    payload: { ...payload, ...(image === undefined ? {} : { image }) },
    document: { state, attempts, attempt: attempts.length, fence: 8 * (2 * at + 2) },
  };
  return aJob(idAt(at), { createdAt: start, ...over }, start);
});

function serviceOf(searchMs?: number): JobsService {
  return new JobsService({
    jobs: new JobsRepository(jobs, searchMs),
    experiments: { find: async () => null, names: async () => experiments },
    queues: { idOf: async () => null },
    access: { allows: () => false },
  });
}

beforeAll(async () => {
  const db = await testDatabase('search');
  await ensureCollections(db, [jobsCollection]);
  jobs = collection(db, jobsCollection);
  await jobs.insertMany([...documents], { ordered: false });
});

const failed = { states: ['FAILED'] as const };
const anyCase = (text: string) => (job: JobDocument) =>
  [job.name, ...job.attempts.map(({ error }) => error?.message ?? '')].some((one) =>
    one.toLowerCase().includes(text.toLowerCase()),
  );
const has = (test: (attempt: StoredAttempt) => boolean) => (job: JobDocument) => job.attempts.some(test);
const searches: readonly [string, JobFilterSpec, (job: JobDocument) => boolean][] = [
  ['family', { attempts: { errorFamilies: ['LIMIT'] } }, has(({ error }) => error?.family === 'LIMIT')],
  ['code', { attempts: { errorCodes: ['LIMIT_2'] } }, has(({ error }) => error?.code === 'LIMIT_2')],
  ['exit code', { attempts: { exitCodes: [137, 2] } }, has(({ exitCode }) => exitCode !== 1)],
  ['site', { attempts: { sites: ['NORTH'] } }, has(({ site }) => site === 'NORTH')],
  ['host', { attempts: { hosts: ['host3', 'host4'] } }, has(({ host = '' }) => host > 'host2')],
  [
    'a code at a site',
    { attempts: { errorCodes: ['LIMIT_1'], sites: ['NORTH'] } },
    has(({ error, site }) => error?.code === 'LIMIT_1' && site === 'NORTH'),
  ],
  ['no condition on attempts', { attempts: { errorCodes: null } }, () => true],
  ['image', { images: ['one.sif'] }, ({ payload }) => payload.image === 'one.sif'],
  ['text of a name', { text: 'STEP 3 [B' }, anyCase('step 3 [b')],
  ['text of an error', { text: '(of "X.Y") on the node' }, anyCase('(of "x.y") on the node')],
  ['text that would match as a pattern', { text: 'step . [ab]' }, () => false],
  [
    'all of them',
    { attempts: { errorFamilies: ['PAYLOAD'], hosts: ['host1'] }, images: ['two.sif'], text: 'step 1' },
    (job) =>
      has(({ error, host }) => error?.family === 'PAYLOAD' && host === 'host1')(job) &&
      job.payload.image === 'two.sif' &&
      anyCase('step 1')(job),
  ],
];

describe('a list of jobs', () => {
  it.each(searches)(
    'has all jobs by %s once, over all pages, with their number',
    async (_name, filter, test) => {
      for (const principal of [everybody, ofAlpha]) {
        const expected = documents.filter(
          (job) =>
            job.state === 'FAILED' && (principal === everybody || job.experiment === 'alpha') && test(job),
        );
        const found: string[] = [];
        let after: string | null = null;
        do {
          const page: Awaited<ReturnType<JobsService['page']>> = await serviceOf(60_000).page(
            principal,
            { ...failed, ...filter },
            { order: 'OLDEST', first: 100, after, projection: { state: 1 } },
          );
          if (after === null) expect(await page.totalCount()).toBe(expected.length);
          found.push(...page.nodes.map(({ _id }) => _id));
          after = page.hasNextPage ? page.pageInfo.endCursor : null;
        } while (after !== null);
        expect(found).toEqual(expected.map(({ _id }) => _id).sort());
      }
    },
  );

  it('reads the jobs of the other conditions alone, in order, and no more than the page needs', async () => {
    const service = serviceOf();
    const examined = async (filter: JobFilterSpec): Promise<number> => {
      const plan = await service.plan(ofAlpha, await service.criteria(filter));
      const [branch = {}, ...others] = plan.branches;
      expect(others).toEqual([]);
      const found = await jobs
        .find(branch as Filter<JobDocument>, { sort: { _id: -1 }, limit: 21, hint: plan.index })
        .explain('executionStats');
      const { executionStats, queryPlanner } = found as { executionStats: Document; queryPlanner: Document };
      expect(JSON.stringify(queryPlanner['winningPlan'])).not.toMatch(/COLLSCAN|"SORT"/);
      return executionStats['totalDocsExamined'] as number;
    };
    const ofState = documents.filter((job) => job.experiment === 'alpha' && job.state === 'FAILED').length;
    expect(await examined({ ...failed, attempts: { errorCodes: ['NEVER'] } })).toBe(ofState);
    expect(await examined({ ...failed, attempts: { sites: ['NORTH'] } })).toBeLessThan(100);
    const [first] = documents.slice(-1);
    expect(await examined({ ids: [first?._id ?? ''], text: 'never' })).toBeLessThanOrEqual(1);
  });

  it.each([
    ['attempts', { attempts: { hosts: ['host1'] } }],
    ['images', { images: ['one.sif'] }],
    ['text', { text: 'step', experiments: ['alpha'] }],
    ['gpuModels', { gpuModels: ['L4'] }],
  ] as const)('is refused by %s without a condition that narrows', async (name, filter) => {
    const request = { order: 'NEWEST', first: 10, projection: {} } as const;
    const message = new RegExp(`^filter\\.${name}: .*ids, taskIds, owners, .*states or createdFrom`);
    await expect(serviceOf().page(everybody, filter, request)).rejects.toThrow(message);
    await expect(
      serviceOf(60_000).page(everybody, { ...filter, createdFrom: start }, request),
    ).resolves.toBeDefined();
  });

  it('is refused if the search takes too long', async () => {
    // Each position of the message matches almost all of the text: a search of many milliseconds.
    const message = `${'a'.repeat(20_000)}c${'b'.repeat(10)}`;
    const attempt = failedAttempt(1, total);
    const error = { family: 'PAYLOAD', code: 'SLOW', message, retryable: false } as const;
    const document = { state: 'FAILED', attempts: [{ ...attempt, error }], attempt: 1 } as const;
    const slow = Array.from({ length: 200 }, (_, at) =>
      aJob(`job_slow${at}`, { experiment: 'gamma', document }),
    );
    await jobs.insertMany(slow, { ordered: false });
    const filter = { ...failed, experiments: ['gamma'], text: `${'a'.repeat(199)}b` };
    const request = { order: 'NEWEST', first: 10, projection: {} } as const;
    await expect(serviceOf(1).page(everybody, filter, request)).rejects.toMatchObject({
      code: 'BAD_USER_INPUT',
      message: expect.stringMatching(/^filter: the search took longer than 1 ms; must have/),
    });
  });

  it.each([
    [{ attempts: { hosts: Array.from({ length: 101 }, String) } }, /^filter\.attempts\.hosts: .*at most 100/],
    [{ images: Array.from({ length: 101 }, String) }, /^filter\.images: .*at most 100/],
    [{ text: '' }, /^filter\.text: .*1 to 200/],
    [{ text: 'x'.repeat(201) }, /^filter\.text: .*1 to 200/],
  ])('is refused with too much of a condition (%#)', async (filter, message) => {
    await expect(serviceOf().criteria(filter)).rejects.toThrow(message);
  });

  it('is empty for an empty list', async () => {
    const service = serviceOf();
    for (const filter of [{ attempts: { hosts: [] } }, { images: [] }, { gpuModels: [] }])
      expect((await service.plan(everybody, await service.criteria(filter))).branches).toEqual([]);
  });
});

describe('the filter of counts and streams', () => {
  it.each([{ text: 'x' }, { images: ['one.sif'] }, { attempts: { hosts: ['host1'] } }])(
    'refuses %j',
    (filter) => {
      expect(() => compileCountFilter(filter, everybody)).toThrow(/^filter\.\w+: /);
      expect(() => compileFilter(filter, everybody)).toThrow(/^filter\.\w+: .*lists of jobs/);
    },
  );
});
