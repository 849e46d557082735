import { describe, expect, it } from '@jest/globals';
import type { StoredCanary } from '../../queues/queue.document.js';
import {
  type CanaryJob,
  canaryJob,
  currentCanary,
  healthOf,
  isObsolete,
  noCanaries,
  runsDue,
  settingsDigest,
  withoutOldProblems,
  withResults,
  withSubmit,
} from './canary-plan.js';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import type { CanaryDocument, CanaryProblem, CanaryResult, CanaryRun } from './canary.document.js';

const begin = new Date('2026-03-01T12:00:00Z');
const after = (seconds: number): Date => new Date(begin.getTime() + seconds * 1000);
const settings: StoredCanary = {
  ...{ experiment: 'alpha', share: 'alpha/default', intervalSeconds: 600, command: 'true', arguments: [] },
  ...{ cores: 1, memoryMiB: 512, walltimeSeconds: 600 },
};
const current = currentCanary(settings);
const other = { ...settings, command: 'false' };
const aProblem = (change: Partial<CanaryProblem> = {}): CanaryProblem => ({
  ...{ message: 'share: "alpha/gone" is not known', at: begin, settings: settingsDigest(settings) },
  ...change,
});
const aRun = (change: Partial<CanaryRun> = {}): CanaryRun => ({ key: 'key', at: begin, settings, ...change });
const aDocument = (change: Partial<CanaryDocument> = {}): CanaryDocument => ({
  ...noCanaries('queue_1', begin),
  ...change,
});
const hostsOf = (runs: readonly CanaryRun[]) => runs.map(({ host }) => host);

describe('runsDue', () => {
  it('begins a job at once, and the next when the interval is over and the first has ended', () => {
    expect(hostsOf(runsDue(aDocument(), settings, [], begin))).toEqual([undefined]);
    const latest = { latestAt: begin };
    expect(runsDue(aDocument(latest), settings, [], after(599))).toEqual([]);
    expect(hostsOf(runsDue(aDocument(latest), settings, [], after(600)))).toEqual([undefined]);
    expect(runsDue(aDocument({ ...latest, open: [aRun()] }), settings, [], after(600))).toEqual([]);
  });

  it('begins the tests of hosts at the same time', () => {
    expect(hostsOf(runsDue(aDocument({ latestAt: begin }), settings, ['a', 'b'], after(1)))).toEqual([
      'a',
      'b',
    ]);
    expect(hostsOf(runsDue(aDocument(), settings, ['a'], after(1)))).toEqual([undefined, 'a']);
  });

  it('gives each job a key of its own', () => {
    const keys = runsDue(aDocument(), settings, ['a', 'b'], begin).map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    const later = runsDue(aDocument({ revision: 1 }), settings, ['a'], begin).map(({ key }) => key);
    expect(later.some((key) => keys.includes(key))).toBe(false);
  });

  it('tries a refused job again after a minute, whatever happens to tests of hosts', () => {
    const refused = aDocument({ problem: aProblem() });
    expect(runsDue(refused, settings, [], after(59))).toEqual([]);
    expect(hostsOf(runsDue(refused, settings, [], after(60)))).toEqual([undefined]);
    const accepted = aDocument({ latestAt: begin, hostProblem: aProblem() });
    expect(runsDue(accepted, settings, [], after(599))).toEqual([]);
  });
});

describe('withSubmit', () => {
  const [run, ofHost] = [aRun(), aRun({ key: 'other', host: 'a' })];
  const document = aDocument({ open: [run, ofHost], latestAt: begin });
  const refusal = { refusal: 'LIMIT_EXCEEDED: too many live jobs' };

  it('keeps errors of tests of hosts apart from those of the others', () => {
    const both = withSubmit(
      withSubmit(document, run, refusal, current, begin),
      ofHost,
      refusal,
      current,
      begin,
    );
    const problem = aProblem({ message: refusal.refusal });
    expect(both).toMatchObject({ open: [], problem, hostProblem: problem });
    const accepted = withSubmit({ ...both, open: [ofHost] }, ofHost, { jobId: 'job_2' }, current, begin);
    expect(accepted).toMatchObject({ open: [{ key: 'other', jobId: 'job_2' }], problem });
    expect(accepted).not.toHaveProperty('hostProblem');
  });

  it('drops a refused run of former settings without a problem, and begins again at once', () => {
    const next = withSubmit(document, run, refusal, currentCanary(other), begin);
    expect(next.open).toEqual([ofHost]);
    expect(next).not.toHaveProperty('problem');
    expect(hostsOf(runsDue(next, other, [], begin))).toEqual([undefined]);
  });
});

describe('withoutOldProblems', () => {
  const document = aDocument({ problem: aProblem(), hostProblem: aProblem() });

  it('keeps those of the present settings', () => {
    expect(withoutOldProblems(document, currentCanary({ ...settings, intervalSeconds: 60 }), begin)).toBe(
      document,
    );
  });

  it.each([
    ['without canary jobs', undefined],
    ['with other canary jobs', currentCanary(other)],
  ])('leaves out those of a queue %s', (_name, now) => {
    const next = withoutOldProblems(document, now, begin);
    expect(next.revision).toBe(document.revision + 1);
    expect(next).not.toHaveProperty('problem');
    expect(next).not.toHaveProperty('hostProblem');
  });
});

describe('canaryJob', () => {
  it('names the queue, and the host that it tests', () => {
    const { requirements, retry } = canaryJob(aRun({ host: 'node "7"' }), 'north');
    expect(requirements).toMatchObject({ queue: 'north', selector: 'worker.host == "node \\"7\\""' });
    expect(retry).toEqual({ maxAttempts: 1 });
    expect(canaryJob(aRun(), 'north').requirements?.selector).toBeUndefined();
  });
});

const aJob = (state: CanaryJob['state'], change: Partial<CanaryJob> = {}): CanaryJob => ({
  ...{ _id: 'job_1', state, stateTimes: { [state]: after(30) }, transitions: [] },
  attempts: [{ startedAt: after(10), host: 'a' } as CanaryJob['attempts'][number]],
  ...change,
});
const settled = (job: CanaryJob | undefined, run = aRun({ jobId: 'job_1' })): CanaryDocument =>
  withResults(aDocument({ open: [run] }), new Map(job ? [[job._id, job]] : []), after(40));

describe('withResults', () => {
  it('records the end of a job once', () => {
    const after1 = settled(aJob('FINISHED'));
    expect(after1).toMatchObject({
      open: [],
      results: [{ jobId: 'job_1', outcome: 'SUCCEEDED', host: 'a', runSeconds: 20 }],
      hostResults: [],
    });
    expect(withResults(after1, new Map([['job_1', aJob('FINISHED')]]), after(50))).toBe(after1);
  });

  it('records the code of a failure', () => {
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1', retryable: true } as const;
    expect(settled(aJob('FAILED', { error })).results).toMatchObject([
      { outcome: 'FAILED', code: 'EXIT_CODE' },
    ]);
    expect(settled(aJob('CLOSED')).results).toMatchObject([{ outcome: 'CANCELLED' }]);
  });

  it('leaves runs open that are not submitted or have not ended, and drops those without a job', () => {
    expect(settled(aJob('RUNNING')).open).toHaveLength(1);
    expect(settled(undefined, aRun()).open).toHaveLength(1);
    expect(settled(undefined)).toMatchObject({ open: [], results: [], hostResults: [] });
  });

  it('keeps the latest test of each host apart from the other results', () => {
    const run = aRun({ jobId: 'job_1', host: 'a' });
    const once = settled(aJob('FAILED'), run);
    expect(once).toMatchObject({ open: [], results: [], hostResults: [{ host: 'a', outcome: 'FAILED' }] });
    const again = withResults({ ...once, open: [run] }, new Map([['job_1', aJob('FINISHED')]]), after(50));
    expect(again.hostResults).toMatchObject([{ host: 'a', outcome: 'SUCCEEDED' }]);
  });

  it('counts a host as tested whose job was cancelled by others or is gone, but not one that core withdrew', () => {
    const run = aRun({ jobId: 'job_1', host: 'a' });
    const cancelled = (actor: string): CanaryJob =>
      aJob('CANCELLED', { attempts: [], transitions: [{ actor } as CanaryJob['transitions'][number]] });
    const tested = [{ host: 'a', outcome: 'CANCELLED', submittedAt: begin }];
    expect(settled(cancelled('user:ada'), run).hostResults).toMatchObject(tested);
    expect(settled(undefined, run).hostResults).toMatchObject(tested);
    expect(settled(cancelled(canaryOwner), run).hostResults).toEqual([]);
  });
});

describe('isObsolete', () => {
  it.each<[string, StoredCanary | undefined, boolean, number, boolean]>([
    ['a queue without canary jobs', undefined, false, 1, true],
    ['other settings while it waits', { ...settings, command: 'false' }, true, 1, true],
    ['other settings while it runs', { ...settings, command: 'false' }, false, 1, false],
    ['another interval', { ...settings, intervalSeconds: 60 }, true, 1, false],
    ['a wait of less than a day', settings, true, 86_399, false],
    ['a wait of a day', settings, true, 86_400, true],
    ['a run of a day', settings, false, 86_400, false],
  ])('decides about %s', (_name, now, isWaiting, seconds, expected) => {
    expect(isObsolete(aRun(), currentCanary(now), isWaiting, after(seconds))).toBe(expected);
  });
});

describe('healthOf', () => {
  const aResult = (change: Partial<CanaryResult>): CanaryResult => ({
    ...{ jobId: 'job_1', outcome: 'SUCCEEDED', settings: 'x', submittedAt: begin, endedAt: begin },
    ...change,
  });

  it('counts the ends of the last day, without cancelled jobs', () => {
    const results = [
      aResult({ outcome: 'FAILED' }),
      aResult({ outcome: 'CANCELLED' }),
      aResult({}),
      aResult({}),
      aResult({ endedAt: after(-86_400) }),
    ];
    expect(healthOf(aDocument({ results }), true, after(1))).toMatchObject({
      latest: results[0],
      canaryCount: 3,
      successFraction: 2 / 3,
      openSince: null,
      problem: null,
    });
  });

  it('has no fraction without results', () => {
    const open = [aRun({ host: 'a' }), aRun({ at: after(5) })];
    expect(healthOf(aDocument({ open }), true, after(9))).toMatchObject({
      ...{ latest: null, canaryCount: 0, successFraction: null, openSince: after(5) },
    });
  });

  it('has the errors of the latest submits, unless the queue has no canary jobs any more', () => {
    const document = aDocument({ problem: aProblem(), hostProblem: aProblem({ message: 'no such share' }) });
    const problems = { problem: aProblem().message, hostProblem: 'no such share' };
    expect(healthOf(document, true, begin)).toMatchObject(problems);
    expect(healthOf(document, false, begin)).toMatchObject({ problem: null, hostProblem: null });
  });
});
