import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  aGpu,
  anEntry,
  aQueue,
  aWorker,
  devicesOfHost,
  someRequirements,
} from '../../../test/support/scheduler.fixture.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { priorityClassOf } from '../../jobs/model/priority-class.js';
import { Fleet } from '../cache/fleet.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import { Ledger } from '../cache/ledger.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { chooseVictims, lossOf, type PossibleVictim } from './victims.js';

let fleet: Fleet;
let ledger: Ledger;
let byWorker: Map<FleetWorker, PossibleVictim[]>;
let classes = 0;

beforeEach(() => {
  [fleet, ledger, byWorker] = [new Fleet(), new Ledger(), new Map()];
  fleet.setQueues([aQueue({})]);
});

/** A job that a worker runs. @param loss undefined if it may not end for others */
function runs(
  workerId: string,
  jobId: string,
  loss: number | undefined,
  requirements: Partial<StoredRequirements> = {},
  deviceIds: readonly string[] = [],
): void {
  const entry = anEntry({
    ...{ jobId, workerId, state: 'RUNNING', deviceIds },
    requirements: someRequirements({ memoryMiB: 1, diskMiB: 1, ...requirements }),
  });
  ledger.add(entry);
  const worker = fleet.worker(workerId);
  if (!worker || loss === undefined) return;
  byWorker.set(worker, [...(byWorker.get(worker) ?? []), { entry, loss }]);
}

function chosen(requirements: Partial<StoredRequirements>, most = 10): readonly string[] | undefined {
  classes += 1;
  const cls = prepareClass(`class_${classes}`, classes, someRequirements(requirements));
  const world = { ledger, sharedDevices: fleet.sharedDevices, byWorker };
  return chooseVictims(cls, most, world)?.victims.map(({ entry }) => entry.jobId);
}

describe('chooseVictims', () => {
  it('takes the cheapest loss of all workers', () => {
    for (const id of ['a', 'b']) fleet.set(aWorker({ id, host: id, hardware: { cores: 4 } }));
    runs('a', 'job_a1', 50, { cores: 2 });
    runs('a', 'job_a2', 9, { cores: 2 });
    runs('b', 'job_b1', 8, { cores: 4 });
    expect(chosen({ cores: 2 })).toEqual(['job_b1']);
    expect(chosen({ cores: 4 })).toEqual(['job_b1']);
  });

  it('takes no more attempts than the job needs, on one worker', () => {
    for (const id of ['a', 'b']) fleet.set(aWorker({ id, host: id, hardware: { cores: 8 } }));
    runs('a', 'job_small', 1, { cores: 1 });
    runs('a', 'job_large', 5, { cores: 4 });
    runs('a', 'job_fixed', undefined, { cores: 3 });
    runs('b', 'job_b', undefined, { cores: 8 });
    // The small one is cheaper, and of no use once the large one ends.
    expect(chosen({ cores: 4 })).toEqual(['job_large']);
    expect(chosen({ cores: 5 })?.toSorted()).toEqual(['job_large', 'job_small']);
    expect(chosen({ cores: 5 }, 1)).toBeUndefined();
    expect(chosen({ cores: 6 })).toBeUndefined();
  });

  it('takes the cheapest loss in all, not the cheapest attempts', () => {
    fleet.set(aWorker({ id: 'a', hardware: { cores: 8 } }));
    for (const [name, loss, cores] of [
      ['job_1', 2, 1],
      ['job_2', 3, 1],
      ['job_3', 4, 2],
      ['job_4', 5, 4],
    ] as const)
      runs('a', name, loss, { cores });
    expect(chosen({ cores: 4 })).toEqual(['job_4']);
    expect(chosen({ cores: 2 })).toEqual(['job_3']);
    expect(chosen({ cores: 6 })?.toSorted()).toEqual(['job_3', 'job_4']);
    expect(chosen({ cores: 8 })).toHaveLength(4);
  });

  it('finds a set of few attempts where the cheapest are too many', () => {
    fleet.set(aWorker({ id: 'a', hardware: { cores: 8 } }));
    for (const index of [1, 2, 3, 4]) runs('a', `job_${index}`, 1, { cores: 1 });
    for (const name of ['job_5', 'job_6']) runs('a', name, 50, { cores: 2 });
    expect(chosen({ cores: 4 })).toHaveLength(4);
    expect(chosen({ cores: 4 }, 2)?.toSorted()).toEqual(['job_5', 'job_6']);
    expect(chosen({ cores: 4 }, 1)).toBeUndefined();
  });

  it('takes nothing from a worker whose free resources are sufficient', () => {
    fleet.set(aWorker({ id: 'a', hardware: { cores: 8 } }));
    runs('a', 'job_a', 1, { cores: 1 });
    expect(chosen({ cores: 2 })).toBeUndefined();
  });

  it('takes the attempts that hold the devices that the job needs', () => {
    const devices = devicesOfHost('gpu', [{}, { model: 'NVIDIA T4', memoryMiB: 15_000 }]);
    fleet.set(aWorker({ id: 'a', devices }));
    runs('a', 'job_a100', 100, { gpu: aGpu() }, ['gpu-0']);
    runs('a', 'job_t4', 1, { gpu: aGpu() }, ['gpu-1']);
    runs('a', 'job_cpu', 0.5);
    expect(chosen({ gpu: aGpu() })).toEqual(['job_t4']);
    expect(chosen({ gpu: aGpu({ minMemoryMiB: 40_000 }) })).toEqual(['job_a100']);
    expect(chosen({ gpu: aGpu({ count: 3 }) })).toBeUndefined();
  });
});

describe('lossOf', () => {
  it('is the time times the larger part of all cores or GPUs', () => {
    const requirements = someRequirements({ cores: 10 });
    expect(lossOf({ requirements }, 60, { cores: 1000, gpus: 0 })).toBeCloseTo(0.6);
    expect(lossOf({ requirements, gpus: 2 }, 60, { cores: 1000, gpus: 20 })).toBeCloseTo(6);
    expect(lossOf({ requirements }, -5, { cores: 1000, gpus: 0 })).toBe(0);
  });
});

describe('priorityClassOf', () => {
  it.each([
    [0, 0],
    [99, 0],
    [100, 1],
    [-1, -1],
    [-100, -1],
    [-101, -2],
    [1000, 10],
  ])('divides priority %i by 100, rounded down', (priority, expected) => {
    expect(priorityClassOf(priority)).toBe(expected);
  });
});
