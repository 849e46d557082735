import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { aDevice, aGpu, aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { prepareClass } from './requirement-class.js';
import { canonicalJson } from '@rhizome/digest';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';

describe('a requirement class', () => {
  it('is the same for equal requirements, whatever the order of their fields', () => {
    const { cores, memoryMiB, ...rest } = someRequirements({ selector: 'worker.cores > 1', gpu: aGpu() });
    expect(classIdOf({ ...rest, memoryMiB, cores })).toBe(classIdOf({ cores, memoryMiB, ...rest }));
    expect(classIdOf(someRequirements({ cores: 2 }))).not.toBe(classIdOf(someRequirements({ cores: 3 })));
  });

  it('has an id that never changes, because stored jobs refer to it', () => {
    expect(classIdOf(someRequirements())).toBe('class_149d5ac7c5d2b251d06b3abf99');
  });

  it('has canonical JSON that differs exactly for different values', () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 2, values: [fc.integer(), fc.string(), fc.boolean()] }), (value) => {
        const shuffled = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(canonicalJson({ a: undefined, b: null, c: [] })).toBe('{"c":[]}');
  });

  it('matches nothing with a selector that no longer compiles', () => {
    const cls = prepareClass('class_1', 0, someRequirements({ selector: 'worker.colour == "red"' }));
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    expect(fleet.set(aWorker({}))?.fits(cls)).toBe(false);
  });
});

describe('Fleet', () => {
  it('decides once for all workers of a shape, and again when their queue or their facts change', () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const [a, b] = [
      fleet.set(aWorker({ id: 'worker_a', host: 'a' })),
      fleet.set(aWorker({ id: 'worker_b', host: 'b' })),
    ];
    expect(a?.shape).toBe(b?.shape);
    expect([...fleet.shapes()]).toHaveLength(1);
    const cls = prepareClass('class_1', 500, someRequirements({ cores: 8 }));
    expect(b?.fits(cls)).toBe(true);
    fleet.setQueues([aQueue({ revision: 2, limits: { maxCores: 4 } })]);
    expect(fleet.worker('worker_b')?.fits(cls)).toBe(false);
    fleet.setQueues([aQueue({ revision: 3 })]);
    expect(fleet.set(aWorker({ id: 'worker_b', hardware: { cores: 4 } }))?.fits(cls)).toBe(false);
    expect(fleet.set(aWorker({ id: 'worker_c', hardware: { architecture: 'aarch64' } }))?.fits(cls)).toBe(
      true,
    );
    expect([...fleet.shapes()]).toHaveLength(2);
    fleet.remove('worker_c');
    expect(fleet.totals.cores).toBe(12);
    fleet.remove('worker_a');
    fleet.remove('worker_b');
    expect([...fleet.shapes()]).toEqual([]);
    expect(fleet.totals).toEqual({ cores: 0, memoryMiB: 0, gpus: 0 });
  });

  it('puts hosts that differ in labels and amounts into one shape, and distinguishes them where it matters', () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({ limits: { maxMemoryMiB: 12_000 } })]);
    for (let host = 0; host < 100; host += 1)
      fleet.set(
        aWorker({
          id: `worker_${host}`,
          host: `host-${host}`,
          labels: [{ key: 'rack', value: `r${host % 10}` }],
          hardware: { cores: 1 + (host % 4), memoryMiB: 10_000 + 100 * host, diskMiB: 1000 + host },
        }),
      );
    expect([...fleet.shapes()]).toHaveLength(1);
    const fitting = (change: Partial<StoredRequirements>): number => {
      const requirements = { ...someRequirements({ memoryMiB: 1, diskMiB: 1 }), ...change };
      const cls = prepareClass(classIdOf(requirements), -1, requirements);
      return [...fleet.workers()].filter((worker) => worker.fits(cls)).length;
    };
    expect(fitting({})).toBe(100);
    expect(fitting({ cores: 3 })).toBe(50);
    expect(fitting({ memoryMiB: 11_000 })).toBe(90);
    expect(fitting({ memoryMiB: 12_500 })).toBe(0);
    expect(fitting({ diskMiB: 1099 })).toBe(1);
    expect(fitting({ selector: 'worker.labels.rack == "r3"' })).toBe(10);
    expect(fitting({ selector: 'worker.diskMiB >= 1090 && worker.labels.rack == "r3"' })).toBe(1);
    expect(fitting({ selector: 'worker.host == "host-7"', cores: 4 })).toBe(1);
    expect(fitting({ selector: 'worker.architecture == "aarch64"' })).toBe(0);
    for (const { facts } of [...fleet.workers()]) fleet.remove(facts.id);
    expect([...fleet.shapes()]).toEqual([]);
    expect(fleet.hostKinds()).toEqual([]);
  });

  it('puts hosts with similar memory into one kind, and keeps nothing of hosts that are gone', () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const put = (id: string, memoryMiB: number): void =>
      void fleet.set(aWorker({ id, devices: [aDevice({})], hardware: { memoryMiB } }));
    put('worker_1', 257_600);
    put('worker_2', 257_612);
    put('worker_3', 515_000);
    expect(fleet.hostKinds()).toEqual([
      { cores: 8, memoryMiB: 257_600, gpus: 1, hosts: 2 },
      { cores: 8, memoryMiB: 515_000, gpus: 1, hosts: 1 },
    ]);
    for (const id of ['worker_1', 'worker_2', 'worker_3']) fleet.remove(id);
    expect(fleet.hostKinds()).toEqual([]);
  });

  it('returns which queues changed, and whether shares did', () => {
    const fleet = new Fleet();
    expect(fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2' })])).toHaveLength(2);
    expect(fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2', revision: 2 })]).map(({ id }) => id)).toEqual(
      ['queue_2'],
    );
    expect(fleet.setShares([{ path: 'alpha/a', nominalCores: 1, weight: 1 }])).toBe(true);
    expect(fleet.setShares([{ path: 'alpha/a', nominalCores: 1, weight: 1 }])).toBe(false);
    expect(fleet.share('beta/x')).toEqual({ path: 'beta/x', nominalCores: 0, weight: 1 });
  });
});
