import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { type TestSubgraph, testSubgraph } from '../testing/test-subgraph.js';

// Abstract types that one subgraph owns and another extends, with either planner.

type Source = Readonly<Record<string, unknown>>;

/** An interface that one subgraph owns and another extends without knowing its types. */
function media(): TestSubgraph[] {
  const all = [
    { __typename: 'Film', id: 'f1', title: 'One', minutes: 90, secret: 's' },
    { __typename: 'Song', id: 's1', title: 'Two', bpm: 120 },
  ];
  const owner = testSubgraph({
    name: 'owner',
    sdl: `
      type Query { media: [Media!]! any: [Any] film: Film }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int kind: Kind }
      type Song implements Media @key(fields: "id") { id: ID! title: String bpm: Int kind: Kind }
      type Hidden @inaccessible { x: Int }
      enum Kind { A B @inaccessible }
      union Any = Film | Song | Hidden
    `,
    resolvers: {
      Query: {
        media: () => all,
        any: () => [all[0], { __typename: 'Hidden', x: 1 }, all[1]],
        film: () => all[0],
      },
      Media: { __resolveReference: ({ id }: Source) => all.find((one) => one.id === id) },
      Film: { kind: () => 'B' },
      Song: { kind: () => 'A' },
    },
  });
  const ratings = testSubgraph({
    name: 'ratings',
    sdl: `
      type Query { best: Media top: [Media!]! }
      type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int title: String @external slogan: String @requires(fields: "title") }
    `,
    resolvers: {
      Query: { best: () => ({ id: 's1' }), top: () => [{ id: 'f1' }, { id: 's1' }] },
      Media: {
        stars: ({ id }: Source) => String(id).length,
        slogan: ({ title }: Source) => `See ${String(title)}!`,
        __resolveReference: (rep: Source) => rep,
      },
    },
  });
  return [owner, ratings];
}

describe.each(['native', 'fallback'] as const)('interfaces, by the %s planner', (planner) => {
  let gateway: TestEngine;
  beforeAll(async () => {
    gateway = await createTestEngine(media(), { planner });
  });
  afterAll(() => gateway.close());

  it.each([
    [
      'fields of the interface and of its types',
      '{ media { title ... on Film { minutes } ... on Song { bpm } id } }',
      '{"media":[{"title":"One","minutes":90,"id":"f1"},{"title":"Two","bpm":120,"id":"s1"}]}',
    ],
    [
      'a field that an interface object adds',
      '{ media { stars id } }',
      '{"media":[{"stars":2,"id":"f1"},{"stars":2,"id":"s1"}]}',
    ],
    ['the same of a concrete type', '{ film { stars slogan } }', '{"film":{"stars":2,"slogan":"See One!"}}'],
    [
      'a type name that only the other subgraph knows',
      '{ best { t: __typename __typename } }',
      '{"best":{"t":"Song","__typename":"Song"}}',
    ],
    [
      'fields of the true types from an interface object',
      '{ top { __typename ... on Song { bpm } ... on Film { minutes stars } } }',
      '{"top":[{"__typename":"Film","minutes":90,"stars":2},{"__typename":"Song","bpm":120}]}',
    ],
    [
      'what an interface object requires',
      '{ top { slogan } }',
      '{"top":[{"slogan":"See One!"},{"slogan":"See Two!"}]}',
    ],
    ['only what the interface object has itself', '{ best { id stars } }', '{"best":{"id":"s1","stars":2}}'],
    [
      'a hidden type reads as null',
      '{ any { __typename ... on Film { id } } }',
      '{"any":[{"__typename":"Film","id":"f1"},null,{"__typename":"Song"}]}',
    ],
    [
      'a hidden enum value reads as null',
      '{ media { ... on Film { kind } ... on Song { kind } } }',
      '{"media":[{"kind":null},{"kind":"A"}]}',
    ],
    [
      'fragments in fragments, keys in order of first appearance',
      '{ media { ...A ... on Media { id ...B } } } fragment A on Media { ... on Song { bpm } title } fragment B on Film { minutes id }',
      '{"media":[{"title":"One","id":"f1","minutes":90},{"bpm":120,"title":"Two","id":"s1"}]}',
    ],
    [
      'a fragment that never applies',
      '{ film { ... on Media { ... on Song { bpm } title } } }',
      '{"film":{"title":"One"}}',
    ],
  ])('resolves %s', async (_name, query, data) => {
    expect(await gateway.text(query)).toBe(`{"data":${data}}`);
  });

  it('rejects an operation that uses a hidden value', async () => {
    const answer = await gateway.run('{ any { ... on Hidden { x } } }');
    expect(answer.errors?.[0]?.message).toContain('Unknown type "Hidden"');
  });

  it('reports no error for a value that clients cannot see', async () => {
    expect(
      (await gateway.run('{ any { __typename } media { ... on Film { kind } } }')).errors,
    ).toBeUndefined();
  });
});
