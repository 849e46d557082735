// The lease clock while its store is paused or killed.
import { describe, expect, it } from '@jest/globals';
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection, connectMongo } from '@rhizome/mongo';
import { leftovers, ownMongod, waitFor } from '@rhizome/testkit';
import { serverTime } from '../../src/shared/store-time.js';
import { EndedLeasesRepository } from '../../src/workers/lease-clock/ended-leases.repository.js';
import {
  gatewayReportsCollection,
  leaseClockCollection,
} from '../../src/workers/lease-clock/lease-clock.document.js';
import { LeaseClock } from '../../src/workers/lease-clock/lease-clock.js';
import { LeaseClockRepository } from '../../src/workers/lease-clock/lease-clock.repository.js';
import { LeasesRepository } from '../../src/workers/leases/leases.repository.js';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { prepareFleet } from '../support/fleet.fixture.js';

const leaseSeconds = 4;
const patience = { deadlineMs: 120_000, everyMs: 100 };

async function startedStore() {
  const mongod = await ownMongod();
  const client = await connectMongo({ uri: mongod.uri, appName: 'tests' });
  leftovers.defer('its client', () => client.close());
  const db = client.db('core');
  await prepareFleet(db);
  const [member] = mongod.members;
  if (!member) throw new Error('no member');
  const leases = collection(db, leasesCollection);
  const clock = new LeaseClock({
    clocks: new LeaseClockRepository(
      collection(db, leaseClockCollection),
      collection(db, gatewayReportsCollection),
      leases,
      serverTime,
    ),
    leases: new EndedLeasesRepository(leases, serverTime),
    term: () => ({ epoch: 1, startedAt: new Date(0) }),
    stalls: { start: () => undefined, stop: () => undefined, takeLongestMs: () => 0 },
    countWorkers: () => 1,
    log: silentLogger(),
    limits: { needsGateway: false },
  });
  await clock.loseEnded();
  const workerId = createIds().next('worker');
  const { expiresAt } = await new LeasesRepository(leases, serverTime).open(
    workerId,
    'queue_1',
    leaseSeconds,
  );
  return { member, clock, expiresAt };
}

/** Checks until one succeeds, and returns its result. */
const firstCheck = (clock: LeaseClock): Promise<number> =>
  waitFor(
    'a check that succeeds',
    () =>
      clock.loseEnded().then(
        ({ lost }) => ({ lost }),
        () => undefined,
      ),
    patience,
  ).then(({ lost }) => lost);

describe('a lease clock whose store fails', () => {
  it.each(['SIGSTOP', 'SIGKILL'] as const)('loses no worker by a mongod with %s', async (signal) => {
    const { member, clock, expiresAt } = await startedStore();
    await member.kill(signal);
    // The write fails, or is not confirmed in time.
    await expect(clock.loseEnded()).rejects.toThrow();
    await waitFor('the end of the lease', () => systemClock.now() > expiresAt, patience);
    if (signal === 'SIGSTOP') await member.kill('SIGCONT');
    else await member.restart();
    expect(await firstCheck(clock)).toBe(0);
    await waitFor('the loss', async () => (await firstCheck(clock)) === 1, patience);
  });
});
