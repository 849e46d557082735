import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type TestSystem, startTestSystem } from './test-system.js';
import type { StreamTestSetup } from './stream-test-setup.js';

/**
 * Opens one test system for the tests of a file, and checks after each test that nothing is left: no client,
 * no upstream, no subscription.
 *
 * @param use receives the system before the first test
 */
export function useStreamSystem(use: (system: TestSystem) => void, setup: () => StreamTestSetup): void {
  let system: TestSystem;

  beforeAll(async () => {
    system = await startTestSystem();
    use(system);
  });

  afterEach(async () => {
    await setup().close();
    await waitFor('the end of all upstreams', () => system.log.open === 0, { deadlineMs: 500 });
    expect(setup().hub.open).toEqual({ streams: 0, upstreams: 0 });
  });

  afterAll(() => system.served.close());
}
