import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { manualClock } from '@rhizome/testkit';
import {
  anEntry,
  aQueue,
  aReadyJob,
  aWorker,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import type { TransitionOutcome, TransitionRequest } from '../../jobs/transitions/transition.types.js';
import { Fleet } from '../cache/fleet.js';
import type { HostStandings } from '../cache/host-standing.types.js';
import { Ledger } from '../cache/ledger.js';
import { ReadyWindows } from '../cache/ready-windows.js';
import type { RunningAttempt } from '../cache/scheduler-jobs.repository.js';
import type { CandidateRequest } from '../placement/matcher.types.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { PreemptionHolds } from './preemption-holds.js';
import { PreemptionRates } from './preemption-rates.js';
import { Preemptor } from './preemptor.js';

const hold = { jobId: 'job_1', priority: 250, untilMs: 1000 };

describe('PreemptionHolds', () => {
  it('divides requests by what their workers may get, held ones first', () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const ids = ['a', 'b', 'c'];
    for (const id of ids) fleet.set(aWorker({ id, host: id }));
    const asking = ids.flatMap((workerId): (readonly [string, CandidateRequest])[] => {
      const worker = fleet.worker(workerId);
      const free = { cores: 1, memoryMiB: 1, diskMiB: 1 };
      const request = { workerId, count: 1, free, freeDeviceIds: [] };
      return worker ? [[workerId, { worker, request, limit: 1 }]] : [];
    });
    const holds = new PreemptionHolds();
    const groups = () =>
      holds
        .groups(asking)
        .map(({ minimumPriority, members }) => [minimumPriority, members.map(([id]) => id)]);
    expect(groups()).toEqual([[undefined, ids]]);
    holds.add('b', hold);
    expect(groups()).toEqual([
      [250, ['b']],
      [undefined, ['a', 'c']],
    ]);
  });

  it('ends holds when the job waits no more, or in the end', () => {
    const holds = new PreemptionHolds();
    holds.add('a', hold);
    expect(holds.prune(() => true, 999)).toEqual([]);
    expect(holds.isFor('job_1')).toBe(true);
    expect(holds.prune(() => true, 1000)).toEqual([['a', hold]]);
    holds.add('a', hold);
    expect(holds.prune(() => false, 0)).toEqual([['a', hold]]);
    expect(holds.of('a')).toBeUndefined();
    expect(holds.isEmpty).toBe(true);
  });
});

describe('PreemptionRates', () => {
  it('allows a number of attempts in each minute', () => {
    const clock = manualClock();
    const rates = new PreemptionRates(clock);
    const queue = aQueue({ limits: { maxPreemptionsPerMinute: 3 } });
    rates.record(queue, 2);
    expect(rates.left(queue)).toBe(1);
    clock.advance(30_000);
    rates.record(queue, 1);
    expect(rates.left(queue)).toBe(0);
    clock.advance(30_001);
    expect(rates.left(queue)).toBe(2);
    expect(rates.left(aQueue({ id: 'other' }))).toBe(0);
  });
});

/** Facts of {@link aFullWorker}. */
interface World {
  readonly hosts?: HostStandings;
  /** State of `job_low` in the store. */
  readonly state?: RunningAttempt['state'];
  /** Outcomes of announcements; those that are left out are applied. */
  readonly outcomes?: TransitionOutcome[];
}

/** A preemptor, and a worker with 8 cores of which `job_low` uses all, while `job_high` waits for 8. */
function aFullWorker({ hosts, state = 'RUNNING', outcomes = [] }: World = {}) {
  const clock = manualClock();
  const [fleet, ledger, windows] = [new Fleet(hosts), new Ledger(), new ReadyWindows()];
  const holds = new PreemptionHolds();
  fleet.setQueues([aQueue({ limits: { maxPreemptionsPerMinute: 100 } }), aQueue({ id: 'b', name: 'b' })]);
  fleet.set(aWorker({}));
  const low = { jobId: 'job_low', fence: 8, state };
  ledger.add(anEntry({ ...low, requirements: someRequirements({ cores: 8, preemptible: true }) }));
  const classes = new Map([
    ['high', prepareClass('high', 0, someRequirements({ cores: 8 }))],
    ['of-b', prepareClass('of-b', 1, someRequirements({ cores: 8, queue: 'b' }))],
  ]);
  const wait = (classId: string, id: string, priority: number, share = 'alpha/default'): void => {
    const window = windows.open(share, classId);
    window.endRefill(window.beginRefill(), []);
    window.insert(aReadyJob(id, { priority }));
  };
  wait('high', 'job_high', 100);
  const feed = { windows, isWarm: true, readUnread: async () => undefined };
  const announced: TransitionRequest[] = [];
  const stored = new Map<string, string>();
  const apply = async (requests: readonly TransitionRequest[]) =>
    requests.map((request): TransitionOutcome => {
      if (request.change?.preemption) announced.push(request);
      return outcomes.shift() ?? { applied: true, jobId: request.jobId, at: clock.now() };
    });
  const begunAt = new Date(clock.now().getTime() - 120_000);
  const running = new Map([['job_low', { ...low, begunAt }]]);
  const preemptor = new Preemptor({
    ...{ cache: { fleet, ledger }, classes, feed, holds, clock, log: silentLogger() },
    jobs: { runningAttempts: async () => running },
    checkpoints: { latestCheckpoints: async () => new Map() },
    writer: { apply },
    storedHolds: {
      put: async ([workerId, { jobId }]) => void stored.set(workerId, jobId),
      remove: async (ended) => ended.forEach(([workerId]) => stored.delete(workerId)),
    },
    mayStart: () => true,
    onFreed: () => undefined,
  });
  clock.advance(10_000);
  /** Jobs of the announcements of two steps: a job must have waited since the last one. */
  const steps = async (): Promise<readonly string[]> => {
    for (let step = 0; step < 2; step += 1) await preemptor.step();
    return announced.map(({ jobId, from }) => `${jobId} ${from}`);
  };
  return { clock, fleet, feed, holds, stored, windows, wait, steps };
}

describe('Preemptor', () => {
  it('ends an attempt of a lower class, and holds its worker', async () => {
    const { holds, stored, windows, steps } = aFullWorker();
    expect(await steps()).toEqual(['job_low RUNNING']);
    expect(holds.of('worker_1')).toMatchObject({ jobId: 'job_high', priority: 100 });
    expect([...stored]).toEqual([['worker_1', 'job_high']]);
    for (const window of windows.all()) window.shift();
    await steps();
    expect([holds.isEmpty, stored.size]).toEqual([true, 0]);
  });

  it('ends an attempt whose payload starts while its end is announced', async () => {
    const current = { state: 'RUNNING', fence: 8, revision: 4 } as const;
    const outcomes: TransitionOutcome[] = [{ applied: false, jobId: 'job_low', current }];
    const { holds, steps } = aFullWorker({ state: 'STARTING', outcomes });
    expect(await steps()).toEqual(['job_low STARTING', 'job_low RUNNING']);
    expect(holds.isFor('job_high')).toBe(true);
  });

  it.each(['host-1', 'host-2'])('relies on no host that is tested, here %s', async (tested) => {
    const standing = { state: 'HALF_OPEN', until: null, reason: 'tested' } as const;
    const hosts: HostStandings = {
      of: ({ host }) => (host === tested ? standing : undefined),
      onChanged: () => () => undefined,
    };
    const { fleet, steps } = aFullWorker({ hosts });
    // All of its cores are free.
    if (tested === 'host-2') fleet.set(aWorker({ id: 'worker_2', host: tested }));
    expect(await steps()).toEqual(tested === 'host-2' ? ['job_low RUNNING'] : []);
  });

  it('looks at no jobs that cannot go to a queue that allows it, however many wait', async () => {
    const { wait, steps } = aFullWorker();
    for (let job = 0; job < 60; job += 1) wait('of-b', `job_b${job}`, 200, `alpha/share-${job}`);
    expect(await steps()).toEqual(['job_low RUNNING']);
  });

  it('ends no hold while the windows are read again', async () => {
    const { clock, feed, holds, steps } = aFullWorker();
    const untilMs = clock.now().getTime() + 1000;
    holds.add('worker_2', { jobId: 'job_unread', priority: 100, untilMs });
    feed.isWarm = false;
    expect(await steps()).toEqual([]);
    expect(holds.isFor('job_unread')).toBe(true);
    feed.isWarm = true;
    expect(await steps()).toEqual(['job_low RUNNING']);
    expect(holds.isFor('job_unread')).toBe(false);
  });
});
