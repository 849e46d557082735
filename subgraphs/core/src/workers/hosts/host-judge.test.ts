import { describe, expect, it } from '@jest/globals';
import type { HostEvidence } from './host.document.js';
import { HostJudge } from './host-judge.js';

const at = (seconds: number): Date => new Date(Date.UTC(2030, 0, 1) + seconds * 1000);
let jobs = 0;

/** Records a failure. @returns the number of failures that count */
type Fail = (host: string, kind?: string, second?: number, carried?: HostEvidence | null) => number;

function judged(): HostJudge & { readonly fail: Fail } {
  const judge = new HostJudge({ windowSeconds: 600 });
  const fail = (host: string, kind = 'x', second = 0, carried: HostEvidence | null = null): number =>
    judge.failed(
      { host, kind, jobId: `job_${jobs++}`, attempt: 1, code: 'EXIT_CODE', at: at(second) },
      carried,
    ).failures;
  return Object.assign(judge, { fail });
}

function last(judge: HostJudge, host: string, count: number, kind = 'x'): void {
  for (let i = 0; i < count; i++) judge.lasted(host, kind);
}

describe('HostJudge', () => {
  it('counts failures once such jobs have lasted elsewhere', () => {
    const judge = judged();
    expect([judge.fail('bad'), judge.fail('bad')]).toEqual([0, 0]);
    last(judge, 'good', 3);
    expect(judge.fail('bad')).toBe(3);
    expect(judge.evidenceOf('bad')).toMatchObject({
      codes: [{ code: 'EXIT_CODE', count: 3 }],
      lastedElsewhere: 3,
      failedElsewhere: 0,
    });
    expect(judge.evidenceOf('bad')?.attempts).toHaveLength(3);
  });

  it('counts no failures of a kind that lasted on other hosts only of another kind', () => {
    const judge = judged();
    last(judge, 'good', 100, 'other');
    for (let i = 0; i < 20; i++) expect(judge.fail('bad')).toBe(0);
  });

  it('counts no failures of a kind that fails on all hosts, even if it lasted there before', () => {
    const judge = judged();
    const hosts = ['a', 'b', 'c', 'd', 'e'];
    for (const host of hosts) last(judge, host, 10);
    const found = Array.from({ length: 8 }, () => hosts.map((host) => judge.fail(host)));
    for (const round of found.slice(1)) expect(round).toEqual([0, 0, 0, 0, 0]);
  });

  it('does not let a host speak for itself', () => {
    const judge = judged();
    last(judge, 'only', 100);
    for (let i = 0; i < 10; i++) expect(judge.fail('only')).toBe(0);
  });

  it('finds several bad hosts: each counts at most three times against the others', () => {
    const judge = judged();
    for (let i = 0; i < 20; i++) for (const host of ['bad', 'worse']) judge.fail(host);
    last(judge, 'good', 12);
    expect([judge.fail('bad'), judge.fail('worse')]).toEqual([20, 20]);
  });

  it('takes back two failures for each attempt that lasts on the host', () => {
    const judge = judged();
    last(judge, 'good', 3);
    for (let i = 0; i < 5; i++) judge.fail('host');
    judge.lasted('host', 'x');
    expect(judge.fail('host')).toBe(4);
    last(judge, 'host', 10);
    expect(judge.fail('host')).toBe(0);
  });

  it('counts a job once, and begins again after a pause', () => {
    const judge = judged();
    last(judge, 'good', 8);
    for (let i = 0; i < 4; i++)
      judge.failed({ host: 'bad', kind: 'x', jobId: 'same', attempt: i + 1, code: 'X', at: at(i) }, null);
    expect(judge.evidenceOf('bad')).toMatchObject({ failures: 1, attempts: { length: 4 } });
    expect(judge.fail('bad', 'x', 10)).toBe(2);
    expect(judge.fail('bad', 'x', 620)).toBe(1);
  });

  it('names the kinds whose failures count, also those that an earlier leader has found', () => {
    const judge = judged();
    last(judge, 'good', 3, 'x');
    for (let i = 0; i < 6; i++) for (const kind of ['x', 'other']) judge.fail('bad', kind);
    const carried = judge.evidenceOf('bad') ?? null;
    expect(carried?.kinds).toEqual(['x']);
    const next = judged();
    next.fail('bad', 'y', 1, carried);
    expect(next.evidenceOf('bad')?.kinds).toEqual(['x']);
  });

  it('goes on from what an earlier leader has counted', () => {
    const first = judged();
    last(first, 'good', 3);
    for (let i = 0; i < 4; i++) first.fail('bad');
    const carried = first.evidenceOf('bad') ?? null;
    const second = judged();
    last(second, 'good', 3);
    expect(second.fail('bad', 'x', 1, carried)).toBe(5);
    expect(second.evidenceOf('bad')?.codes).toEqual([{ code: 'EXIT_CODE', count: 5 }]);
  });
});
