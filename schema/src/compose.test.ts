import { describe, expect, it } from '@jest/globals';
import { compose } from './compose.js';

const header =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@interfaceObject", "@provides", "@external"])';
const owner = {
  name: 'owner',
  url: 'http://owner.test/graphql',
  sdl: `${header}
    type Query { goods: [Good] }
    interface Good @key(fields: "id") { id: ID! }
    type Book implements Good @key(fields: "id") { id: ID! }`,
};
const prices = {
  name: 'prices',
  url: 'http://prices.test/graphql',
  sdl: `${header} type Good @key(fields: "id") @interfaceObject { id: ID! price: Int }`,
};
const shop = 'type Shop @key(fields: "id") { id: ID! best: Good @provides(fields: "price") }';
const good = 'type Good @key(fields: "id") @interfaceObject { id: ID! price: Int @external shop: Shop }';

describe('composeSubgraphs', () => {
  it.each([
    ['before', [good, shop]],
    ['after', [shop, good]],
  ])('accepts an interface object that is declared %s the type with its fields', (_order, types) => {
    const shops = { name: 'shops', url: 'http://shops.test/graphql', sdl: [header, ...types].join('\n') };
    expect(compose([owner, prices, shops])).toMatchObject({ ok: true });
  });

  it('reports errors and never throws, whatever the input', () => {
    const broken = {
      ...prices,
      sdl: `${header} type Good @key(fields: "nope") @interfaceObject { id: ID! }`,
    };
    expect(compose([owner, broken])).toMatchObject({
      ok: false,
      faults: [expect.objectContaining({ message: expect.any(String) })],
    });
  });
});
