/** The system under attack, for tests that send very many calls. */
import { expect } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { type AttackSystem, startAttackSystem } from './attack-system.js';
import { leaksIn, mark, type Mark } from './invariants.js';

/** The system, and its state before all tests. */
export interface MarkedSystem {
  readonly system: AttackSystem;
  readonly before: Mark;
}

/** Starts the system. */
export async function startMarkedSystem(): Promise<MarkedSystem> {
  const system = await startAttackSystem();
  return { system, before: await mark(system) };
}

/** Jobs and tasks are whole, once the work in the background has ended. */
export async function expectWhole({ system: { store } }: MarkedSystem): Promise<void> {
  await waitFor('the end of work in the background', () => isAtRest(store), { deadlineMs: 120_000 });
  expect(await faultsIn(store)).toEqual([]);
}

/** The processes still run, and no secret is where it must not be. */
export async function expectIntact({ system, before }: MarkedSystem): Promise<void> {
  expect((await mark(system)).processes).toEqual(before.processes);
  expect(await leaksIn(system)).toEqual([]);
}
