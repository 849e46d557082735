import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Interface objects with @requires: of the interface's owner, of each other, and in addition to those of
// concrete types.

type Source = Readonly<Record<string, unknown>>;

const film = { __typename: 'Film', id: 'f', minutes: 90 };
const song = { __typename: 'Song', id: 's', bpm: 120 };
const find = ({ id }: Source): Source | undefined => [film, song].find((one) => one.id === id);
const title = ({ id }: Source, { lang }: Source): string => `${String(id)}-${String(lang)}`;

const owner = testSubgraph({
  name: 'owner',
  sdl: `
    type Query { media: [Media!]! one(id: ID!): Media films: [Film!]! grid: [[Media!]!]! }
    interface Media @key(fields: "id") { id: ID! title(lang: String = "en"): String size: Size }
    type Size { w: Int h: Int }
    type Film implements Media @key(fields: "id") { id: ID! title(lang: String = "en"): String size: Size minutes: Int }
    type Song implements Media @key(fields: "id") { id: ID! title(lang: String = "en"): String size: Size bpm: Int }
  `,
  resolvers: {
    Query: {
      media: () => [film, song],
      one: (_: unknown, args: Source) => find(args),
      films: () => [film],
      grid: () => [[film, song], [song]],
    },
    Media: { __resolveReference: find },
    Film: { title, size: () => ({ w: 1, h: 2 }), __resolveReference: find },
    Song: { title, size: () => ({ w: 3, h: 4 }), __resolveReference: find },
  },
});

const ratings = testSubgraph({
  name: 'ratings',
  sdl: `
    type Query { top: [Media!]! }
    type Media @key(fields: "id") @interfaceObject {
      id: ID!
      title(lang: String = "en"): String @external
      size: Size @external
      slogan: String @requires(fields: "title(lang: \\"de\\")")
      area: Int @requires(fields: "size { w h }")
      stars: Int
      next: Media
    }
    type Size { w: Int @external h: Int @external }
  `,
  resolvers: {
    Query: { top: () => [{ id: 's' }, { id: 'f' }] },
    Media: {
      slogan: (media: Source) => `See ${String(media['title'])}`,
      area: ({ size }: { size: { w: number; h: number } }) => size.w * size.h,
      stars: ({ id }: Source) => (id === 'f' ? 5 : 3),
      next: ({ id }: Source) => ({ id: id === 'f' ? 's' : 'f' }),
    },
  },
});

const charts = testSubgraph({
  name: 'charts',
  sdl: `
    type Media @key(fields: "id") @interfaceObject {
      id: ID! stars: Int @external area: Int @external rank: String @requires(fields: "stars area")
    }
  `,
  resolvers: { Media: { rank: ({ stars, area }: Source) => `${String(stars)}/${String(area)}` } },
});

const cinema = testSubgraph({
  name: 'cinema',
  sdl: `type Film @key(fields: "id") { id: ID! minutes: Int @external shown: String @requires(fields: "minutes") }`,
  resolvers: { Film: { shown: ({ minutes }: Source) => `${String(minutes)} min` } },
});

describe.each(['native', 'fallback'] as const)(
  'interface objects with @requires, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([owner, ratings, charts, cinema], { planner });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, string]>([
      [
        "a field with an argument, next to the client's own",
        '{ media { title(lang: "fr") t: title slogan } }',
        '{"media":[{"title":"f-fr","t":"f-en","slogan":"See f-de"},{"title":"s-fr","t":"s-en","slogan":"See s-de"}]}',
      ],
      [
        'an object, of which the client wants another part',
        '{ media { size { h } area } }',
        '{"media":[{"size":{"h":2},"area":2},{"size":{"h":4},"area":12}]}',
      ],
      [
        'the same where the way begins at the interface object',
        '{ top { slogan __typename area } }',
        '{"top":[{"slogan":"See s-de","__typename":"Song","area":12},{"slogan":"See f-de","__typename":"Film","area":2}]}',
      ],
      [
        'what another interface object adds and requires itself',
        '{ media { rank } top { rank } }',
        '{"media":[{"rank":"5/2"},{"rank":"3/12"}],"top":[{"rank":"3/12"},{"rank":"5/2"}]}',
      ],
      [
        'in addition to those of a concrete type',
        '{ films { rank slogan shown } }',
        '{"films":[{"rank":"5/2","slogan":"See f-de","shown":"90 min"}]}',
      ],
      [
        'the same in fragments, from the interface',
        '{ media { ... on Film { shown rank } ... on Song { area } } }',
        '{"media":[{"shown":"90 min","rank":"5/2"},{"area":12}]}',
      ],
      [
        'the same in fragments, from the interface object, which the native planner calls impossible',
        '{ top { ... on Film { shown rank } ... on Song { area } } }',
        '{"top":[{"area":12},{"shown":"90 min","rank":"5/2"}]}',
      ],
      [
        'in lists of lists, under keys that mean something else for each type',
        '{ grid { slogan ... on Song { x: rank } ... on Film { x: shown } } }',
        '{"grid":[[{"slogan":"See f-de","x":"90 min"},{"slogan":"See s-de","x":"3/12"}],[{"slogan":"See s-de","x":"3/12"}]]}',
      ],
      [
        'the same field of every type, behind the interface object itself',
        '{ media { next { ... on Film { stars } ... on Song { stars } } } }',
        '{"media":[{"next":{"stars":3}},{"next":{"stars":5}}]}',
      ],
      [
        'the same of one type, two steps behind it',
        '{ media { next { next { ... on Song { stars } } } } }',
        '{"media":[{"next":{"next":{}}},{"next":{"next":{"stars":3}}}]}',
      ],
      [
        'another field for each type, from the interface object, which the native planner fetches for one of them only',
        '{ top { ... on Film { c: stars } ... on Song { stars } } }',
        '{"top":[{"stars":3},{"c":5}]}',
      ],
      [
        'the same behind the interface object itself',
        '{ top { next { ... on Film { c: stars } ... on Song { id ... on Media { stars } } } } }',
        '{"top":[{"next":{"c":5}},{"next":{"id":"s","stars":3}}]}',
      ],
      ['nothing of an object that is not there', '{ one(id: "nope") { rank } }', '{"one":null}'],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });
  },
);
