import { describe, expect, it } from '@jest/globals';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { StoredLastEvent } from '../../jobs/model/job.types.js';
import { type EndedRun, endedRun, type RecordCounts, withRun } from './class-record-changes.js';
import { maxHosts } from '../../scheduler/requirements/measured.js';

const none: RecordCounts = { queues: [], hosts: [] };
const run = (change: Partial<EndedRun>): EndedRun => ({
  ...{ token: 't', classId: 'class_1', queue: 'north', site: 'N', host: 'h' },
  ...{ hasFinished: true, seconds: 10 },
  ...change,
});

function event(last: Partial<StoredLastEvent>): JobEvent {
  const run = { classId: 'class_1', queue: 'north', host: 'h', site: 'N', seconds: 12.5 };
  const facts = { owner: 'ada', classId: 'class_1', from: 'RUNNING', to: 'FINISHED', run, ...last };
  return { token: 't', jobId: 'job_1', last: facts as StoredLastEvent };
}

function failure(family: 'PAYLOAD' | 'LIMIT' | 'WORKER', code: string): Partial<StoredLastEvent> {
  return { to: 'FAILED', failure: { family, code, cores: 1, seconds: 1, at: new Date(0) } };
}

describe('endedRun', () => {
  it('counts finished attempts and failures that the place may have caused', () => {
    expect(endedRun(event({}))).toEqual(run({ seconds: 12.5 }));
    expect(endedRun(event(failure('PAYLOAD', 'EXIT_CODE')))).toMatchObject({ hasFinished: false });
  });

  it('counts an attempt to the class that it had, also when its end changed the requirements', () => {
    const changed = { ...failure('PAYLOAD', 'EXIT_CODE'), to: 'ACTIVATED', classId: 'class_2' } as const;
    expect(endedRun(event(changed))).toMatchObject({ classId: 'class_1', hasFinished: false });
  });

  it.each([
    ['of a payload that did not run', { run: { classId: 'class_1', queue: 'north', host: 'h' } }],
    ['of a limit', failure('LIMIT', 'WALLTIME_EXCEEDED')],
    ['of lost contact', failure('WORKER', 'LEASE_LOST')],
    ['of canary jobs', { owner: 'system:canaries' }],
    ['by a cancellation', { to: 'CANCELLED' as const }],
    ['of jobs without such preferences', { run: undefined } as unknown as Partial<StoredLastEvent>],
  ])('leaves out ends %s', (_what, last) => {
    expect(endedRun(event(last))).toBeUndefined();
  });
});

describe('withRun', () => {
  it('adds attempts to their queue and host', () => {
    const runs = [run({}), run({ hasFinished: false, seconds: 99 }), run({ host: 'g', seconds: 5 })];
    expect(runs.reduce(withRun, none)).toEqual({
      queues: [{ queue: 'north', site: 'N', finished: 2, failed: 1, seconds: 15 }],
      hosts: [
        { queue: 'north', host: 'h', finished: 1, failed: 1, seconds: 10 },
        { queue: 'north', host: 'g', finished: 1, failed: 0, seconds: 5 },
      ],
    });
  });

  it('keeps the hosts on which attempts ended last', () => {
    const runs = Array.from({ length: maxHosts }, (_, at) => run({ host: `h${at}` }));
    const { queues, hosts } = [...runs, run({ host: 'h0' }), run({ host: 'another' })].reduce(withRun, none);
    expect(queues).toMatchObject([{ finished: maxHosts + 2 }]);
    expect(hosts).toHaveLength(maxHosts);
    expect(hosts.map(({ host }) => host)).not.toContain('h1');
    expect(hosts.at(-2)).toMatchObject({ host: 'h0', finished: 2 });
  });

  it('keeps hosts with failures longer than those without', () => {
    const bad = run({ host: 'bad', hasFinished: false });
    const runs = Array.from({ length: 2 * maxHosts }, (_, at) => run({ host: `h${at}` }));
    const { hosts } = [bad, ...runs].reduce(withRun, none);
    expect(hosts).toHaveLength(maxHosts);
    expect(hosts[0]).toMatchObject({ host: 'bad', failed: 1 });
  });
});
