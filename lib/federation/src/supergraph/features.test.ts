import { describe, expect, it } from '@jest/globals';
import { composeSubgraphs, createTestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

const link = (imports: string): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${imports}])`;

function start(sdl: string, change: (supergraph: string) => string = (text) => text) {
  const subgraph = testSubgraph({ name: 'core', sdl: 'type Query { a: Int }', resolvers: {} });
  return createTestEngine([subgraph], { supergraphSdl: change(composeSubgraphs([{ name: 'core', sdl }])) });
}

describe('a supergraph', () => {
  it.each([
    ['@authenticated', 'type Query { a: Int @authenticated }'],
    ['@requiresScopes', 'type Query { a: Int @requiresScopes(scopes: [["a"]]) }'],
    ['@policy', 'type Query { a: Int @policy(policies: [["a"]]) }'],
  ])('is rejected with %s, which the engine does not enforce', async (directive, sdl) => {
    await expect(start(`${link(`"${directive}"`)} ${sdl}`)).rejects.toMatchObject({
      code: 'COMPOSITION_FAILED',
      message: expect.stringContaining(directive.slice(1)),
    });
  });

  it('is rejected with an unknown feature for SECURITY or EXECUTION', async () => {
    for (const purpose of ['SECURITY', 'EXECUTION']) {
      const added = start('type Query { a: Int }', (text) =>
        text.replace(/schema\b/, `schema @link(url: "https://example.org/vault/v1.0", for: ${purpose})`),
      );
      await expect(added).rejects.toMatchObject({
        code: 'COMPOSITION_FAILED',
        message: expect.stringContaining('https://example.org/vault/v1.0'),
      });
    }
  });

  it('is rejected with @fromContext, since the engine does not set such arguments', async () => {
    const sdl = `
      ${link('"@context", "@fromContext", "@key"')}
      type Query { user: User }
      type User @key(fields: "id") @context(name: "user") { id: ID! locale: String profile: Profile }
      type Profile @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String }
    `;
    await expect(start(sdl)).rejects.toMatchObject({
      code: 'COMPOSITION_FAILED',
      message: expect.stringContaining('context'),
    });
  });

  it('starts with @inaccessible and a feature without a purpose', async () => {
    const sdl = `${link('"@inaccessible", "@tag"')} type Query { a: Int @tag(name: "x") b: Int @inaccessible }`;
    const engine = await start(sdl, (text) =>
      text.replace(/schema\b/, 'schema @link(url: "https://example.org/notes/v1.0")'),
    );
    await engine.close();
  });
});
