import { describe, expect, it } from '@jest/globals';
import { currentCanary, noCanaries } from './canary-plan.js';
import type { CanaryDocument, CanaryProblem, CanaryRun, HostResult } from './canary.document.js';
import {
  canaryOnlyUntil,
  type HalfOpenHost,
  hostsDue,
  isNeedless,
  type TestedQueue,
} from './host-canaries.js';

const begin = new Date('2026-03-01T12:00:00Z');
const after = (seconds: number): Date => new Date(begin.getTime() + seconds * 1000);
const settings = {
  ...{ experiment: 'alpha', share: 'alpha/default', intervalSeconds: 600, command: 'true', arguments: [] },
  ...{ cores: 1, memoryMiB: 512, walltimeSeconds: 600 },
};
const current = currentCanary(settings);
if (!current) throw new Error('no canary jobs');
const { digest } = current;
const aResult = (change: Partial<HostResult> = {}): HostResult => ({
  ...{ jobId: 'job_1', outcome: 'SUCCEEDED', settings: digest, host: 'z' },
  ...{ submittedAt: after(-60), endedAt: after(-50) },
  ...change,
});
const aHost = (change: Partial<HalfOpenHost> = {}): HalfOpenHost => ({
  ...{ since: begin, readySince: begin, isTested: false },
  ...change,
});
const runOf = (host: string): CanaryRun => ({ key: host, at: after(1), host, settings });
const aProblem: CanaryProblem = { message: 'refused', at: begin, settings: digest };

/** A queue whose canary jobs have finished before. */
function aQueue(
  document: Partial<CanaryDocument> = {},
  hosts: Record<string, HalfOpenHost> = { a: aHost() },
) {
  const proven = { ...noCanaries('queue_1', begin), results: [aResult()] };
  return {
    current,
    document: { ...proven, ...document },
    hosts: new Map(Object.entries(hosts)),
  } as TestedQueue;
}

const manyHosts = (count: number, change: Partial<HalfOpenHost> = {}) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`host-${index}`, aHost(change)]));

describe('a host whose exclusion is over', () => {
  it('is tested by one canary job, and for ten minutes by no other', () => {
    expect(hostsDue(aQueue(), after(2))).toEqual(['a']);
    const open = [runOf('a')];
    expect(hostsDue(aQueue({ open }), after(3))).toEqual([]);
    expect(canaryOnlyUntil(aQueue({ open }), 'a', after(3))).toEqual(after(600));
    expect(canaryOnlyUntil(aQueue({ open }), 'a', after(600))).toBeUndefined();
  });

  it('is tested by a canary job from the first moment', () => {
    expect(canaryOnlyUntil(aQueue({}, {}), 'a', begin)).toEqual(after(600));
  });

  it('waits for a canary job from the time at which its worker is there', () => {
    expect(hostsDue(aQueue({}, { a: { since: begin, isTested: false } }), after(660))).toEqual([]);
    const late = aQueue({ open: [runOf('a')] }, { a: aHost({ readySince: after(660) }) });
    expect(canaryOnlyUntil(late, 'a', after(661))).toEqual(after(1260));
  });

  it('gets no second canary job after one without a verdict, but a job of a user', () => {
    const tested = aQueue({
      hostResults: [aResult({ host: 'a', outcome: 'FAILED', submittedAt: after(2) })],
    });
    expect(hostsDue(tested, after(99_999))).toEqual([]);
    expect(canaryOnlyUntil(tested, 'a', after(3))).toBeUndefined();
  });

  it('gets another canary job after the next exclusion, or with other settings', () => {
    const earlier = aResult({ host: 'a', submittedAt: after(-9) });
    expect(hostsDue(aQueue({ hostResults: [earlier] }), after(2))).toEqual(['a']);
    const ofOthers = aResult({ host: 'a', submittedAt: after(2), settings: 'former' });
    expect(hostsDue(aQueue({ hostResults: [ofOthers] }), after(3))).toEqual(['a']);
  });

  it.each<[string, Partial<CanaryDocument>]>([
    ['without results', { results: [] }],
    ['whose latest failed', { results: [aResult({ outcome: 'FAILED' }), aResult()] }],
    ['which finished with other settings', { results: [aResult({ settings: 'former' })] }],
    [
      'which failed on three hosts since',
      { hostResults: ['x', 'y', 'w'].map((host) => aResult({ host, outcome: 'FAILED', endedAt: begin })) },
    ],
    ['whose test of a host was refused', { hostProblem: aProblem }],
  ])('is tested by any job in a queue with canary jobs %s', (_name, document) => {
    expect(hostsDue(aQueue(document), after(2))).toEqual([]);
    expect(canaryOnlyUntil(aQueue(document), 'a', after(2))).toBeUndefined();
  });

  it('is tested by a canary job although some bad hosts failed others', () => {
    const hostResults = [
      ...['x', 'y'].map((host) => aResult({ host, outcome: 'FAILED', endedAt: begin })),
      aResult({ host: 'w', endedAt: after(-1) }),
      ...['u', 'v'].map((host) => aResult({ host, outcome: 'FAILED', endedAt: after(-9) })),
    ];
    expect(hostsDue(aQueue({ hostResults }), after(2))).toEqual(['a']);
  });

  it('is tried again a minute after a refusal', () => {
    expect(hostsDue(aQueue({ hostProblem: aProblem }), after(59))).toEqual([]);
    expect(hostsDue(aQueue({ hostProblem: aProblem }), after(60))).toEqual(['a']);
  });

  it('is not tested while a job tests it', () => {
    expect(hostsDue(aQueue({}, { a: aHost({ isTested: true }) }), after(2))).toEqual([]);
  });

  it('does not wait for a place behind hosts with canary jobs', () => {
    expect(hostsDue(aQueue({}, manyHosts(30)), after(2))).toHaveLength(20);
    const open = Object.keys(manyHosts(20)).map(runOf);
    const full = aQueue({ open }, { ...manyHosts(20), a: aHost() });
    expect(hostsDue(full, after(2))).toEqual([]);
    expect(canaryOnlyUntil(full, 'a', after(2))).toBeUndefined();
    expect(canaryOnlyUntil(full, 'host-0', after(2))).toEqual(after(600));
  });

  it('takes no place without a worker', () => {
    const gone = manyHosts(20);
    for (const host of Object.values(gone)) delete (host as { readySince?: Date }).readySince;
    expect(hostsDue(aQueue({}, { ...gone, a: aHost() }), after(2))).toEqual(['a']);
  });
});

describe('isNeedless', () => {
  const away: HalfOpenHost = { since: begin, isTested: false };
  it.each<[string, Record<string, HalfOpenHost>, number, boolean]>([
    ['waits for its worker', { a: aHost() }, 9999, false],
    ['whose host is healthy or excluded again', {}, 2, true],
    ['of an earlier exclusion', { a: aHost({ since: after(2) }) }, 3, true],
    ['whose worker left a moment ago', { a: away }, 600, false],
    ['whose worker left long ago', { a: away }, 601, true],
  ])('decides about a test that %s', (_name, hosts, seconds, expected) => {
    expect(isNeedless(runOf('a'), new Map(Object.entries(hosts)), after(seconds))).toBe(expected);
  });

  it('keeps jobs that test no single host', () => {
    expect(isNeedless({ key: 'k', at: begin, settings }, new Map(), after(9999))).toBe(false);
  });
});
