// Named attacks on every entry point with the rights of each role. Each has its outcome; after each group the
// system is as it was: processes, data, streams and memory.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AttackSystem, startAttackSystem } from './attack-system.js';
import { type AttackCase, compared, faultsOf } from './case.js';
import { copCases } from './cop-cases.js';
import { documentCases } from './document-cases.js';
import { httpCases } from './http-cases.js';
import { gaugesOf, leaksIn, mark, type Mark, untilFollowed, useOf } from './invariants.js';
import { pageCases } from './page-cases.js';
import { registryCases } from './registry-cases.js';
import { roleCases } from './role-cases.js';
import { socketCases } from './socket-cases.js';
import { streamCases } from './stream-cases.js';
import { subgraphCases } from './subgraph-cases.js';
import { tokenCases } from './token-cases.js';
import { tokenEndpointCases } from './token-endpoint-cases.js';
import { enrolWorker, workerCases } from './worker-cases.js';

const groups: Readonly<Record<string, readonly AttackCase[]>> = {
  'requests by HTTP': httpCases,
  tokens: tokenCases,
  documents: documentCases,
  sockets: socketCases,
  'event streams': streamCases,
  'endpoints of tokens': tokenEndpointCases,
  pages: pageCases,
  'the schema registry': registryCases,
  'mutations by role': roleCases,
  'subgraphs asked directly': subgraphCases,
  'a worker of the same queue': workerCases,
  'checks of graphql-cop': copCases,
};

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
  await untilFollowed(system, 2);
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
