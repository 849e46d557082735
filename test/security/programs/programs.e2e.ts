// Programs of others against the whole system: they guess names and send what their authors thought of.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type AttackSystem, startAttackSystem } from '../attack/attack-system.js';
import { mark, type Mark } from '../attack/invariants.js';
import { guessedFields, nearWords, realWords } from './programs.js';
import { schemathesisTests } from './schemathesis-tests.js';

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

// A number of examples, not a time: on a busy machine, the start of the program alone takes a while.
schemathesisTests({ examples: 1, seed: 1 }, () => ({ system, before }));
