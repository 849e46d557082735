import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { manualClock, type TestDatabase, waitFor } from '@rhizome/testkit';
import { ClassesRepository } from '../../src/jobs/model/requirement-classes.repository.js';
import { requirementClassesCollection } from '../../src/jobs/model/requirement-class.document.js';
import { fleetDatabase, startFleet } from '../support/fleet.fixture.js';
import { submitJobs } from '../support/fleet-jobs.fixture.js';
import { TestWorker } from '../support/test-worker.fixture.js';
import { aQueue, aWorker, someRequirements } from '../support/scheduler.fixture.js';
import { Fleet } from '../../src/scheduler/cache/fleet.js';
import { RequirementClasses } from '../../src/scheduler/requirements/requirement-classes.js';
import { RequirementClassesRepository } from '../../src/scheduler/requirements/requirement-classes.repository.js';
import { timeOf } from '../../src/shared/store-time.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';

let db: TestDatabase;
let ids: string[];

beforeAll(async () => {
  db = await fleetDatabase();
  const all = Array.from({ length: 40 }, (_, at) => someRequirements({ cores: at + 1 }));
  ids = all.map(classIdOf);
  const stored = new Map(all.map((requirements) => [classIdOf(requirements), requirements]));
  await new ClassesRepository(collection(db, requirementClassesCollection)).ensure(stored, systemClock.now());
});

describe('RequirementClasses', () => {
  let classes: RequirementClasses;

  beforeEach(() => {
    const repository = new RequirementClassesRepository(collection(db, requirementClassesCollection));
    classes = new RequirementClasses(repository);
  });

  it('forgets classes a minute after their last use, and reads them again on demand', async () => {
    const [used = '', asked = '', idle = ''] = ids;
    await classes.load([used, asked, idle]);
    for (let seconds = 0; seconds <= 60; seconds += 10) {
      if (seconds === 30) classes.get(asked);
      classes.prune([used], seconds * 1000);
    }
    expect([used, asked, idle].map((id) => classes.get(id)?.id)).toEqual([used, asked, undefined]);
    expect(classes.size).toBe(2);
    await classes.load([idle, 'class_that_is_not_stored']);
    expect(classes.get(idle)?.requirements.cores).toBe(3);
  });

  it('reuses the slots of forgotten classes, without their answers', async () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const worker = fleet.set(aWorker({ hardware: { cores: 20 } }));
    const fits = (id: string): boolean | undefined => {
      const cls = classes.get(id);
      return cls && worker?.fits(cls);
    };
    let now = 0;
    const indexes: (number | undefined)[] = [];
    for (const id of ids) {
      await classes.load([id]);
      indexes.push(classes.get(id)?.index);
      expect([id, fits(id)]).toEqual([id, ids.indexOf(id) < 20]);
      classes.prune([], (now += 1));
      classes.prune([], (now += 60_000));
    }
    expect(classes.size).toBe(0);
    expect(new Set(indexes)).toEqual(new Set([0]));
  });

  it('answers for a forgotten class that a caller still has, although its slot is reused', async () => {
    const fleet = new Fleet();
    fleet.setQueues([aQueue({})]);
    const worker = fleet.set(aWorker({ hardware: { cores: 20 } }));
    const [small = ''] = ids;
    const large = ids.at(-1) ?? '';
    await classes.load([small]);
    const kept = classes.get(small);
    classes.prune([], 0);
    classes.prune([], 60_000);
    await classes.load([large]);
    const next = classes.get(large);
    expect(next?.index).toBe(kept?.index);
    for (const [cls, answer] of [
      [kept, true],
      [next, false],
      [kept, true],
    ] as const)
      expect(cls && worker?.fits(cls)).toBe(answer);
  });

  it('keeps the classes of a call until all of them are read', async () => {
    const repository = new RequirementClassesRepository(collection(db, requirementClassesCollection));
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const [first = '', second = ''] = ids;
    classes = new RequirementClasses({
      findMany: async (wanted) => {
        const found = await repository.findMany(wanted);
        if (wanted.includes(second)) await held;
        return found;
      },
    });
    const other = classes.load([second]);
    const both = classes.load([first, second]);
    await waitFor('the first to be read', () => classes.size === 1, { deadlineMs: 60_000 });
    for (let minutes = 0; minutes < 5; minutes += 1) classes.prune([], minutes * 60_000);
    expect(classes.size).toBe(1);
    release();
    await Promise.all([other, both]);
    expect([first, second].map((id) => classes.get(id)?.id)).toEqual([first, second]);
  });
});

describe('ClassesRepository', () => {
  it('lets the classes of tests of hosts expire after the latest test, unless other jobs use them', async () => {
    const stored = collection(db, requirementClassesCollection);
    const repository = new ClassesRepository(stored);
    const classOf = (host: string) => {
      const requirements = someRequirements({ selector: `worker.host == "${host}"` });
      return [classIdOf(requirements), requirements] as const;
    };
    const [tested, shared] = [classOf('tested'), classOf('shared')];
    const expiry = async ([id]: typeof tested) => (await stored.findOne({ _id: id }))?.expiresAt;
    const at = (day: number): Date => new Date(Date.UTC(2030, 0, day));
    await repository.ensureForTests(new Map([tested, shared]), at(1));
    expect(await expiry(tested)).toEqual(at(31));
    await repository.ensure(new Map([shared]), at(2));
    await repository.ensureForTests(new Map([tested, shared]), at(3));
    await repository.ensureForTests(new Map([tested]), at(2));
    expect(await expiry(tested)).toEqual(at(33));
    expect((await stored.findOne({ _id: shared[0] }))?.requirements).toEqual(shared[1]);
    expect(await expiry(shared)).toBeUndefined();
    // The store has removed it since this process has stored it.
    await stored.deleteOne({ _id: tested[0] });
    await repository.ensureForTests(new Map([tested]), at(4));
    expect(await expiry(tested)).toEqual(at(34));
  });
});

describe('the scheduler', () => {
  it('keeps the classes of ready and held jobs, and no others', async () => {
    const clock = manualClock();
    const fleet = await startFleet(db, {
      clock,
      storeTime: timeOf(clock),
      queues: [aQueue({ limits: { leaseSeconds: 1_000_000 } })],
      brokerTtlMs: 1_000_000_000,
    });
    const { scheduler } = fleet.services;
    await waitFor('the broker leads', () => scheduler.isReady, { deadlineMs: 60_000 });
    const worker = await TestWorker.register(fleet, { cores: 64 });
    for (let at = 0; at < 30; at += 1) await submitJobs(db, 1, { requirements: { memoryMiB: 200 + at } });
    const grants = await worker.acquireInAll(30);
    await worker.start(grants);
    await worker.finish(grants.slice(1));
    await submitJobs(db, 1, { requirements: { cores: 65 } });
    await waitFor('all classes', () => scheduler.classesInMemory === 31, { deadlineMs: 60_000 });
    await waitFor(
      'all to be forgotten but that of the held job and that of the ready one',
      () => {
        clock.advance(15_000);
        return scheduler.classesInMemory === 2;
      },
      { deadlineMs: 60_000 },
    );
    await submitJobs(db, 1, { requirements: { memoryMiB: 205 } });
    expect(await worker.acquireInAll(1)).toHaveLength(1);
    expect(scheduler.classesInMemory).toBe(3);
    await fleet.stop();
  });
});
