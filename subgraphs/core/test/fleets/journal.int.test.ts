/** Processes that end at each write of a decision, and others that go on. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase, type TestDatabase } from '@rhizome/testkit';
import { jobFleetStores } from '../../src/composition/fleets/job-fleets.repository.js';
import { coreCollections } from '../../src/composition/migrations.js';
import type { FleetDocument } from '../../src/fleets/model/fleet.document.js';
import { FleetJournal, type FleetJournalOptions } from '../../src/fleets/run/fleet-journal.js';
import { settingsOf } from '../../src/fleets/control/fleet-input.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { normalisePayload, normaliseRequirements, normaliseRetry } from '../../src/jobs/submit/normalise.js';

class Killed extends Error {}

let db: TestDatabase;

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, coreCollections);
});

/** A journal of a process that ends after a number of its writes. */
function journalOf(killAfter = Infinity): FleetJournal {
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
    writer: { apply: () => Promise.resolve([]) },
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

const jobsOf = (fleetId: string): Promise<readonly object[]> =>
  db.collection(jobsCollection.name).find({ 'fleet.id': fleetId }).toArray();

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
});
