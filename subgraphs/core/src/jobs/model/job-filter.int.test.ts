import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { seededRandom, testDatabase, testPrincipal } from '@rhizome/testkit';
import type { Collection, Document, Filter } from 'mongodb';
import { aJob } from '../../../test/support/job.fixture.js';
import { jobsCollection } from './job.document.js';
import { batchJobIds } from './job-ids.js';
import { jobStates, type JobState } from './job-state.js';
import type { JobDocument } from './job.types.js';
import { JobsRepository } from './jobs.repository.js';
import { JobsService, type JobFilterSpec } from '../jobs.service.js';

const total = 100_000;
const start = new Date('2030-01-01T00:00:00Z');
const experiments = ['alpha', 'beta', 'gamma', 'delta'];
const minute = 60_000;

let jobs: Collection<JobDocument>;
let service: JobsService;

interface Facts {
  readonly id: string;
  readonly experiment: string;
  readonly owner: string;
  readonly share: string;
  readonly run: string;
  readonly taskId: string | undefined;
  readonly queue: string | undefined;
  readonly state: JobState;
  readonly createdAt: Date;
}

const random = seededRandom(7);
const oneOf = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

/** Jobs in batches of 1,000, one batch per minute, with random values in each dimension. */
const facts: readonly Facts[] = numbers(total / 1000).flatMap((batch) => {
  const createdAt = new Date(start.getTime() + batch * minute);
  const idAt = batchJobIds(`batch ${batch}`, createdAt);
  return numbers(1000).map((at) => {
    const experiment = oneOf(experiments);
    return {
      id: idAt(at),
      experiment,
      owner: `owner ${oneOf(numbers(9))} of ${experiment}`,
      share: `${experiment}/leaf${oneOf(numbers(4))}`,
      run: String(oneOf(numbers(50))),
      taskId: random() < 0.5 ? `task_${experiment}_${oneOf(numbers(20))}` : undefined,
      queue: random() < 0.4 ? `q${oneOf(numbers(5))}` : undefined,
      state: oneOf(jobStates),
      createdAt,
    };
  });
});

function documentOf({
  id,
  experiment,
  owner,
  share,
  run,
  taskId,
  queue,
  state,
  createdAt,
}: Facts): JobDocument {
  const task = taskId === undefined ? {} : { task: { id: taskId, index: 0 } };
  const document = { state, ...(queue === undefined ? {} : { queue, queueId: `queue_${queue.slice(1)}` }) };
  return aJob(
    id,
    { createdAt, experiment, owner, share, labels: [{ key: 'run', value: run }], ...task, document },
    createdAt,
  );
}

beforeAll(async () => {
  const db = await testDatabase('filter');
  await ensureCollections(db, [jobsCollection]);
  jobs = collection(db, jobsCollection);
  for (let from = 0; from < total; from += 10_000) {
    await jobs.insertMany(facts.slice(from, from + 10_000).map(documentOf), {
      ordered: false,
      writeConcern: { w: 1, journal: false },
    });
  }
  service = new JobsService({
    jobs: new JobsRepository(jobs),
    experiments: { find: async () => null, names: async () => experiments },
    queues: { idOf: async (name) => (/^q\d$/.test(name) ? `queue_${name.slice(1)}` : null) },
    access: { allows: () => false },
  });
});

const created = {
  createdFrom: new Date(start.getTime() + 40 * minute),
  createdBefore: new Date(start.getTime() + 60 * minute),
};
const singles: readonly [string, JobFilterSpec][] = [
  ['nothing', {}],
  ['ids', { ids: facts.filter((_, at) => at % 100 === 0).map(({ id }) => id) }],
  ['one experiment', { experiments: ['beta'] }],
  ['two experiments', { experiments: ['beta', 'delta'] }],
  ['task', { taskIds: ['task_gamma_4'] }],
  ['owner', { owners: ['owner 3 of alpha'] }],
  ['queue', { queues: ['q2'] }],
  ['one state', { states: ['RUNNING'] }],
  ['several states', { states: ['RUNNING', 'FAILED', 'FINISHED'] }],
  ['share', { shares: ['alpha/leaf3'] }],
  ['label', { labels: [{ key: 'run', value: '17' }] }],
  ['created', created],
];
const pairs: readonly [string, JobFilterSpec][] = [
  ['experiment and state', { experiments: ['gamma'], states: ['FAILED'] }],
  ['tasks', { taskIds: ['task_gamma_4', 'task_alpha_2', 'task_gamma_5'] }],
  ['owners', { owners: ['owner 3 of alpha', 'owner 1 of gamma'] }],
  ['queues and states', { queues: ['q1', 'q2'], states: ['RUNNING', 'FAILED'] }],
  ['shares', { shares: ['alpha/leaf3', 'gamma/leaf1'] }],
  [
    'labels',
    {
      labels: [
        { key: 'run', value: '17' },
        { key: 'run', value: '18' },
      ],
    },
  ],
  ['task and state', { taskIds: ['task_gamma_4'], states: ['RUNNING', 'SENT'] }],
  ['queue and state', { queues: ['q2'], states: ['RUNNING'] }],
  ...singles
    .slice(1, -1)
    .map(([name, filter]): [string, JobFilterSpec] => [`${name} and created`, { ...filter, ...created }]),
];
const everybody = testPrincipal();
const some = testPrincipal({ grants: { alpha: 'READER', gamma: 'READER' } });
/**
 * A principal without access to the experiment of the owner, task, share and label reads none of their jobs.
 */
const stranger = testPrincipal({ grants: { epsilon: 'READER' } });

function stagesOf(plan: Document | undefined): string[] {
  if (!plan) return [];
  const inner = [plan['inputStage'], ...((plan['inputStages'] as Document[] | undefined) ?? [])].filter(
    Boolean,
  ) as Document[];
  return [String(plan['stage']), ...inner.flatMap(stagesOf)];
}

async function explain(
  filter: Filter<JobDocument>,
  direction: 1 | -1,
  limit: number,
  hint: string,
): Promise<{ stages: string[]; examined: number; returned: number }> {
  const found = await jobs.find(filter, { sort: { _id: direction }, limit, hint }).explain('executionStats');
  const { executionStats, queryPlanner } = found as { executionStats: Document; queryPlanner: Document };
  return {
    stages: stagesOf(queryPlanner['winningPlan'] as Document),
    examined: executionStats['totalDocsExamined'] as number,
    returned: executionStats['nReturned'] as number,
  };
}

describe.each([
  ['a reader of all experiments', everybody],
  ['a reader of two experiments', some],
])('for %s', (_who, principal) => {
  it.each([...singles, ...pairs])(
    'reads jobs by %s from an index, in order, and few other jobs',
    async (_name, filter) => {
      const plan = await service.plan(principal, await service.criteria(filter));
      for (const direction of [1, -1] as const) {
        for (const branch of plan.branches) {
          const { stages, examined, returned } = await explain(
            branch as Filter<JobDocument>,
            direction,
            51,
            plan.index,
          );
          expect(stages).not.toContain('COLLSCAN');
          expect(stages).not.toContain('SORT');
          expect(examined).toBeLessThanOrEqual(10 * returned + 100);
          expect(returned).toBeGreaterThan(0);
        }
      }
    },
  );

  it.each([...singles, ...pairs])('returns all jobs by %s once over all pages', async (_name, filter) => {
    const {
      ids,
      experiments: wanted,
      taskIds,
      owners,
      queues,
      states,
      shares,
      labels,
      createdFrom,
      createdBefore,
    } = filter;
    const visible = principal === some ? ['alpha', 'gamma'] : experiments;
    const idSet = ids ? new Set(ids) : undefined;
    const matches = (job: Facts): boolean =>
      visible.includes(job.experiment) &&
      (!idSet || idSet.has(job.id)) &&
      (!wanted || wanted.includes(job.experiment)) &&
      (!taskIds || taskIds.includes(job.taskId ?? '')) &&
      (!owners || owners.includes(job.owner)) &&
      (!queues || queues.includes(job.queue ?? '')) &&
      (!states || states.includes(job.state)) &&
      (!shares || shares.includes(job.share)) &&
      (!labels || labels.some(({ value }) => value === job.run)) &&
      (!createdFrom ||
        (job.createdAt >= createdFrom && createdBefore != null && job.createdAt < createdBefore));
    const newest = facts
      .filter(matches)
      .map(({ id }) => id)
      .sort()
      .reverse();
    const found: string[] = [];
    let after: string | null = null;
    let hasNextPage = true;
    while (hasNextPage && found.length < 300) {
      const page: Awaited<ReturnType<JobsService['page']>> = await service.page(principal, filter, {
        order: 'NEWEST',
        first: 100,
        after,
        projection: { state: 1 },
      });
      found.push(...page.nodes.map(({ _id }) => _id));
      after = page.pageInfo.endCursor;
      hasNextPage = page.hasNextPage;
    }
    expect(found).toEqual(newest.slice(0, 300));
    expect(hasNextPage).toBe(newest.length > 300);
  });
});

describe('limits', () => {
  it.each([singles[4], singles[5], singles[9], singles[10]].flatMap((single) => (single ? [single] : [])))(
    'reads few jobs by %s for a principal without access',
    async (_name, filter) => {
      const plan = await service.plan(stranger, await service.criteria(filter));
      for (const branch of plan.branches) {
        const { examined, returned } = await explain(branch as Filter<JobDocument>, -1, 51, plan.index);
        expect(returned).toBe(0);
        expect(examined).toBeLessThanOrEqual(filter.taskIds ? 1000 : 100);
      }
    },
  );

  it('refuses GPU models alone, which have no index, and matches nothing for an empty list', async () => {
    const plan = async (filter: JobFilterSpec) => service.plan(everybody, await service.criteria(filter));
    await expect(plan({ gpuModels: ['NVIDIA L4'] })).rejects.toThrow(
      /^filter\.gpuModels: .*ids, taskIds, owners/,
    );
    expect((await plan({ gpuModels: ['NVIDIA L4'], queues: ['q2'] })).branches).toHaveLength(1);
    expect((await plan({ shares: [] })).branches).toEqual([]);
    await expect(plan({ owners: Array.from({ length: 101 }, String) })).rejects.toThrow(
      /^filter\.owners: .*at most 100/,
    );
  });

  it('splits a filter with many experiments into several queries and merges them in order', async () => {
    const many = Array.from({ length: 40 }, (_, at) => `x${at}`);
    const crowd = new JobsService({
      jobs: new JobsRepository(jobs),
      experiments: { find: async () => null, names: async () => [...many, ...experiments] },
      queues: { idOf: async () => null },
      access: { allows: () => false },
    });
    const states = jobStates.filter((state): state is JobState => state !== 'CLOSED');
    const plan = await crowd.plan(everybody, await crowd.criteria({ states }));
    expect(plan.branches.length).toBeGreaterThan(1);
    const page = await crowd.page(
      everybody,
      { states },
      { order: 'OLDEST', first: 100, projection: { state: 1 } },
    );
    const alone = await jobs
      .find({ state: { $ne: 'CLOSED' } }, { sort: { _id: 1 }, limit: 100, projection: { _id: 1 } })
      .toArray();
    expect(page.nodes.map(({ _id }) => _id)).toEqual(alone.map(({ _id }) => _id));
    expect(page.hasNextPage).toBe(true);
  });

  it('returns an empty page for a queue, experiment or state without jobs', async () => {
    for (const filter of [
      { queues: ['nowhere'] },
      { experiments: [] },
      { states: [] },
      { experiments: ['beta'] },
    ]) {
      const page = await service.page(testPrincipal({ grants: { alpha: 'READER' } }), filter, {
        order: 'NEWEST',
        first: 10,
        projection: {},
      });
      expect(page).toMatchObject({ nodes: [], hasNextPage: false, pageInfo: { endCursor: null } });
    }
  });

  it.each([
    [{ first: 0 }, 'BAD_USER_INPUT'],
    [{ first: 101 }, 'BAD_USER_INPUT'],
    [{ after: 'junk' }, 'CURSOR_INVALID'],
  ])('refuses %j', async (over, code) => {
    await expect(
      service.page(everybody, {}, { order: 'NEWEST', first: 10, projection: {}, ...over }),
    ).rejects.toMatchObject({ code });
  });

  it('finds backoffs and awaited parents without reading other jobs', async () => {
    await jobs.insertMany([
      aJob('job_backoff', {
        document: { state: 'PENDING', lookup: ['b:2030-01-01T00:00:00.000Z'], notBefore: start },
      }),
      aJob('job_child', { waitingFor: ['job_parent'] }),
    ]);
    const repository = new JobsRepository(jobs);
    // The profiler of this database: counters of the server would include what other tests read.
    const examined = async (run: () => Promise<unknown>): Promise<number> => {
      const { db } = jobs;
      await db.setProfilingLevel('all');
      await run();
      await db.setProfilingLevel('off');
      const profile = db.collection<{ keysExamined: number; docsExamined: number }>('system.profile');
      const reads = await profile.find({ ns: jobs.namespace, op: { $in: ['query', 'getmore'] } }).toArray();
      await profile.drop();
      expect(reads).not.toHaveLength(0);
      return reads.reduce((sum, { keysExamined, docsExamined }) => sum + keysExamined + docsExamined, 0);
    };
    let next: Date | null = null;
    const parents: string[] = [];
    expect(await examined(async () => (next = await repository.nextBackoff()))).toBeLessThan(1000);
    expect(next).toEqual(start);
    expect((await repository.dueBackoffs(start, 10)).map(({ _id }) => _id)).toEqual(['job_backoff']);
    const read = async (): Promise<void> => {
      for await (const some of repository.awaitedParents()) parents.push(...some);
    };
    expect(await examined(read)).toBeLessThan(1000);
    expect(parents).toEqual(['job_parent']);
  });

  it('keeps jobs at no more than eight indexes', async () => {
    expect((await jobs.indexes()).length).toBeLessThanOrEqual(8);
  });
});
