/**
 * Every mutation with inputs that are generated from its input type. Whatever comes, the answer has a code,
 * no process ends, and everything that is stored holds the invariants.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AttackSystem, startAttackSystem } from '../attack/attack-system.js';
import { leaksIn, mark, type Mark } from '../attack/invariants.js';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { countsOf, fuzz, type FuzzOptions, mutations } from './fuzz.js';

/** Declares the tests, with this number of calls of each mutation. */
export function fuzzTests({ seed, calls }: FuzzOptions): void {
  let system: AttackSystem;
  let before: Mark;

  beforeAll(async () => {
    system = await startAttackSystem();
    before = await mark(system);
  });

  describe('every mutation with generated inputs', () => {
    it(`answers with a code, and never with an error of the server (seed ${seed})`, async () => {
      const { codes, faults, calls: made, reached, succeeded } = await fuzz(system, { seed, calls });
      process.stderr.write(`fuzz: seed ${seed}, ${made} calls, ${JSON.stringify(codes)}\n`);
      expect(faults).toEqual([]);
      expect(made).toBe(mutations().length * calls);
      // Inputs that are all refused at the gate would show nothing.
      const missed = mutations().filter(({ name }) => !reached.has(name));
      // Only a gateway itself may report its availability.
      expect(missed.map(({ name }) => name)).toEqual(['reportGateway']);
      expect(codes).not.toHaveProperty('GRAPHQL_VALIDATION_FAILED');
      expect(succeeded.size).toBeGreaterThan(mutations().length / 2);
    });

    it('leaves every job and task whole, and the counts right', async () => {
      await waitFor('the end of work in the background', () => isAtRest(system.store), {
        deadlineMs: 120_000,
      });
      expect(await faultsIn(system.store)).toEqual([]);
      // Counts follow the events of jobs.
      const areEqual = async (): Promise<boolean> => {
        const { counted, stored } = await countsOf(system);
        return JSON.stringify(counted) === JSON.stringify(stored);
      };
      await waitFor('equal counts', areEqual, { deadlineMs: 60_000 }).catch(() => undefined);
      const { counted, stored } = await countsOf(system);
      expect(counted).toEqual(stored);
    });

    it('leaves the processes running, and no secret behind', async () => {
      expect((await mark(system)).processes).toEqual(before.processes);
      expect(await leaksIn(system)).toEqual([]);
    });
  });
}
