import { describe, expect, it } from '@jest/globals';
import type { StoredCanary } from '../../queues/queue.document.js';
import {
  type CanaryJob,
  canaryJob,
  healthOf,
  isObsolete,
  noCanaries,
  runsDue,
  withResults,
} from './canary-plan.js';
import type { CanaryDocument, CanaryResult, CanaryRun } from './canary.document.js';

const begin = new Date('2026-03-01T12:00:00Z');
const after = (seconds: number): Date => new Date(begin.getTime() + seconds * 1000);
const settings: StoredCanary = {
  ...{ experiment: 'alpha', share: 'alpha/default', intervalSeconds: 600, command: 'true', arguments: [] },
  ...{ cores: 1, memoryMiB: 512, walltimeSeconds: 600 },
};
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

  it('begins one job for each host to test', () => {
    const document = aDocument({ latestAt: begin, open: [aRun({ host: 'a' })] });
    expect(hostsOf(runsDue(document, settings, ['a', 'b'], after(1)))).toEqual(['b']);
  });

  it('keeps a place for the job that tests no single host', () => {
    const hosts = Array.from({ length: 30 }, (_, index) => `host-${index}`);
    const found = runsDue(aDocument({ latestAt: begin }), settings, hosts, after(1));
    expect(found).toHaveLength(20);
    const open = found.map((run) => ({ ...run, jobId: 'job_1' }));
    const next = runsDue(aDocument({ latestAt: begin, open }), settings, hosts, after(600));
    expect(hostsOf(next)).toEqual([undefined]);
  });

  it('gives each job a key of its own', () => {
    const keys = runsDue(aDocument(), settings, ['a', 'b'], begin).map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    const later = runsDue(aDocument({ revision: 1 }), settings, ['a'], begin).map(({ key }) => key);
    expect(later.some((key) => keys.includes(key))).toBe(false);
  });

  it('tries a refused job again after a minute, and tests no host meanwhile', () => {
    const problem = { message: 'share: "alpha/gone" is not known', at: begin };
    const document = aDocument({ latestAt: begin, problem });
    expect(runsDue(document, settings, ['a'], after(59))).toEqual([]);
    expect(hostsOf(runsDue(document, settings, ['a'], after(60)))).toEqual([undefined]);
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
  ...{ _id: 'job_1', state, stateTimes: { [state]: after(30) } },
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
      results: [{ jobId: 'job_1', outcome: 'SUCCEEDED', host: 'a', runSeconds: 20, isHostTest: false }],
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
    expect(settled(undefined)).toMatchObject({ open: [], results: [] });
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
  ])('decides about %s', (_name, current, isWaiting, seconds, expected) => {
    expect(isObsolete(aRun(), current, isWaiting, after(seconds))).toBe(expected);
  });
});

describe('healthOf', () => {
  const aResult = (change: Partial<CanaryResult>): CanaryResult => ({
    ...{ jobId: 'job_1', outcome: 'SUCCEEDED', isHostTest: false, submittedAt: begin, endedAt: begin },
    ...change,
  });

  it('counts the ends of the last day, without tests of hosts and cancelled jobs', () => {
    const results = [
      aResult({ outcome: 'FAILED', isHostTest: true }),
      aResult({ outcome: 'FAILED' }),
      aResult({ outcome: 'CANCELLED' }),
      aResult({}),
      aResult({}),
      aResult({ endedAt: after(-86_400) }),
    ];
    expect(healthOf(aDocument({ results }), after(1))).toMatchObject({
      latest: results[1],
      canaryCount: 3,
      successFraction: 2 / 3,
      openSince: null,
      problem: null,
    });
  });

  it('has no fraction without results', () => {
    const open = [aRun({ host: 'a' }), aRun({ at: after(5) })];
    expect(healthOf(aDocument({ open }), after(9))).toMatchObject({
      ...{ latest: null, canaryCount: 0, successFraction: null, openSince: after(5) },
    });
  });
});
