import { beforeEach, describe, expect, it } from '@jest/globals';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import { Fleet } from './fleet.js';
import { WorkerOffers } from './worker-offers.js';

const usualWalltimeSeconds = 2_592_000;

let fleet: Fleet;
let nowMs: number;
let offers: WorkerOffers;

beforeEach(() => {
  nowMs = 0;
  fleet = new Fleet();
  fleet.setQueues([
    aQueue({ limits: { maxMemoryMiB: 12_000 } }),
    aQueue({ id: 'queue_2', name: 'long', experiments: ['beta'], limits: { maxWalltimeSeconds: 9_000_000 } }),
  ]);
  offers = new WorkerOffers({
    fleet,
    classes: { get: () => undefined },
    clock: { monotonicMs: () => nowMs },
  });
});

function add(id: string, memoryMiB: number, change: Partial<Omit<WorkerFacts, 'hardware'>> = {}): void {
  fleet.set(aWorker({ id, ...change, hardware: { memoryMiB, diskMiB: 5000 } }));
}

function of(change: Partial<StoredRequirements> = {}, experiment = 'alpha') {
  const requirements = someRequirements({ memoryMiB: 500, ...change });
  return offers.of({ experiment, classId: classIdOf(requirements), requirements });
}

const usual = { diskMiB: 5000, walltimeSeconds: usualWalltimeSeconds };

describe('WorkerOffers', () => {
  it('returns what the largest workers have, within the limits of their queue', () => {
    add('a', 1000);
    add('b', 4000);
    expect(of()).toEqual([{ memoryMiB: 4000, ...usual }]);
    add('c', 64_000);
    expect(of()).toEqual([{ memoryMiB: 12_000, ...usual }]);
  });

  it('returns several offers if none is the largest in everything', () => {
    add('a', 8000);
    add('b', 2000, { queueId: 'queue_2' });
    expect(of({}, 'beta')).toEqual([
      { memoryMiB: 8000, ...usual },
      { memoryMiB: 2000, diskMiB: 5000, walltimeSeconds: 9_000_000 },
    ]);
    expect(of({}, 'alpha')).toEqual([{ memoryMiB: 8000, ...usual }]);
  });

  it('leaves out workers that could not run the job, or accept none', () => {
    add('a', 2000);
    add('b', 4000, { state: 'DRAINING' });
    add('c', 8000, { labels: [{ key: 'building', value: 'b' }] });
    expect(of({ selector: 'worker.labels["building"] == "b"' })).toEqual([{ memoryMiB: 8000, ...usual }]);
    expect(of({ selector: 'worker.host == "host-1" && worker.memoryMiB < 3000' })).toEqual([
      { memoryMiB: 2000, ...usual },
    ]);
    fleet.remove('c');
    expect(of()).toEqual([{ memoryMiB: 2000, ...usual }]);
  });

  it('returns what queues allow while no worker could run the job', () => {
    const ofMain = { memoryMiB: 12_000, diskMiB: Infinity, walltimeSeconds: usualWalltimeSeconds };
    expect(of()).toEqual([ofMain]);
    add('a', 400);
    expect(of()).toEqual([ofMain]);
    expect(of({ queue: 'elsewhere' })).toEqual([]);
  });

  it('keeps its answers for a while in a large fleet that changes', () => {
    for (let at = 0; at < 100; at += 1) add(`worker_${at}`, 1000);
    expect(of()).toEqual([{ memoryMiB: 1000, ...usual }]);
    add('large', 9000);
    expect(of()).toEqual([{ memoryMiB: 1000, ...usual }]);
    nowMs += 2;
    expect(of()).toEqual([{ memoryMiB: 9000, ...usual }]);
  });
});
