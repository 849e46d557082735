// Named attacks on every entry point with the rights of each role. Each has its outcome; after each group the
// system is as it was: processes, data, streams and memory.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AttackSystem, experiments, startAttackSystem } from './attack-system.js';
import { compared, faultsOf } from './case.js';
import { groups } from './groups.js';
import { gaugesOf, leaksIn, mark, type Mark, untilFollowed, useOf } from './invariants.js';
import { enrolWorker } from './worker-cases.js';

const limit = { deadlineMs: 120_000 };
/** More memory than a process may hold after all attacks than before, in MiB; one bomb took 2,000. */
const grownMib = 500;
/** More connections than before: those of pools. A leak of one for each case would be many times more. */
const grownSockets = 60;

const all = Object.values(groups).flat();
let system: AttackSystem;
let uses: Awaited<ReturnType<typeof useOf>>;

beforeAll(async () => {
  system = await startAttackSystem();
  await untilFollowed(system, experiments.length);
  await enrolWorker(system);
  uses = await useOf(system);
});

it('has at least 300 cases, each with a name of its own', () => {
  const names = all.map(({ name }) => name);
  expect(names.length).toBeGreaterThanOrEqual(300);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

describe.each(Object.entries(groups))('%s', (_, cases) => {
  let before: Mark;

  beforeAll(async () => {
    before = await mark(system);
  });

  it.each(cases.map((one) => [one.name, one] as const))('withstands %s', async (name, { run, expected }) => {
    const outcome = await run(system);
    system.evidence.keep(name, outcome.text);
    const [wanted, got] = compared(expected, outcome);
    expect(got).toEqual(wanted);
    expect(faultsOf(outcome)).toEqual([]);
  });

  it('leaves processes and data as they were', async () => {
    const { processes, stored } = await mark(system);
    expect(processes).toEqual(before.processes);
    expect(stored).toEqual(before.stored);
  });

  it('leaves no streams, sockets and operations behind', async () => {
    const isAsBefore = async (): Promise<boolean> =>
      JSON.stringify(await gaugesOf(system)) === JSON.stringify(before.gauges);
    await waitFor('the end of what the attacks have opened', isAsBefore, limit).catch(() => undefined);
    expect(await gaugesOf(system)).toEqual(before.gauges);
  });
});

describe('the whole attack', () => {
  it('leaves memory and connections within bounds', async () => {
    for (const [name, { mib, sockets }] of Object.entries(await useOf(system))) {
      const first = uses[name] ?? { mib: 0, sockets: 0 };
      expect({ name, mib, isBounded: mib < first.mib + grownMib }).toMatchObject({ isBounded: true });
      expect({ name, sockets, isBounded: sockets < first.sockets + grownSockets }).toMatchObject({
        isBounded: true,
      });
    }
  });

  it('leaves no secret in answers, logs, the store and its oplog', async () => {
    expect(await leaksIn(system)).toEqual([]);
  });
});
