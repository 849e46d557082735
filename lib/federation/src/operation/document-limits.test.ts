import { afterEach, describe, expect, it } from '@jest/globals';
import { createTestEngine, type TestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

const subgraph = testSubgraph({
  name: 'core',
  sdl: `
    type Query { me: Me byChoice(choice: Choice): String byChoices(choices: [Choice!]): String must(choice: Choice!): String }
    type Me { id: ID }
    input Choice @oneOf { a: Int b: Int }
    directive @oneOf on INPUT_OBJECT
  `,
  resolvers: { Query: { me: () => ({ id: '1' }), byChoice: () => 'yes' } },
});

let test: TestEngine | undefined;
afterEach(async () => {
  await test?.close();
  test = undefined;
});

async function open(limits: object = {}): Promise<TestEngine> {
  test = await createTestEngine([subgraph], { limits });
  return test;
}

describe('a document', () => {
  it.each([
    ['white space', ' '],
    ['commas', ','],
    ['comments', '# comment\n'],
  ])('is rejected without being parsed if it has more bytes than the limit, of %s', async (_what, filler) => {
    const { run } = await open();
    const query = `{me{id}}${filler.repeat(Math.ceil(2 ** 20 / filler.length) + 1)}`;
    const answer = await run(query);
    expect(answer.errors?.map(({ extensions }) => extensions)).toEqual([
      expect.objectContaining({
        code: 'OPERATION_TOO_COMPLEX',
        field: 'document',
        expected: 'at most 1048576 bytes',
      }),
    ]);
    expect((await run(`{me{id}}${' '.repeat(1000)}`)).data).toEqual({ me: { id: '1' } });
  });

  it('counts bytes, not characters', async () => {
    const { run } = await open({ documentBytes: 100 });
    expect((await run(`{me{id}} #${'é'.repeat(40)}`)).data).toBeDefined();
    expect((await run(`{me{id}} #${'é'.repeat(50)}`)).data).toBeUndefined();
  });

  it('is rejected with the name of the limit if it has 1,000 equal fields', async () => {
    const { run } = await open();
    const answer = await run(`{${'me{id}'.repeat(1000)}}`);
    expect(answer.errors?.map(({ message, extensions }) => [message, extensions['code']])).toEqual([
      [
        'The operation has more than 500000 pairs of fields with the same response key; the limit is 500000',
        'OPERATION_TOO_COMPLEX',
      ],
    ]);
    expect(await run(`{${'me{id}'.repeat(100)}}`)).toEqual({ data: { me: { id: '1' } } });
  });
});

describe('OperationStore', () => {
  it('is bounded by the bytes of its entries', async () => {
    const { engine } = await open({ documentBytes: 2 ** 24 });
    const sizes: number[] = [];
    for (let i = 0; i < 12; i++) {
      const query = `{ me { id } # ${i}\n byChoice(choice: {a: ${i}}) x: __type(name: "${'x'.repeat(8 * 2 ** 20)}${i}") { name } }`;
      const prepared = await engine.prepare({ query, requestId: 'r' });
      expect(prepared.ok).toBe(true);
      sizes.push(engine.stored.bytes);
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(96 * 2 ** 20 + 12);
    expect(engine.stored.operations).toBeLessThan(12);
  });
});

describe('@oneOf', () => {
  it.each([
    ['query ($a: Int) { byChoice(choice: {a: $a}) }', { a: 1 }],
    ['query ($a: Int) { byChoice(choice: {a: $a}) }', {}],
    ['query ($a: Int = 1) { byChoice(choice: {a: $a}) }', {}],
    ['query ($a: Int!, $b: Int!) { byChoice(choice: {a: $a, b: $b}) }', { a: 1, b: 1 }],
    ['query ($a: Int) { must(choice: {a: $a}) }', { a: 1 }],
    ['query ($a: Int) { byChoices(choices: [{a: 2}, {a: $a}]) }', { a: 1 }],
    ['query ($choice: Choice) { byChoice(choice: $choice) }', { choice: { a: null } }],
    ['query ($choice: Choice) { byChoice(choice: $choice) }', { choice: { a: 1, b: 1 } }],
  ])('rejects %s with %j', async (query, variables) => {
    const { run } = await open();
    const answer = await run(query, variables);
    expect(answer.data).toBeUndefined();
    expect(answer.errors).toHaveLength(1);
  });

  it('accepts a non-null variable', async () => {
    const { run } = await open();
    expect((await run('query ($a: Int!) { byChoice(choice: {a: $a}) }', { a: 1 })).data).toEqual({
      byChoice: 'yes',
    });
  });
});
