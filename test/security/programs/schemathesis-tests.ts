/** Runs of schemathesis as tests, in the length of `npm test` and of `npm run soak`. */
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { AttackSystem } from '../attack/attack-system.js';
import { leaksIn, mark, type Mark } from '../attack/invariants.js';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { principals, schemathesis, type SchemathesisOptions } from './programs.js';

/** The system under test, and its state before all tests. */
export interface Tested {
  readonly system: AttackSystem;
  readonly before: Mark;
}

/** Declares the tests. @param tested the system, once it has started */
export function schemathesisTests(options: SchemathesisOptions, tested: () => Tested): void {
  describe('schemathesis', () => {
    it.each(principals)(`finds nothing as %s (seed ${options.seed})`, async (as) => {
      const { code, report, generated } = await schemathesis(tested().system, as, options);
      expect({ code, report: code === 0 ? '' : report }).toEqual({ code: 0, report: '' });
      expect(generated).toBeGreaterThan(0);
    });

    it('leaves jobs and tasks whole, the processes running, and no secret behind', async () => {
      const { system, before } = tested();
      await waitFor('the end of work in the background', () => isAtRest(system.store), {
        deadlineMs: 120_000,
      });
      expect(await faultsIn(system.store)).toEqual([]);
      expect((await mark(system)).processes).toEqual(before.processes);
      expect(await leaksIn(system)).toEqual([]);
    });
  });
}
