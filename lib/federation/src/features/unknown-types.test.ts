import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { DomainError } from '@rhizome/errors';
import { GraphQLError } from 'graphql';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';
import { createInProcessTransport } from '../transport/in-process.js';

// Only the owner of an interface knows the concrete type of objects from an interface object. If the owner
// does not return it, selections by type are neither omitted silently nor answered with the name of the
// interface.

type Source = Readonly<Record<string, unknown>>;
const kinds: Readonly<Record<string, string>> = { f: 'Film', s: 'Song' };

const owner = testSubgraph({
  name: 'owner',
  sdl: `
    type Query { media: [Media] }
    interface Media @key(fields: "id") { id: ID! title: String }
    type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int! reel: Int }
    type Song implements Media @key(fields: "id") { id: ID! title: String }
  `,
  resolvers: {
    Media: { __resolveReference: ({ id }: Source) => id !== 'gone' && { __typename: kinds[String(id)], id } },
    Film: {
      minutes: () => {
        throw new GraphQLError('nobody measured it', { extensions: { code: 'NOT_FOUND' } });
      },
      reel: () => 3,
    },
  },
});
const ratings = testSubgraph({
  name: 'ratings',
  sdl: `
    type Query { top: [Media] must: Media! gone: Media }
    type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int }
  `,
  resolvers: {
    Query: { top: () => [{ id: 'f' }, { id: 's' }], must: () => ({ id: 'f' }), gone: () => ({ id: 'gone' }) },
    Media: { stars: () => 5 },
  },
});

describe.each(['native', 'fallback'] as const)('objects of unknown type, by the %s planner', (planner) => {
  let gateway: TestEngine;
  let isDown = false;
  beforeAll(async () => {
    gateway = await createTestEngine([owner, ratings], {
      planner,
      transports: (name) => {
        const transport = createInProcessTransport(name === 'owner' ? owner : ratings);
        const down = new DomainError('DOWNSTREAM_SERVICE_ERROR', 'it is down');
        return {
          ...transport,
          execute: (request) =>
            name === 'owner' && isDown ? Promise.reject(down) : transport.execute(request),
        };
      },
    });
  });
  afterEach(() => void (isDown = false));
  afterAll(() => gateway.close());
  const dataAndErrors = async (query: string): Promise<unknown> => {
    const { data, errors } = await gateway.run(query);
    return { data, errors: errors?.map(({ path, extensions: { code, paths } }) => [code, paths ?? path]) };
  };

  it.each<[string, string, unknown, unknown[]]>([
    [
      'their name',
      '{ top { __typename } }',
      { top: [null, null] },
      [
        ['top', 0],
        ['top', 1],
      ],
    ],
    [
      'fields of one type',
      '{ top { ... on Film { reel } } }',
      { top: [null, null] },
      [
        ['top', 0],
        ['top', 1],
      ],
    ],
    ['a name in a fragment', '{ must { ...T } } fragment T on Media { __typename }', null, [['must']]],
  ])('returns null with an error if the owner is down: %s', async (_what, query, data, [path, ...more]) => {
    isDown = true;
    const places = more.length > 0 ? [path, ...more] : path;
    expect(await dataAndErrors(query)).toEqual({ data, errors: [['DOWNSTREAM_SERVICE_ERROR', places]] });
  });

  it.each([
    ['nothing is', '{ top { stars ... @skip(if: true) { __typename } } }'],
    ['what is, is skipped', '{ top { stars ... on Film { reel @skip(if: true) } } }'],
  ])('needs no type where %s selected by it', async (_what, query) => {
    isDown = planner === 'native';
    expect(await dataAndErrors(query)).toEqual({
      data: { top: [{ stars: 5 }, { stars: 5 }] },
      errors: undefined,
    });
  });

  it('keeps the path of an error that nulls the object', async () => {
    expect(await dataAndErrors('{ top { ... on Film { minutes } } }')).toEqual({
      data: { top: [null, {}] },
      errors: [['NOT_FOUND', ['top', 0, 'minutes']]],
    });
  });

  it('returns null with an error if the owner does not know the object', async () => {
    expect(await dataAndErrors('{ gone { __typename } }')).toEqual({
      data: { gone: null },
      errors: [['DOWNSTREAM_SERVICE_ERROR', ['gone']]],
    });
  });

  it('returns the type if the owner knows the object', async () => {
    expect(await dataAndErrors('{ top { __typename ... on Film { reel } } }')).toEqual({
      data: { top: [{ __typename: 'Film', reel: 3 }, { __typename: 'Song' }] },
      errors: undefined,
    });
  });
});
