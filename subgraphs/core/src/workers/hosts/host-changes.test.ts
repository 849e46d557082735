import { describe, expect, it } from '@jest/globals';
import { manualClock } from '@rhizome/testkit';
import type { HostBook } from './host-book.js';
import { HostChanges } from './host-changes.js';
import type { HostDocument, HostEvidence } from './host.document.js';
import { HostJudge } from './host-judge.js';
import { defaultHostLimits as limits, excluded } from './host-state.js';

const clock = manualClock();
const at = clock.now();
const place = { queue: 'main', host: 'node-1', site: 'home' };
const evidence: HostEvidence = {
  ...{ failures: 6, jobs: ['job_1'], codes: [{ code: 'EXIT_CODE', count: 6 }], firstAt: at, lastAt: at },
  ...{ lastedElsewhere: 9, failedElsewhere: 0, kinds: ['task_1'] },
};

describe('an attempt that fails on a host which an earlier leader has excluded', () => {
  const failed = (kind: string, host: HostDocument): readonly (readonly string[])[] => {
    const book = { find: () => host } as unknown as HostBook;
    const changes = new HostChanges({ book, judge: new HostJudge(limits), limits, clock });
    const attempt = { place, kind, jobId: 'job_2', attempt: 3, isTest: false };
    changes.failed({ ...attempt, code: 'EXIT_CODE', at, token: 'token 2' });
    return changes.all().map(({ next }) => (next.wasted ?? []).map(({ jobId }) => jobId));
  };
  const host = excluded(place, undefined, evidence, 'token', limits, at);

  it('is given back if its kind was a reason for the exclusion', () => {
    expect(failed('task_1', host)).toEqual([['job_2']]);
    expect(failed('task_2', host)).toEqual([]);
  });

  it('is not given back if somebody else has excluded the host', () => {
    expect(failed('task_1', { ...host, by: 'operator@example' })).toEqual([]);
  });
});
