import { describe, expect, it } from '@jest/globals';
import { compose } from './compose.js';
import { completeSdl } from './shared-definitions.js';

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

describe('compose', () => {
  const federation = (more: string): string =>
    `extend schema @link(url: "https://specs.apollo.dev/federation/v2.8", import: ["@key"${more}])`;
  const type = 'type Query { a: A } type A @key(fields: "id")';

  it.each([
    ['by its name', `${federation(', "@context"')} ${type} @context(name: "c") { id: ID! }`, '@context'],
    [
      'by another name',
      `${federation(', {name: "@context", as: "@ctx"}')} ${type} @ctx(name: "c") { id: ID! }`,
      '@context',
    ],
    [
      'with a prefix',
      `${federation('')} ${type} { id: ID! b(x: ID @federation__fromContext(field: "$c { id }")): ID }`,
      '@fromContext',
    ],
  ])('refuses arguments from a context, %s', (_how, sdl, directive) => {
    const composed = compose([{ name: 'ibis', url: 'http://ibis.test/graphql', sdl }]);
    expect(composed).toEqual({
      ok: false,
      faults: [
        {
          code: 'UNSUPPORTED_FEATURE',
          message: `[ibis] The gateway does not support "${directive}"; pass the value by an argument or by @requires`,
        },
      ],
    });
  });

  it.each([
    ['before', [good, shop]],
    ['after', [shop, good]],
  ])('accepts an interface object that is declared %s the type with its fields', (_order, types) => {
    const shops = { name: 'shops', url: 'http://shops.test/graphql', sdl: [header, ...types].join('\n') };
    expect(compose([owner, prices, shops])).toMatchObject({ ok: true });
  });

  it('accepts a schema that was published with the former address of the shared directives', () => {
    const [current, former] = ['b', 'a'].map((name) => {
      const type = name.toUpperCase();
      const sdl = completeSdl(
        `type Query { ${name}: ID } type Subscription { ${name}s(after: String): ${type} @resumable(argument: "after", cursor: "cursor") } type ${type} { cursor: String }`,
      );
      return { name, url: `http://${name}.test/graphql`, sdl };
    });
    if (!current || !former) throw new Error('two subgraphs expected');
    const published = former.sdl.replace(
      /"https:[^"]*\/rhizome\/v1.0"/,
      '"https://rhizome.example/house/v1.0"',
    );
    expect(published).not.toBe(former.sdl);
    const composed = compose([current, { ...former, sdl: published }]);
    expect(composed).toEqual(compose([current, former]));
    expect(composed).toMatchObject({ ok: true });
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
