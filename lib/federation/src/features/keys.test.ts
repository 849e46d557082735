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
    type Query { seats: [Seat] }
    type Seat @key(fields: "hall { house { id } number } row") { hall: Hall! row: Int! }
    type Hall @key(fields: "house { id } number") { house: House! number: Int! }
    type House @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      seats: () => [
        { hall: { house: { id: 'h' }, number: 1 }, row: 5 },
        null,
        { hall: { house: { id: 'i' }, number: 2 }, row: 6 },
      ],
    },
  },
});

interface SeatSource {
  readonly hall?: { readonly house: { readonly id: string }; readonly number: number };
  readonly row?: number;
  readonly code?: string;
}

const codes = testSubgraph({
  name: 'codes',
  sdl: `
    type Seat @key(fields: "hall { house { id } number } row") @key(fields: "code") { hall: Hall! row: Int! code: String! }
    type Hall @key(fields: "house { id } number") { house: House! number: Int! sponsor: String }
    type House @key(fields: "id") { id: ID! city: String }
  `,
  resolvers: {
    Seat: {
      hall: ({ hall, code }: SeatSource) => hall ?? { house: { id: code?.[0] }, number: Number(code?.[1]) },
      row: ({ row, code }: SeatSource) => row ?? Number(code?.[2]),
      code: ({ hall, row, code }: SeatSource) => code ?? `${hall?.house.id}${hall?.number}${row}`,
    },
    Hall: { sponsor: ({ house, number }: NonNullable<SeatSource['hall']>) => `${house.id}${number}` },
    House: { city: ({ id }: Source) => `city of ${String(id)}` },
  },
});

const prices = testSubgraph({
  name: 'prices',
  sdl: 'type Seat @key(fields: "code") { code: String! price: Int neighbour: Seat }',
  resolvers: {
    Seat: {
      price: ({ code }: { code: string }) => code.length,
      neighbour: ({ code }: SeatSource) => ({ code: `${code}n` }),
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
        '{ seats { price } }',
        '{"seats":[{"price":3},null,{"price":3}]}',
      ],
      [
        'entities inside a key are entities',
        '{ seats { hall { sponsor house { city } } price row } }',
        '{"seats":[{"hall":{"sponsor":"h1","house":{"city":"city of h"}},"price":3,"row":5},null,{"hall":{"sponsor":"i2","house":{"city":"city of i"}},"price":3,"row":6}]}',
      ],
      [
        'back from the second key to the first',
        '{ seats { neighbour { code neighbour { code } hall { number sponsor } row } } }',
        '{"seats":[{"neighbour":{"code":"h15n","neighbour":{"code":"h15nn"},"hall":{"number":1,"sponsor":"h1"},"row":5}},null,{"neighbour":{"code":"i26n","neighbour":{"code":"i26nn"},"hall":{"number":2,"sponsor":"i2"},"row":6}}]}',
      ],
      [
        'parts of keys whose names the client gives to other fields',
        '{ seats { hall { h: house { id: city } number: sponsor } row: price } }',
        '{"seats":[{"hall":{"h":{"id":"city of h"},"number":"h1"},"row":3},null,{"hall":{"h":{"id":"city of i"},"number":"i2"},"row":3}]}',
      ],
      [
        'two parts of keys that change their names',
        '{ seats { hall { house { id: city } } code: row row: code price } }',
        '{"seats":[{"hall":{"house":{"id":"city of h"}},"code":5,"row":"h15","price":3},null,{"hall":{"house":{"id":"city of i"}},"code":6,"row":"i26","price":3}]}',
      ],
      [
        'an object of a key whose name is given to a leaf',
        '{ seats { price hall: row } }',
        '{"seats":[{"price":3,"hall":5},null,{"price":3,"hall":6}]}',
      ],
    ])('resolves %s', async (_name, query, data) => {
      expect(await gateway.text(query)).toBe(`{"data":${data}}`);
    });
  },
);
