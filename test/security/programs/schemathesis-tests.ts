/** Runs of schemathesis as tests, in the length of `npm test` and of `npm run soak`. */
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { AttackSystem } from '../attack/attack-system.js';
import { leaksIn, mark, type Mark } from '../attack/invariants.js';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { principals, schemathesis, type SchemathesisOptions, type SchemathesisResult } from './programs.js';

/** The system under test, and its state before all tests. */
export interface Tested {
  readonly system: AttackSystem;
  readonly before: Mark;
}

/**
 * Runs it, each time for twice as long, until it has made requests: its time begins with its own start, which
 * alone takes longer on a busy machine.
 */
async function untilItRequests(
  system: AttackSystem,
  as: (typeof principals)[number],
  { seconds, seed }: SchemathesisOptions,
): Promise<SchemathesisResult> {
  const result = await schemathesis(system, as, { seconds, seed });
  if (result.code !== 0 || result.generated > 0) return result;
  return untilItRequests(system, as, { seconds: 2 * seconds, seed });
}

/** Declares the tests. @param tested the system, once it has started */
export function schemathesisTests({ seconds, seed }: SchemathesisOptions, tested: () => Tested): void {
  describe('schemathesis', () => {
    it.each(principals)(`finds nothing as %s (seed ${seed})`, async (as) => {
      const { code, report } = await untilItRequests(tested().system, as, { seconds, seed });
      expect({ code, report: code === 0 ? '' : report }).toEqual({ code: 0, report: '' });
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
