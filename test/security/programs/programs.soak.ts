// Schemathesis as five principals for five minutes; programs.e2e.ts runs it for one.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AttackSystem, startAttackSystem } from '../attack/attack-system.js';
import { leaksIn, mark, type Mark } from '../attack/invariants.js';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { principals, schemathesis } from './programs.js';

const seconds = 60;
const seed = 2;
let system: AttackSystem;
let before: Mark;

beforeAll(async () => {
  system = await startAttackSystem();
  before = await mark(system);
});

describe('schemathesis', () => {
  it.each(principals)(`finds nothing as %s (seed ${seed})`, async (as) => {
    const { code, generated, report } = await schemathesis(system, as, { seconds, seed });
    expect({ code, report: code === 0 ? '' : report }).toEqual({ code: 0, report: '' });
    expect(generated).toBeGreaterThan(0);
  });

  it('leaves jobs and tasks whole, the processes running, and no secret behind', async () => {
    await waitFor('the end of work in the background', () => isAtRest(system.store), { deadlineMs: 120_000 });
    expect(await faultsIn(system.store)).toEqual([]);
    expect((await mark(system)).processes).toEqual(before.processes);
    expect(await leaksIn(system)).toEqual([]);
  });
});
