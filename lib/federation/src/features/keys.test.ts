import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type TestEngine, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

// Keys of every form, with either planner.

type Source = Readonly<Record<string, unknown>>;

const marks = [{ x: 1, y: ['a', null] }, { y: 2, x: 'é"' }, { x: 1, y: ['a', null] }, 'plain', 0, false, []];

const rows = testSubgraph({
  name: 'rows',
  sdl: `
    scalar JSON
    scalar Big
    type Query { rows: [Row!]! liar: Row cells: [Cell!] only: Only }
    type Row @key(fields: "at") { at: JSON! }
    type Cell @key(fields: "tags") @key(fields: "n") { tags: [String!]! n: Big! }
    type Only @key(fields: "__typename") { here: String }
  `,
  resolvers: {
    Query: {
      rows: () => marks.map((at) => ({ at })),
      liar: () => ({ at: { __typename: 'Lie', id: 3 } }),
      cells: () => [
        { tags: ['p', 'q'], n: '9007199254740993' },
        { tags: [], n: '1' },
      ],
      only: () => ({ here: 'here' }),
    },
  },
});

const texts = testSubgraph({
  name: 'texts',
  sdl: `
    scalar JSON
    type Row @key(fields: "at") { at: JSON! text: String }
    type Cell @key(fields: "tags") { tags: [String!]! joined: String }
    type Only @key(fields: "__typename") { there: There }
    type There { v: Int }
  `,
  resolvers: {
    Row: { text: ({ at }: Source) => JSON.stringify(at) },
    Cell: { joined: ({ tags }: { tags: string[] }) => tags.join('+') },
    Only: { there: () => ({ v: 1 }) },
  },
});

const sums = testSubgraph({
  name: 'sums',
  sdl: 'scalar Big type Cell @key(fields: "n") { n: Big! next: String }',
  resolvers: { Cell: { next: ({ n }: { n: string }) => String(BigInt(n) + 1n) } },
});

describe.each(['native', 'fallback'] as const)(
  'keys that are custom scalars or lists, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([rows, texts, sums], { planner });
    });
    afterAll(() => gateway.close());

    it('sends values of any form unchanged and equal ones once', async () => {
      texts.calls.length = 0;
      const { data, errors } = await gateway.run('{ rows { text } }');
      expect(errors).toBeUndefined();
      expect(data).toEqual({ rows: marks.map((at) => ({ text: JSON.stringify(at) })) });
      const sent = texts.calls.flatMap(({ variables }) => Object.values(variables).flat());
      expect(sent).toHaveLength(marks.length - 1);
    });

    it('treats an object with a __typename inside a scalar as data', async () => {
      expect(await gateway.text('{ liar { text at } }')).toBe(
        '{"data":{"liar":{"text":"{\\"__typename\\":\\"Lie\\",\\"id\\":3}","at":{"__typename":"Lie","id":3}}}}',
      );
    });

    it('accepts lists, including empty ones, next to another key', async () => {
      expect(await gateway.text('{ cells { joined next } }')).toBe(
        '{"data":{"cells":[{"joined":"p+q","next":"9007199254740994"},{"joined":"","next":"2"}]}}',
      );
    });

    it('resolves an operation that selects only the type', async () => {
      expect(await gateway.text('{ only { there { v } here } }')).toBe(
        '{"data":{"only":{"there":{"v":1},"here":"here"}}}',
      );
    });
  },
);

const halls = testSubgraph({
  name: 'halls',
  sdl: `
    type Query { lockers: [Locker] }
    type Locker @key(fields: "hall { building { id } number } row") { hall: Hall! row: Int! }
    type Hall @key(fields: "building { id } number") { building: Building! number: Int! }
    type Building @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      lockers: () => [
        { hall: { building: { id: 'h' }, number: 1 }, row: 5 },
        null,
        { hall: { building: { id: 'i' }, number: 2 }, row: 6 },
      ],
    },
  },
});

interface LockerSource {
  readonly hall?: { readonly building: { readonly id: string }; readonly number: number };
  readonly row?: number;
  readonly code?: string;
}

const codes = testSubgraph({
  name: 'codes',
  sdl: `
    type Locker @key(fields: "hall { building { id } number } row") @key(fields: "code") { hall: Hall! row: Int! code: String! }
    type Hall @key(fields: "building { id } number") { building: Building! number: Int! sponsor: String }
    type Building @key(fields: "id") { id: ID! city: String }
  `,
  resolvers: {
    Locker: {
      hall: ({ hall, code }: LockerSource) =>
        hall ?? { building: { id: code?.[0] }, number: Number(code?.[1]) },
      row: ({ row, code }: LockerSource) => row ?? Number(code?.[2]),
      code: ({ hall, row, code }: LockerSource) => code ?? `${hall?.building.id}${hall?.number}${row}`,
    },
    Hall: { sponsor: ({ building, number }: NonNullable<LockerSource['hall']>) => `${building.id}${number}` },
    Building: { city: ({ id }: Source) => `city of ${String(id)}` },
  },
});

const prices = testSubgraph({
  name: 'prices',
  sdl: 'type Locker @key(fields: "code") { code: String! price: Int neighbour: Locker }',
  resolvers: {
    Locker: {
      price: ({ code }: { code: string }) => code.length,
      neighbour: ({ code }: LockerSource) => ({ code: `${code}n` }),
    },
  },
});

describe.each(['native', 'fallback'] as const)(
  'keys over entities and several keys, by the %s planner',
  (planner) => {
    let gateway: TestEngine;
    beforeAll(async () => {
      gateway = await createTestEngine([halls, codes, prices], { planner });
    });
    afterAll(() => gateway.close());

    it.each<[string, string, string]>([
      [
        'a key that only another subgraph can make of the key at hand',
        '{ lockers { price } }',
        '{"lockers":[{"price":3},null,{"price":3}]}',
      ],
      [
        'entities inside a key are entities',
        '{ lockers { hall { sponsor building { city } } price row } }',
        '{"lockers":[{"hall":{"sponsor":"h1","building":{"city":"city of h"}},"price":3,"row":5},null,{"hall":{"sponsor":"i2","building":{"city":"city of i"}},"price":3,"row":6}]}',
      ],
      [
        'back from the second key to the first',
        '{ lockers { neighbour { code neighbour { code } hall { number sponsor } row } } }',
        '{"lockers":[{"neighbour":{"code":"h15n","neighbour":{"code":"h15nn"},"hall":{"number":1,"sponsor":"h1"},"row":5}},null,{"neighbour":{"code":"i26n","neighbour":{"code":"i26nn"},"hall":{"number":2,"sponsor":"i2"},"row":6}}]}',
      ],
      [
        'parts of keys whose names the client gives to other fields',
        '{ lockers { hall { h: building { id: city } number: sponsor } row: price } }',
        '{"lockers":[{"hall":{"h":{"id":"city of h"},"number":"h1"},"row":3},null,{"hall":{"h":{"id":"city of i"},"number":"i2"},"row":3}]}',
      ],
      [
        'two parts of keys that change their names',
        '{ lockers { hall { building { id: city } } code: row row: code price } }',
        '{"lockers":[{"hall":{"building":{"id":"city of h"}},"code":5,"row":"h15","price":3},null,{"hall":{"building":{"id":"city of i"}},"code":6,"row":"i26","price":3}]}',
      ],
      [
        'an object of a key whose name is given to a leaf',
        '{ lockers { price hall: row } }',
        '{"lockers":[{"price":3,"hall":5},null,{"price":3,"hall":6}]}',
      ],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });
  },
);
