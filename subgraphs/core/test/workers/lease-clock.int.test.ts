// The lease clock on a real store, whose time the tests move.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { createIds } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { collection } from '@rhizome/mongo';
import { type ManualClock, manualClock, type TestDatabase } from '@rhizome/testkit';
import { timeOf } from '../../src/shared/store-time.js';
import { EndedLeasesRepository } from '../../src/workers/lease-clock/ended-leases.repository.js';
import {
  gatewayReportsCollection,
  leaseClockCollection,
} from '../../src/workers/lease-clock/lease-clock.document.js';
import {
  type ClockTerm,
  LeaseClock,
  type LeaseClockLimits,
} from '../../src/workers/lease-clock/lease-clock.js';
import { LeaseClockRepository } from '../../src/workers/lease-clock/lease-clock.repository.js';
import { LeaseClockService } from '../../src/workers/lease-clock/lease-clock.service.js';
import { massSilenceLimits } from '../../src/workers/lease-clock/mass-silence.js';
import { LeasesRepository } from '../../src/workers/leases/leases.repository.js';
import { leasesCollection } from '../../src/workers/worker.document.js';
import { fleetDatabase } from '../support/fleet.fixture.js';

const ids = createIds();
const leaseSeconds = 30;

let db: TestDatabase;
let clock: ManualClock;
let leases: LeasesRepository;
let clocks: LeaseClockRepository;
let endedLeases: EndedLeasesRepository;
let service: LeaseClockService;
let stallMs: number;
let workers: number;

beforeEach(async () => {
  db = await fleetDatabase();
  clock = manualClock();
  const now = timeOf(clock);
  leases = new LeasesRepository(collection(db, leasesCollection), now);
  clocks = new LeaseClockRepository(
    collection(db, leaseClockCollection),
    collection(db, gatewayReportsCollection),
    collection(db, leasesCollection),
    now,
  );
  endedLeases = new EndedLeasesRepository(collection(db, leasesCollection), now);
  service = new LeaseClockService(clocks, clock);
  stallMs = 0;
  workers = 0;
});

/** A leader's clock; its first term begins now. */
function leader(epoch: number, limits: Partial<LeaseClockLimits> = {}) {
  const term: ClockTerm = { epoch, startedAt: clock.now() };
  return new LeaseClock({
    clocks,
    leases: endedLeases,
    term: () => term,
    stalls: { start: () => undefined, stop: () => undefined, takeLongestMs: () => stallMs },
    countWorkers: () => workers,
    log: silentLogger(),
    limits,
  });
}

async function worker(): Promise<string> {
  const id = ids.next('worker');
  await leases.open(id, 'queue_1', leaseSeconds);
  workers += 1;
  return id;
}

const isLost = async (id: string): Promise<boolean> => (await leases.findMany([id]))[0]?.lostAt !== undefined;
const renew = (id: string) => leases.renew([{ workerId: id, leaseSeconds, jobs: [] }]);

/** Time goes on, with a check of the leader each second; reports of a gateway unless it is down. */
async function pass(seconds: number, of: LeaseClock, { gateway = true } = {}): Promise<number> {
  let lost = 0;
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1000);
    if (gateway) await clocks.report('gateway_1', true);
    const { lost: ended } = await of.loseEnded();
    workers -= ended;
    lost += ended;
  }
  return lost;
}

describe('a lease clock without faults', () => {
  it('makes two calls of the store in each check at rest', async () => {
    const leading = leader(1);
    await pass(1, leading);
    await worker();
    const calls: string[] = [];
    for (const [name, store] of [
      ['beat', clocks],
      ['survey', clocks],
      ['count', endedLeases],
      ['lose', endedLeases],
    ] as const) {
      const call = (store as never)[name] as (...given: unknown[]) => unknown;
      Object.assign(store, { [name]: (...given: unknown[]) => (calls.push(name), call.apply(store, given)) });
    }
    await pass(2, leading);
    expect(calls).toEqual(['beat', 'survey', 'beat', 'survey']);
    expect(await pass(29, leading)).toBe(1);
    expect(calls.filter((name) => name === 'count' || name === 'lose')).toEqual(['count', 'lose']);
  });

  it('loses a worker when its lease ends, and not before', async () => {
    const leading = leader(1);
    await pass(5, leading);
    const silent = await worker();
    const alive = await worker();
    expect(await pass(29, leading)).toBe(0);
    await renew(alive);
    expect(await pass(2, leading)).toBe(1);
    expect([await isLost(silent), await isLost(alive)]).toEqual([true, false]);
    expect(await service.view()).toMatchObject({ state: 'RUNNING', reason: null, silentWorkers: 0 });
  });
});

describe('a lease clock without a gateway', () => {
  it('stands still, and gives leases their full time when a gateway accepts pilots again', async () => {
    const leading = leader(1);
    await pass(5, leading);
    const id = await worker();
    expect(await pass(300, leading, { gateway: false })).toBe(0);
    expect(await service.view()).toMatchObject({
      state: 'STOPPED',
      reason: 'no gateway reports that it accepts pilots',
      silentWorkers: 0,
    });
    expect(await pass(30, leading)).toBe(0);
    expect(await isLost(id)).toBe(false);
    expect(await pass(3, leading)).toBe(1);
  });

  it('runs where no gateway is needed', async () => {
    const leading = leader(1, { needsGateway: false });
    await worker();
    expect(await pass(31, leading, { gateway: false })).toBe(1);
  });

  it('loses no worker before the first report of a term', async () => {
    const leading = leader(1);
    await worker();
    await clocks.report('gateway_1', false);
    expect(await pass(100, leading, { gateway: false })).toBe(0);
    expect((await service.view()).gateways).toMatchObject([{ _id: 'gateway_1', isAcceptingPilots: false }]);
  });

  it('goes on while another gateway accepts pilots', async () => {
    const leading = leader(1);
    await pass(1, leading);
    await worker();
    await clocks.report('gateway_2', false);
    expect(await pass(31, leading)).toBe(1);
  });

  it('prolongs leases by a short pause of the reports, and no more', async () => {
    const leading = leader(1);
    await pass(5, leading);
    await worker();
    await pass(4, leading, { gateway: false });
    // The lease ends after 35 s: 5 s lie between two reports.
    expect(await pass(30, leading)).toBe(0);
    expect(await pass(2, leading)).toBe(1);
  });
});

describe('a lease clock whose process is slow', () => {
  it('prolongs leases by the time between two checks that are too far apart', async () => {
    const leading = leader(1);
    await pass(5, leading);
    await worker();
    clock.advance(4000);
    expect(await pass(29, leading)).toBe(0);
    expect(await pass(1, leading)).toBe(0);
    expect(await pass(3, leading)).toBe(1);
  });

  it('prolongs leases by a stall of the event loop of more than a second', async () => {
    const leading = leader(1);
    await pass(5, leading);
    await worker();
    await pass(4, leading);
    stallMs = 1500;
    await pass(1, leading);
    stallMs = 999;
    expect(await pass(26, leading)).toBe(0);
    expect(await pass(1, leading)).toBe(1);
  });

  it('gives leases their full time after a long pause', async () => {
    const leading = leader(1);
    await pass(5, leading);
    await worker();
    clock.advance(120_000);
    expect(await pass(30, leading)).toBe(0);
    expect(await pass(2, leading)).toBe(1);
  });
});

describe('the lease clock of a new leader', () => {
  it('gives leases their full time', async () => {
    await worker();
    clock.advance(600_000);
    const leading = leader(2);
    expect(await pass(29, leading)).toBe(0);
    expect(await pass(2, leading)).toBe(1);
  });

  it('is not disturbed by the former leader, which loses nothing any more', async () => {
    const former = leader(1);
    await pass(1, former);
    await worker();
    const leading = leader(2);
    await leading.loseEnded();
    expect(await pass(60, former)).toBe(0);
    expect((await leading.loseEnded()).lost).toBe(0);
    expect(await pass(31, leading)).toBe(1);
  });
});

describe('a lease clock after a failed write', () => {
  it('stands still until the store confirms writes, and then gives leases their full time', async () => {
    const leading = leader(1);
    await pass(5, leading);
    await worker();
    const beat = clocks.beat.bind(clocks);
    clocks.beat = () => Promise.reject(new Error('no majority'));
    clock.advance(1000);
    await expect(leading.loseEnded()).rejects.toThrow('no majority');
    clocks.beat = beat;
    clock.advance(1000);
    expect(await pass(29, leading)).toBe(0);
    expect(await pass(3, leading)).toBe(1);
  });
});

describe('workers that fall silent together', () => {
  const manyWorkers = async (count: number): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, () => worker()));

  it('keeps their leases until their share falls', async () => {
    const leading = leader(1);
    await pass(1, leading);
    const all = await manyWorkers(20);
    const alive = async (from: number) => {
      for (const id of all.slice(from)) await renew(id);
    };
    for (let round = 0; round < 5; round += 1) {
      await alive(5);
      expect(await pass(10, leading)).toBe(0);
    }
    const { since, ...view } = await service.view();
    expect(view).toMatchObject({
      state: 'POSTPONED',
      reason: '5 of 20 workers fell silent within the time of one lease',
      silentWorkers: 5,
      workers: 20,
    });
    expect(view.postponedUntil?.getTime()).toBeLessThanOrEqual(since.getTime() + massSilenceLimits.longestMs);
    // One of them returns: four are left.
    await renew(all[0] ?? '');
    expect(await pass(1, leading)).toBe(4);
    expect(await Promise.all(all.map(isLost))).toEqual(all.map((_, index) => index > 0 && index < 5));
    expect(await pass(1, leading)).toBe(0);
    expect(await service.view()).toMatchObject({ state: 'RUNNING', postponedUntil: null });
  });

  it('loses them after the longest postponement, also if the leader changes meanwhile', async () => {
    const limits = { massSilence: { ...massSilenceLimits, longestMs: 120_000 } };
    let leading = leader(1, limits);
    await pass(1, leading);
    await manyWorkers(10);
    expect(await pass(60, leading)).toBe(0);
    const { since } = await service.view();
    leading = leader(2, limits);
    // The new leader gives the leases their full time, and does not begin again.
    expect(await pass(60, leading)).toBe(0);
    expect(await service.view()).toMatchObject({ state: 'POSTPONED', since });
    expect(await pass(35, leading)).toBe(10);
  });

  it('loses them when their leases end next, if the store fails at the end of the postponement', async () => {
    const leading = leader(1, { massSilence: { ...massSilenceLimits, longestMs: 120_000 } });
    await pass(1, leading);
    await manyWorkers(10);
    expect(await pass(60, leading)).toBe(0);
    const lose = endedLeases.lose.bind(endedLeases);
    endedLeases.lose = () => Promise.reject(new Error('no majority'));
    await expect(pass(100, leading)).rejects.toThrow('no majority');
    endedLeases.lose = lose;
    // The leases get their full time again; the postponement does not.
    expect(await pass(30, leading)).toBe(0);
    expect(await pass(3, leading)).toBe(10);
  });
});
