import { beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { ensureCollections } from '@rhizome/mongo';
import { type ManualClock, manualClock, testDatabase } from '@rhizome/testkit';
import { failedGuessesCollection } from './failed-guess.document.js';
import { FailedGuesses } from './failed-guesses.js';
import { FailedGuessesRepository } from './failed-guesses.repository.js';

const limit = { count: 3, periodMs: 60_000 };
const address = '192.0.2.7';

describe('FailedGuesses', () => {
  let clock: ManualClock;
  let gateways: FailedGuesses[];
  beforeEach(async () => {
    const db = await testDatabase('guesses');
    await ensureCollections(db, [failedGuessesCollection], { log: silentLogger() });
    clock = manualClock();
    const failures = new FailedGuessesRepository(db);
    gateways = [1, 2].map(() => new FailedGuesses({ failures, clock, log: silentLogger() }));
  });

  it('counts the failures at all gateways, without a read before a guess', async () => {
    const [here, there] = gateways as [FailedGuesses, FailedGuesses];
    for (let n = 0; n < 3; n++) expect(await here.add(address, limit)).toBe(true);
    expect(here.left(address, limit)).toBe(0);
    // Nothing has arrived at the other gateway yet: the answer to the write brings it.
    expect(there.left(address, limit)).toBe(3);
    expect(await there.add(address, limit)).toBe(false);
    expect(there.left(address, limit)).toBe(0);
    expect(there.left('192.0.2.8', limit)).toBe(3);
  });

  it('learns failures at other gateways by their changes', async () => {
    const [here, there] = gateways as [FailedGuesses, FailedGuesses];
    for (let n = 0; n < 3; n++) await here.add(address, limit);
    await there.refresh(['192.0.2.8']);
    expect(there.left(address, limit)).toBe(3);
    await there.refresh([address]);
    expect(there.secondsUntilNext(address, limit)).toBe(60);
  });

  it('allows a guess again when the oldest failure is older than the period', async () => {
    const [here] = gateways as [FailedGuesses];
    for (let n = 0; n < 3; n++) {
      await here.add(address, limit);
      clock.advance(10_000);
    }
    expect(here.secondsUntilNext(address, limit)).toBe(30);
    clock.advance(30_001);
    expect([here.left(address, limit), here.secondsUntilNext(address, limit)]).toEqual([1, 0]);
    expect(await here.add(address, limit)).toBe(true);
    expect(here.left(address, limit)).toBe(0);
  });

  it('limits the guesses at one gateway while the store cannot be written', async () => {
    const failures = { add: () => Promise.reject(new Error('down')), current: () => Promise.resolve([]) };
    const alone = new FailedGuesses({
      failures: failures as unknown as FailedGuessesRepository,
      clock,
      log: silentLogger(),
    });
    for (let n = 0; n < 3; n++) expect(await alone.add(address, limit)).toBe(true);
    expect(await alone.add(address, limit)).toBe(false);
    expect(alone.left(address, limit)).toBe(0);
  });
});
