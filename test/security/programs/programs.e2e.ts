// Programs of others against the whole system: they guess names and send what their authors thought of.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type AttackSystem, startAttackSystem } from '../attack/attack-system.js';
import { leaksIn, mark, type Mark } from '../attack/invariants.js';
import { faultsIn, isAtRest } from '../store-invariants.js';
import { guessedFields, nearWords, principals, realWords, schemathesis } from './programs.js';

/** Seconds for each principal: a minute in all. */
const seconds = 12;
const seed = 1;
let system: AttackSystem;
let before: Mark;

beforeAll(async () => {
  system = await startAttackSystem();
  before = await mark(system);
});

describe('clairvoyance', () => {
  it.each(['gateway', 'identities'])('guesses no field name without a token at %s', async (at) => {
    const url = `${system.origin(at)}/graphql`;
    expect(await guessedFields({ url, words: nearWords })).toEqual([]);
    expect(await guessedFields({ url, words: realWords })).toEqual([]);
  });

  it('guesses no field name with a token where the schema is hidden', async () => {
    const url = `${system.origin('identities')}/graphql`;
    expect(await guessedFields({ url, words: nearWords, token: system.tokens.reader })).toEqual([]);
  });

  it('guesses many where the caller may read the schema, so that the tests above show something', async () => {
    const url = `${system.origin('gateway')}/graphql`;
    const guessed = await guessedFields({ url, words: nearWords, token: system.tokens.reader });
    expect(guessed).toEqual(expect.arrayContaining(['Query.jobs', 'Query.workers', 'Job.owner']));
  });
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
