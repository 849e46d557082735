import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobLogs } from '../../src/jobs/logs/job-logs.js';
import { jobLogHeadsCollection, jobLogsCollection } from '../../src/jobs/logs/job-log.document.js';
import { JobLogsRepository } from '../../src/jobs/logs/job-logs.repository.js';
import { policyBooks } from '../../src/policies/policy-book.js';
import type { PolicyDocument } from '../../src/policies/policy.document.js';
import { PolicyScopes } from '../../src/policies/policy-scopes.js';
import type { PolicyRule } from '../../src/policies/policy.types.js';
import { SimulationRepository } from '../../src/policies/simulation/simulation.repository.js';
import {
  type Simulation,
  type SimulationLimits,
  SimulationsService,
} from '../../src/policies/simulation/simulations.service.js';
import type { Grant } from '../../src/scheduler/scheduler.types.js';
import { fleetDatabase, startFleet, type TestFleet } from '../support/fleet.fixture.js';
import { storedJobs, submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import { aRule, enabledPolicy } from '../support/policies.fixture.js';
import { aQueue } from '../support/scheduler.fixture.js';

const rules: readonly PolicyRule[] = [
  aRule({
    name: 'memory',
    match: { codes: ['MEMORY_EXCEEDED'] },
    action: { retry: { memory: { factor: 2 } } },
  }),
  aRule({
    name: 'log',
    match: { logPattern: 'No space' },
    action: { retry: { disk: { add: 7 } } },
    maxPerJob: 1,
  }),
  aRule({ name: 'input', match: { codes: ['INPUT'] }, action: { hold: { reason: 'Look' } } }),
];
const ofAlpha = { kind: 'EXPERIMENT', name: 'alpha' } as const;
const policies = new Map<string, PolicyDocument>([enabledPolicy(ofAlpha, { rules })]);

let db: TestDatabase;
let fleet: TestFleet;
let logs: JobLogsRepository;

/** Failures of each job, by code, with the log of the attempt. */
const stories: readonly (readonly (readonly [code: string, log?: string])[])[] = [
  [['MEMORY_EXCEEDED'], ['MEMORY_EXCEEDED']],
  [['EXIT_CODE', 'write: No space left'], ['MEMORY_EXCEEDED'], ['EXIT_CODE', 'No space left']],
  [['INPUT']],
  [['EXIT_CODE', 'all is well']],
  [],
];

beforeAll(async () => {
  db = await fleetDatabase();
  fleet = await startFleet(db, { queues: [aQueue({})], policies });
  logs = new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection));
  for (const [index, story] of stories.entries()) await play(story, index + 2);
});

/** Runs a job on a worker of its own, until its story ends. */
async function play(story: (typeof stories)[number], cores: number): Promise<void> {
  const [id = ''] = await submitJobs(db, 1, { requirements: { cores } });
  const worker = await TestWorker.register(fleet, { cores, host: `host-${cores}` });
  for (const [code, log] of story) {
    const [grant] = await worker.acquire(1, { waitSeconds: 60 });
    expect(grant?.jobId).toBe(id);
    await worker.start([grant as Grant]);
    if (log !== undefined) await append(id, (grant as Grant).attempt, log);
    await worker.fail([grant as Grant], code !== 'EXIT_CODE', { code });
  }
  const [job] = await storedJobs(db, [id]);
  if (job?.state !== 'ACTIVATED') return;
  const [last] = await worker.acquire(1, { waitSeconds: 60 });
  await worker.start([last as Grant]);
  await worker.finish([last as Grant]);
}

async function append(id: string, attempt: number, text: string): Promise<void> {
  const chunk = { sequence: 0, stream: 'STDERR' as const, text, at: systemClock.now() };
  await new JobLogs({ logs }).append(id, attempt, [chunk]);
}

const manager = testPrincipal({ subject: 'manager@example', grants: { alpha: ['PRODUCTION'] } });

function service(limits: Partial<SimulationLimits> = {}): SimulationsService {
  return new SimulationsService({
    repository: { versions: async () => [] },
    jobs: new SimulationRepository(collection(db, jobsCollection)),
    scopes: new PolicyScopes({
      experimentExists: async () => true,
      visibleQueue: async () => ({ experiments: ['alpha'] }),
      visibleQueues: () => ['main'],
      visibleTask: async () => null,
    }),
    books: policyBooks({
      peek: (id) => policies.get(id)?.enabled,
      ofTasks: async () => new Map(),
    }),
    logs,
    queueId: async () => 'queue_1',
    queueName: () => 'main',
    clock: systemClock,
    limits,
  });
}

/** Simulates until the end. @returns the results of all calls */
async function simulate(content: readonly PolicyRule[], limits?: Partial<SimulationLimits>) {
  const simulations = service(limits);
  const calls: Simulation[] = [];
  for (;;) {
    const after = calls.at(-1)?.endCursor;
    const input = { scope: ofAlpha, content: { rules: content }, days: 7, after };
    const { simulation, userErrors } = await simulations.simulate(manager, input);
    expect(userErrors).toEqual([]);
    if (!simulation) throw new Error('nothing was simulated');
    calls.push(simulation);
    if (simulation.status !== 'RUNNING') return calls;
  }
}

describe('simulatePolicy', () => {
  it('gives what happened, for the policy that decided', async () => {
    const [simulation] = await simulate(rules);
    expect(simulation).toMatchObject({
      status: 'COMPLETE',
      endCursor: null,
      totals: {
        // The rule with a pattern also needs the log of the failure with INPUT, which has none.
        ...{ scannedJobs: 5, failedJobs: 4, failedAttempts: 7, changedJobs: 0, attemptsWithoutLog: 1 },
        ...{ stoppedJobs: 0, continuedJobs: 0, resizedJobs: 0, savedCoreSeconds: 0, addedCoreSeconds: 0 },
        rules: [
          { name: 'memory', jobs: 2, retried: 3, failed: 0, held: 0, effects: 0 },
          { name: 'log', jobs: 1, retried: 1, failed: 0, held: 0, effects: 0 },
          { name: 'input', jobs: 1, retried: 0, failed: 0, held: 1, effects: 0 },
        ],
        samples: [],
      },
    });
  });

  it('gives what another policy would have changed', async () => {
    const [simulation] = await simulate([
      aRule({ name: 'never', match: { codes: ['MEMORY_EXCEEDED'] }, action: { fail: { reason: 'No' } } }),
      aRule({
        name: 'always',
        match: { codes: ['INPUT', 'EXIT_CODE'] },
        action: { retry: { maxAttempts: 9 } },
      }),
    ]);
    // The first job is stopped. The second is retried without more disk, then stopped. Two are continued.
    expect(simulation?.totals).toMatchObject({
      ...{ changedJobs: 4, stoppedJobs: 2, stoppedFinishedJobs: 1, continuedJobs: 2, resizedJobs: 1 },
      rules: [
        { name: 'never', jobs: 2, failed: 2 },
        { name: 'always', jobs: 3, retried: 3 },
      ],
    });
    expect(simulation?.totals.savedCoreSeconds).toBeGreaterThan(0);
    expect(simulation?.totals.samples).toHaveLength(4);
  });

  it('is the same in one call and in many', async () => {
    const [whole] = await simulate(rules);
    const calls = await simulate(rules, { callMs: 0, page: 1 });
    expect(calls.map(({ status }) => status)).toEqual([...stories.map(() => 'RUNNING'), 'COMPLETE']);
    expect(calls.at(-1)?.totals).toEqual(whole?.totals);
  });

  it('ends at its limit, and says what it covers', async () => {
    const [limited] = await simulate(rules, { page: 1, attempts: 1 });
    expect(limited).toMatchObject({ status: 'LIMIT_REACHED', endCursor: null });
    expect(limited?.coverage).toMatch(/Older jobs are not covered: the limit is reached\.$/);
    expect(limited?.totals.scannedJobs).toBeLessThan(stories.length);
  });

  it('refuses the cursor of another simulation', async () => {
    const simulations = service({ callMs: 0, page: 1 });
    const input = { scope: ofAlpha, content: { rules }, days: 7 };
    const { simulation } = await simulations.simulate(manager, input);
    const other = { ...input, days: 8, after: simulation?.endCursor };
    await expect(simulations.simulate(manager, other)).rejects.toMatchObject({ code: 'CURSOR_INVALID' });
  });

  it('covers the jobs that were in the queue last, for the policy of a queue', async () => {
    const operator = testPrincipal({ subject: 'operator@example', grants: { alpha: ['OPERATOR'] } });
    const input = { scope: { kind: 'QUEUE', name: 'main' } as const, content: { rules }, days: 7 };
    const { simulation } = await service().simulate(operator, input);
    expect(simulation?.totals).toMatchObject({ scannedJobs: 5, failedAttempts: 7 });
    expect(simulation?.coverage).toContain('jobs whose latest attempt was in the queue');
  });

  it('leaves out the jobs of experiments that the caller may not read', async () => {
    const key = { queueId: 'queue_1' };
    const range = { from: new Date(0), since: new Date(0) };
    const repository = new SimulationRepository(collection(db, jobsCollection));
    expect((await repository.page({ key, ...range, experiments: ['beta'] }, 10)).jobs).toEqual([]);
    expect((await repository.page({ key, ...range, experiments: ['alpha'] }, 10)).jobs).toHaveLength(4);
  });
});
