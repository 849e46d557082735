// Programs of others against the whole system: they guess names and send what their authors thought of.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { type MarkedSystem, startMarkedSystem } from '../attack/marked-system.js';
import { guessedFields, nearWords, realWords } from './programs.js';
import { schemathesisTests } from './schemathesis-tests.js';

let tested: MarkedSystem;

beforeAll(async () => {
  tested = await startMarkedSystem();
});

describe('clairvoyance, which guesses the names of a schema', () => {
  it.each(['gateway', 'identities'])(
    'learns no field name without a token from the endpoint of %s',
    async (at) => {
      const url = `${tested.system.origin(at)}/graphql`;
      expect(await guessedFields({ url, words: nearWords })).toEqual([]);
      expect(await guessedFields({ url, words: realWords })).toEqual([]);
    },
  );

  it('learns no field name with a token where the schema is hidden', async () => {
    const { system } = tested;
    const url = `${system.origin('identities')}/graphql`;
    expect(await guessedFields({ url, words: nearWords, token: system.tokens.reader })).toEqual([]);
  });

  it('learns many where the caller may read the schema, so that the tests above show something', async () => {
    const { system } = tested;
    const url = `${system.origin('gateway')}/graphql`;
    const guessed = await guessedFields({ url, words: nearWords, token: system.tokens.reader });
    expect(guessed).toEqual(expect.arrayContaining(['Query.jobs', 'Query.workers', 'Job.owner']));
  });
});

// A number of examples, not a time: on a busy machine, the start of the program alone takes a while.
schemathesisTests({ examples: 1, seed: 1 }, () => tested);
