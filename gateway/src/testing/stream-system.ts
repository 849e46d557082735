import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type TestSystem, startTestSystem } from './test-system.js';
import type { StreamTestSetup } from './stream-test-setup.js';

/**
 * Opens one house for the tests of a file, which is told of it, and looks after each test that nothing of the test's room is left: no
 * client, no upstream, no subscription in the house.
 */
export function useStreamSystem(tell: (house: TestSystem) => void, room: () => StreamTestSetup): void {
  let house: TestSystem;

  beforeAll(async () => {
    house = await startTestSystem();
    tell(house);
  });

  afterEach(async () => {
    await room().close();
    await waitFor('the end of all upstreams', () => house.log.open === 0, { deadlineMs: 500 });
    expect(room().hub.open).toEqual({ streams: 0, upstreams: 0 });
  });

  afterAll(() => house.served.close());
}
