/** Runs of schemathesis as tests, in the length of `npm test` and of `npm run soak`. */
import { describe, expect, it } from '@jest/globals';
import { expectIntact, expectWhole, type MarkedSystem } from '../attack/marked-system.js';
import { principals, schemathesis, type SchemathesisOptions } from './programs.js';

/** Declares the tests. @param tested the system, once it has started */
export function schemathesisTests(options: SchemathesisOptions, tested: () => MarkedSystem): void {
  describe('schemathesis', () => {
    it.each(principals)(`finds nothing as %s (seed ${options.seed})`, async (as) => {
      const { code, report, generated } = await schemathesis(tested().system, as, options);
      expect({ code, report: code === 0 ? '' : report }).toEqual({ code: 0, report: '' });
      expect(generated).toBeGreaterThan(0);
    });

    it('leaves jobs and tasks whole, the processes running, and no secret behind', async () => {
      await expectWhole(tested());
      await expectIntact(tested());
    });
  });
}
