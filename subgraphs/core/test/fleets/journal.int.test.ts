/** Processes that end at each write of a decision, and others that go on. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { leftovers, testDatabase, type TestDatabase } from '@rhizome/testkit';
import { jobFleetStores } from '../../src/composition/fleets/job-fleets.repository.js';
import { coreCollections } from '../../src/composition/migrations.js';
import type { FleetDocument } from '../../src/fleets/model/fleet.document.js';
import { FleetJournal, type FleetJournalOptions } from '../../src/fleets/run/fleet-journal.js';
import { FleetGates } from '../../src/fleets/gate/fleet-gates.js';
import { settingsOf } from '../../src/fleets/control/fleet-input.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { transitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { normalisePayload, normaliseRequirements, normaliseRetry } from '../../src/jobs/submit/normalise.js';
import { grant } from '../support/transitions.fixture.js';

class Killed extends Error {}

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
});

/** A journal of a process that ends after a number of its writes. */
function journalOf(
  killAfter = Infinity,
  writer: FleetJournalOptions['writer'] = { apply: () => Promise.resolve([]) },
): FleetJournal {
  const { fleets, decisions } = jobFleetStores(db);
  const jobs = new JobsRepository(collection(db, jobsCollection));
  let writes = 0;
  const written = <T>(result: T): T => {
    writes += 1;
    if (writes >= killAfter) throw new Killed();
    return result;
  };
  const options: FleetJournalOptions = {
    fleets: {
      find: (id) => fleets.find(id),
      record: async (...change) => written(await fleets.record(...change)),
      applied: async (...change) => written(await fleets.applied(...change)),
    },
    decisions: { insert: async (decision) => written(await decisions.insert(decision)) },
    jobs: {
      find: (...wanted) => jobs.find(...wanted),
      insertNew: async (made) => written(await jobs.insertNew(made)),
    },
    writer,
    clock: systemClock,
  };
  return new FleetJournal(options);
}

async function storeFleet(name: string): Promise<string> {
  const now = systemClock.now();
  const requirements = normaliseRequirements({});
  const fleet: FleetDocument = {
    ...{ _id: `fleet_${name}`, schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
    ...{
      experiment: 'alpha',
      name,
      owner: 'ada',
      poolId: 'pool_a',
      share: 'alpha/default',
      state: 'RUNNING',
    },
    settings: settingsOf({ max: 10 }),
    template: {
      ...{ version: 1, name, priority: 0, labels: [], requirements, classId: 'class_a', bytes: 10 },
      payload: normalisePayload({ command: 'work' }),
      retry: normaliseRetry(null),
      inQueues: [],
    },
    ...{ target: 3, targetAt: now, members: [], step: 0, digest: 'digest' },
  };
  await jobFleetStores(db).fleets.insert(fleet);
  return fleet._id;
}

/** Starts what is missing of three jobs. */
const three: Parameters<FleetJournal['change']>[1] = ({ members }) => {
  const start = Array.from({ length: 3 - members.length }, () => '');
  if (start.length === 0) return undefined;
  const facts = { reason: 'REPLACED', message: 'missing', by: 'system:fleets' } as const;
  return { decision: { ...facts, target: 3, previousTarget: 3, jobs: members.length, start }, patch: {} };
};

/** A writer of a process that cancels jobs just after others have been granted. */
function lateWriter(granted: readonly string[]): FleetJournalOptions['writer'] {
  const store = transitionStore(collection(db, jobsCollection));
  const writer = leftovers.use(
    new GroupingTransitionWriter({ store, clock: systemClock, log: silentLogger() }),
    'a transition writer',
  );
  let isGranted = false;
  return {
    async apply(requests) {
      if (!isGranted) await writer.apply(granted.map((id, at) => grant(id, at + 1)));
      isGranted = true;
      return writer.apply(requests);
    },
  };
}

const jobsOf = (fleetId: string): Promise<readonly object[]> =>
  db.collection(jobsCollection.name).find({ 'fleet.id': fleetId }).toArray();

/** Gates of a process, with the means to report a fleet as written. */
async function gatesOf(): Promise<{ readonly gates: FleetGates; readonly report: (id: string) => void }> {
  let report: (ids: readonly string[]) => void = () => undefined;
  const notices = {
    onWritten: (_collection: string, listener: typeof report) => {
      report = listener;
      return () => undefined;
    },
    onReset: () => () => undefined,
  };
  const gates = new FleetGates({ fleets: jobFleetStores(db).fleets, notices, log: silentLogger() });
  await gates.start();
  return { gates, report: (id) => report([id]) };
}

describe('FleetGates', () => {
  it('gives units to the jobs of the fleet alone, and wakes those whose answer changes', async () => {
    const id = await storeFleet('gates');
    const { gates, report } = await gatesOf();
    const made = await journalOf().change(id, three);
    const [kept = '', released = ''] = made?.members.map((member) => member.id) ?? [];
    // The jobs are not reported yet.
    expect([await gates.of(id, kept), await gates.of(id, 'job_other')]).toEqual(['OPEN', 'RELEASED']);
    const woken: string[] = [];
    for (const job of [kept, released]) gates.onChange(id, job, () => woken.push(job));
    const facts = { reason: 'SURPLUS', message: 'too many', by: 'system:fleets' } as const;
    await journalOf().change(id, () => ({
      decision: { ...facts, target: 2, previousTarget: 3, jobs: 3, release: [released] },
      patch: {},
    }));
    report(id);
    expect([await gates.of(id, kept), await gates.of(id, released)]).toEqual(['OPEN', 'RELEASED']);
    expect(woken).toEqual([released]);
  });
});

describe('FleetJournal', () => {
  it('starts each job once, at whichever write its process ends', async () => {
    let kills = 0;
    for (let killAfter = 1; ; killAfter += 1) {
      const id = await storeFleet(`kill${killAfter}`);
      const wasKilled = await journalOf(killAfter)
        .change(id, three)
        .then(
          () => false,
          (error: unknown) => {
            if (error instanceof Killed) return true;
            throw error;
          },
        );
      const fleet = await journalOf().change(id, three);
      expect(fleet?.members).toHaveLength(3);
      expect(await jobsOf(id)).toHaveLength(3);
      const { nodes } = await jobFleetStores(db).decisions.page(id, { first: 10, after: null });
      expect(nodes).toHaveLength(1);
      if (!wasKilled) break;
      kills += 1;
    }
    expect(kills).toBe(4);
  });

  it('starts each job once when several processes decide at the same time', async () => {
    const id = await storeFleet('race');
    const all = await Promise.all(Array.from({ length: 8 }, () => journalOf().change(id, three)));
    expect(all.map((fleet) => fleet?.members.length)).toEqual(Array.from({ length: 8 }, () => 3));
    expect(await jobsOf(id)).toHaveLength(3);
  });

  it('releases a job that runs by the time it is to be cancelled, unless it is overdue', async () => {
    const id = await storeFleet('granted');
    const made = await journalOf().change(id, three);
    const [waits = '', runs = '', late = ''] = made?.members.map((member) => member.id) ?? [];
    const facts = { reason: 'SURPLUS', message: 'too many', by: 'system:fleets' } as const;
    const numbers = { target: 0, previousTarget: 3, jobs: 3 };
    const fleet = await journalOf(Infinity, lateWriter([runs, late])).change(id, () => ({
      decision: { ...facts, ...numbers, cancel: [waits, runs], overdue: [late] },
      patch: {},
    }));
    const jobs = await collection(db, jobsCollection).find({ 'fleet.id': id }).toArray();
    const states = new Map(jobs.map((job) => [job._id, job.state]));
    expect([waits, runs, late].map((job) => states.get(job))).toEqual(['CANCELLED', 'SENT', 'CANCELLED']);
    const stored = await jobFleetStores(db).fleets.find(fleet?._id ?? '');
    expect(stored?.open).toBeUndefined();
    expect(stored?.members.map(({ releasedAt }) => releasedAt !== undefined)).toEqual([false, true, false]);
  });

  it('lets the next leader find the last decision of a fleet whose process ended at it', async () => {
    const id = await storeFleet('last');
    const facts = { reason: 'ENDED', message: 'all jobs have ended', by: 'system:fleets' } as const;
    const ended = journalOf(1).change(id, () => ({
      decision: { ...facts, target: 0, previousTarget: 3, jobs: 0 },
      patch: { state: 'ENDED', endedAt: systemClock.now() },
    }));
    await expect(ended).rejects.toThrow(Killed);
    const { fleets, decisions } = jobFleetStores(db);
    expect(await fleets.heads(100)).toContainEqual({ _id: id, step: 1 });
    await journalOf().change(id, () => undefined);
    expect((await decisions.page(id, { first: 10, after: null })).nodes).toMatchObject([{ reason: 'ENDED' }]);
    expect(await fleets.heads(100)).not.toContainEqual({ _id: id, step: 1 });
  });
});
