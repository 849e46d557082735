/** For tests: callers of core, and the form of a row: an operation, and what each of them may do with it. */
import type { Principal } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { grantOne, human, type World } from './access.fixture.js';
import { pilotOf } from './core.fixture.js';

/** Callers. All requested entities belong to alpha and are in queue "north". */
export const callers: Readonly<Record<string, Principal>> = {
  'PILOT of another queue': pilotOf('south'),
  'PILOT of this queue': pilotOf('north'),
  'READER of another experiment': human('reader', { beta: 'READER' }),
  'ADMIN of another experiment': human('stranger', { beta: 'ADMIN' }),
  'SERVICE of another experiment': testPrincipal({
    kind: 'SERVICE',
    subject: 'experiment:beta',
    grants: { beta: 'SERVICE' },
  }),
  'AGENT of an ADMIN of this experiment': testPrincipal({
    kind: 'AGENT',
    subject: 'agent',
    actsFor: 'admin@example',
    grants: { alpha: 'ADMIN' },
  }),
};

/** Grants each caller access to jobs that do not exist: it sees the grant, and by it no object of alpha. */
export async function grantToCallers(world: World): Promise<void> {
  for (const { subject } of Object.values(callers))
    await grantOne(world, { subject, owner: 'nobody@example' });
}

/** Operation: request, whether the answer shows or changes entities of alpha, and the expected results. */
export interface Row {
  readonly text: string;
  readonly variables?: (world: World, caller: string) => object;
  /**
   * Returns true if the caller got what it requested; by default, if the first field is neither null nor an
   * empty list.
   */
  readonly got?: (answer: never) => unknown;
  /** One letter per entry of {@link callers}, in order: r(efused), e(mpty), a(llowed). */
  readonly outcomes: string;
}
