/**
 * Every mutation with inputs that are generated from its input type. Whatever comes, the answer has a code,
 * no process ends, and everything that is stored holds the invariants.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { expectIntact, expectWhole, type MarkedSystem, startMarkedSystem } from '../attack/marked-system.js';
import { countsOf, fuzz, type FuzzOptions, mutations } from './fuzz.js';

/** Declares the tests, with this number of calls of each mutation. */
export function fuzzTests({ seed, calls }: FuzzOptions): void {
  let tested: MarkedSystem;

  beforeAll(async () => {
    tested = await startMarkedSystem();
  });

  describe('every mutation with generated inputs', () => {
    it(`answers with a code, and never with an error of the server (seed ${seed})`, async () => {
      const { codes, faults, calls: made, reached, succeeded } = await fuzz(tested.system, { seed, calls });
      process.stderr.write(`fuzz: seed ${seed}, ${made} calls, ${JSON.stringify(codes)}\n`);
      expect(faults).toEqual([]);
      expect(made).toBe(mutations().length * calls);
      // Inputs that are all refused at the gate would show nothing.
      const missed = mutations().filter(({ name }) => !reached.has(name));
      // Only a gateway itself may report its availability, only payloads work on units, and only who has just
      // logged in by an issuer links identities.
      expect(missed.map(({ name }) => name).sort()).toEqual([
        ...['addWorkflowNodes', 'completeWorkUnits', 'extendWorkUnits', 'failWorkUnits', 'leaseWorkUnits'],
        'linkIdentity',
        'reportGateway',
      ]);
      expect(codes).not.toHaveProperty('GRAPHQL_VALIDATION_FAILED');
      expect(succeeded.size).toBeGreaterThan(mutations().length / 2);
    });

    it('leaves every job and task whole, and the counts right', async () => {
      await expectWhole(tested);
      // Counts follow the events of jobs.
      const areEqual = async (): Promise<boolean> => {
        const { counted, stored } = await countsOf(tested.system);
        return JSON.stringify(counted) === JSON.stringify(stored);
      };
      await waitFor('equal counts', areEqual, { deadlineMs: 60_000 }).catch(() => undefined);
      const { counted, stored } = await countsOf(tested.system);
      expect(counted).toEqual(stored);
    });

    it('leaves the processes running, and no secret behind', async () => {
      await expectIntact(tested);
    });
  });
}
