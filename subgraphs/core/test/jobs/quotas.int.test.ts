import { beforeAll, describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { aSpec, freshKey, someone, testDomain, type TestProcess } from '../support/job-domain.fixture.js';

// Limits of live jobs with a store; the rules themselves are in live-quota.test.ts.

let process: TestProcess;
let other: TestProcess;

beforeAll(async () => {
  const shared = await testDomain('quotas');
  const quotas = { liveJobsPerOwner: 20, liveBytesPerOwner: 20_000 };
  process = await shared.process({ quotas });
  other = await shared.process({ quotas, leads: false });
});

const submit = (by: TestProcess, experiment: 'alpha' | 'beta', jobs: number, command = '/bin/true') =>
  by.domain.submits.submit(someone, {
    experiment,
    idempotencyKey: freshKey(),
    jobs: Array.from({ length: jobs }, () => aSpec({ payload: { command } })),
  });

describe('limits of live jobs', () => {
  it('refuses jobs and tasks beyond them, and counts what the store has from another process', async () => {
    await submit(process, 'alpha', 15);
    const code = 'LIMIT_EXCEEDED';
    const field = 'quotas.liveJobsPerOwner';
    await expect(submit(process, 'alpha', 6)).rejects.toMatchObject({ code, details: { field, value: 21 } });
    await expect(submit(other, 'alpha', 6)).rejects.toMatchObject({ code, details: { field, value: 21 } });
    const task = { experiment: 'alpha', idempotencyKey: 'a task', name: 'task', template: aSpec(), count: 6 };
    await expect(other.domain.tasks.submit(someone, task)).rejects.toMatchObject({
      code,
      details: { field },
    });
    expect((await submit(other, 'alpha', 5)).jobs).toHaveLength(5);
  });

  it('counts the jobs of linked identities once for their person', async () => {
    const two = createPrincipal({ ...someone, subject: 'usr_second', linked: [someone.subject] });
    const task = { experiment: 'alpha', idempotencyKey: 'second', name: 'task', template: aSpec(), count: 1 };
    // The first identity has as many live jobs as it may have.
    await expect(other.domain.tasks.submit(two, task)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const alone = createPrincipal({ ...someone, subject: 'usr_second' });
    expect(await other.domain.tasks.submit(alone, task)).toMatchObject({ task: { owner: 'usr_second' } });
  });

  it('counts bytes of payloads, by experiment', async () => {
    await submit(process, 'beta', 1, 'x'.repeat(4000));
    await expect(submit(other, 'beta', 5, 'x'.repeat(4000))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      details: { field: 'quotas.liveBytesPerOwner', expected: 'at most 20000' },
    });
  });

  it('does not count bytes of jobs that it refuses', async () => {
    const refused = aSpec({ name: '', payload: { command: '/bin/true', arguments: ['x'.repeat(17_000)] } });
    const input = { experiment: 'beta', idempotencyKey: 'partly refused', jobs: [aSpec(), refused] };
    const { jobs } = await process.domain.submits.submit(someone, input);
    expect(jobs.map((job) => job !== null)).toEqual([true, false]);
  });

  it('answers a repeated submit although the limit is reached', async () => {
    const input = { experiment: 'beta', idempotencyKey: 'again', jobs: [aSpec()] };
    const first = await process.domain.submits.submit(someone, input);
    await expect(submit(process, 'beta', 20)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const again = await process.domain.submits.submit(someone, input);
    expect(again.jobs.map((job) => job?._id)).toEqual(first.jobs.map((job) => job?._id));
  });
});
