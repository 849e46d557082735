import { describe, expect, it } from '@jest/globals';
import type { JobState } from '../../jobs/model/job-state.js';
import type { StoredAttempt } from '../../jobs/model/job.types.js';
import type { AdoptableJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import { type Holder, planAdoption } from './adoption-rules.js';

const at = (second: number): Date => new Date(second * 1000);

const holder: Holder = {
  workerId: 'w1',
  queueId: 'q1',
  queue: 'main',
  actor: 'pilot:main',
  mayAdopt: true,
  continues: () => false,
};

function attempt(change: Partial<StoredAttempt> = {}): StoredAttempt {
  return {
    number: 1,
    id: 'attempt_1',
    workerId: 'w1',
    queueId: 'q1',
    fence: 8,
    deviceIds: [],
    sentAt: at(0),
    ...change,
  };
}

/** An attempt of w1 that was given away while it was in a state. */
const givenAway = (state: JobState = 'RUNNING'): StoredAttempt =>
  attempt({ endedAt: at(700), outcome: 'FAILED', unreachable: { since: at(100), state, queue: 'main' } });

function job(change: Partial<AdoptableJob> = {}): AdoptableJob {
  return {
    _id: 'job_1',
    state: 'ACTIVATED',
    fence: 9,
    attempt: 1,
    attempts: [givenAway()],
    workerId: 'w1',
    queue: 'main',
    last: {},
    ...change,
  };
}

const held = { id: 'job_1', fence: 8 };
const plan = (stored: AdoptableJob | undefined, who: Partial<Holder> = {}, now = at(800)) =>
  planAdoption({ ...holder, ...who }, held, stored, now);

describe('planAdoption', () => {
  it('says nothing about a job that the worker has', () => {
    expect(plan(job({ state: 'RUNNING', fence: 8, attempts: [attempt()] })).kind).toBe('keep');
  });

  it.each(['ACTIVATED', 'THROTTLED', 'PENDING'] as const)(
    'gives a job that waits as %s back to the worker of its last attempt',
    (state) => {
      expect(plan(job({ state }))).toMatchObject({
        kind: 'adopt',
        request: {
          from: state,
          to: 'RUNNING',
          fence: 9,
          adoption: { attempt: 1, workerId: 'w1', earlierFence: 8 },
        },
      });
    },
  );

  it.each([
    ['SENT', 'STARTING'],
    ['STARTING', 'STARTING'],
    ['RUNNING', 'RUNNING'],
    ['HOLDING', 'HOLDING'],
    ['TRANSFERRING', 'TRANSFERRING'],
  ] as const)('returns a job that was %s to its worker as %s', (before, after) => {
    expect(plan(job({ attempts: [givenAway(before)] }))).toMatchObject({ request: { to: after } });
  });

  it('replaces a grant that its worker has not begun', () => {
    const sent = attempt({ number: 2, id: 'attempt_2', workerId: 'w2', fence: 16 });
    const stored = job({
      state: 'SENT',
      fence: 16,
      attempt: 2,
      workerId: 'w2',
      queue: 'other',
      attempts: [givenAway(), sent],
    });
    expect(plan(stored)).toMatchObject({
      kind: 'adopt',
      request: { from: 'SENT', to: 'RUNNING', fence: 16, adoption: { attempt: 1, queue: 'main' } },
    });
  });

  it.each(['STARTING', 'RUNNING', 'HOLDING', 'TRANSFERRING'] as const)(
    'drops the old attempt when the newer one is %s',
    (state) => {
      const newer = attempt({ number: 2, workerId: 'w2', fence: 16 });
      const stored = job({ state, fence: 16, attempt: 2, workerId: 'w2', attempts: [givenAway(), newer] });
      expect(plan(stored)).toMatchObject({ kind: 'drop', superseded: { number: 1 } });
    },
  );

  describe('after later attempts', () => {
    const error = { family: 'WORKER', code: 'GRANT_LOST', message: 'not received', retryable: true } as const;
    const ended = { workerId: 'w2', fence: 16, endedAt: at(750), outcome: 'FAILED' } as const;
    const grantLost = attempt({ ...ended, number: 2, error });
    const sentAway = (state: JobState): StoredAttempt =>
      attempt({ ...ended, number: 2, unreachable: { since: at(740), state, queue: 'main' } });
    const current = attempt({ number: 3, workerId: 'w3', fence: 24 });

    it.each([
      ['its worker did not receive', grantLost],
      ['was given away while SENT', sentAway('SENT')],
    ])('continues the attempt if the later one %s', (_what, later) => {
      const waiting = job({ attempt: 2, fence: 17, attempts: [givenAway(), later] });
      expect(plan(waiting)).toMatchObject({ kind: 'adopt', request: { adoption: { attempt: 1 } } });
      const attempts = [givenAway(), later, current];
      const sent = job({ state: 'SENT', attempt: 3, fence: 24, workerId: 'w3', attempts });
      expect(plan(sent)).toMatchObject({ kind: 'adopt', request: { from: 'SENT', fence: 24 } });
    });

    it.each([
      ['had begun', sentAway('STARTING')],
      ['had run', { ...grantLost, startedAt: at(720) }],
    ])('drops the attempt if the later one %s', (_what, later) => {
      expect(plan(job({ attempt: 2, fence: 17, attempts: [givenAway(), later] })).kind).toBe('drop');
      const attempts = [givenAway(), later, current];
      const sent = job({ state: 'SENT', attempt: 3, fence: 24, workerId: 'w3', attempts });
      expect(plan(sent)).toMatchObject({ kind: 'drop', reason: 'another attempt has begun' });
    });
  });

  it('drops an attempt before the last one', () => {
    const failed = attempt({ number: 2, workerId: 'w2', fence: 16, endedAt: at(750), outcome: 'FAILED' });
    expect(plan(job({ attempt: 2, fence: 16, attempts: [givenAway(), failed] })).kind).toBe('drop');
  });

  it('drops an attempt whose time is over, and one that stopped with the lease', () => {
    expect(plan(job(), {}, at(100 + 86_401)).kind).toBe('drop');
    expect(plan(job({ attempts: [attempt({ endedAt: at(700), outcome: 'FAILED' })] })).kind).toBe('drop');
  });

  it('kills the payload of a job that was cancelled while the worker had it, and drops other ends', () => {
    expect(plan(job({ state: 'CANCELLED', fence: 9 })).kind).toBe('kill');
    expect(plan(job({ state: 'CANCELLED', fence: 10 })).kind).toBe('drop');
    expect(plan(job({ state: 'FINISHED', fence: 16, attempt: 2 })).kind).toBe('drop');
    expect(plan(undefined).kind).toBe('drop');
  });

  it('repeats the new fence to a worker that has not heard of it', () => {
    const adopted = attempt({ fence: 24, earlierFence: 8 });
    expect(plan(job({ state: 'RUNNING', fence: 24, attempts: [adopted] }))).toEqual({
      kind: 'adopted',
      newFence: 24,
    });
  });

  it('keeps the fence that the worker names if it has not heard of a newer one', () => {
    const twice = { ...givenAway(), fence: 24, earlierFence: 8 };
    expect(plan(job({ fence: 25, attempts: [twice] }))).toMatchObject({
      kind: 'adopt',
      request: { adoption: { earlierFence: 8 } },
    });
  });

  describe('for the pilot of an earlier worker', () => {
    const later = { workerId: 'w9', continues: (id: string) => id === 'w1' };

    it('continues attempts that core has not given away yet', () => {
      const stored = job({ state: 'RUNNING', fence: 8, attempts: [attempt()] });
      expect(plan(stored, later)).toMatchObject({
        kind: 'adopt',
        request: { from: 'RUNNING', to: 'RUNNING', fence: 8, adoption: { workerId: 'w9', earlierFence: 8 } },
      });
    });

    it('continues attempts that were given away', () => {
      expect(plan(job(), later)).toMatchObject({ kind: 'adopt', request: { adoption: { workerId: 'w9' } } });
    });

    it('refuses the attempts of other workers', () => {
      expect(plan(job(), { workerId: 'w9' }).kind).toBe('drop');
    });
  });

  it('refuses a caller that is not the pilot of the worker', () => {
    expect(plan(job(), { mayAdopt: false }).kind).toBe('drop');
  });
});
