import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { createInProcess, serveSubgraph, type ServedSubgraph, type SubgraphSchema } from '@rhizome/subgraph';
import {
  type DocumentNode,
  getNamedType,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
  Kind,
  parse,
  visit,
} from 'graphql';
import { countReads, testDatabase } from './mongo.js';
import { testPrincipal, type TestTokens, testTokens } from './tokens.js';
import type { TestDatabase } from './test-database.types.js';

/** A subgraph on a database of its own, ready to be asked. */
export interface SubgraphUnderContract {
  readonly subgraph: SubgraphSchema;
  /**
   * For each entity that the subgraph loads: representations of at least three that are there. Entities it
   * only adds to belong here as well, with what `reads` selects.
   */
  readonly representations: Readonly<Record<string, readonly object[]>>;
  /** Fields selected of each entity to see it loaded, as GraphQL; default its key alone. */
  readonly selections?: Readonly<Record<string, string>>;
  stop?(): Promise<void>;
}

/** Factory of the subgraph for a test. */
export type OpenSubgraph = (db: TestDatabase) => Promise<SubgraphUnderContract>;

/**
 * The contract of every subgraph, as tests: it publishes its SDL, each entry point has a policy, entities are
 * loaded in batches, it requires a token, and it starts and stops as an orchestrator expects.
 */
export function describeSubgraphContract(name: string, open: OpenSubgraph): void {
  describe(`the contract of subgraph ${name}`, () => {
    let opened: SubgraphUnderContract;
    let tokens: TestTokens;

    beforeAll(async () => {
      tokens = await testTokens();
      opened = await open(await testDatabase(name));
    }, 60_000);
    afterAll(() => opened.stop?.());

    it('has its name and a valid SDL with the shared definitions', () => {
      const { subgraph } = opened;
      expect(subgraph.name).toBe(name);
      expect(declaredIn(parse(subgraph.sdl))).toEqual(
        expect.arrayContaining(['DateTime', 'PageInfo', 'UserError']),
      );
    });

    it('is tested for every entity that it resolves', () => {
      const entities = opened.subgraph.entryPoints.filter(({ kind }) => kind === 'entity');
      const types = entities.map((entryPoint) => entryPoint.name.split('.')[0]);
      expect(Object.keys(opened.representations).sort()).toEqual(types.sort());
    });

    it('loads n representations in order, with the reads of one', async () => {
      for (const type of Object.keys(opened.representations)) await checkBatch(opened, type);
    });

    it('resolves each field of an entity alone as with all others: it reads what the field needs', async () => {
      for (const type of Object.keys(opened.representations)) await checkFields(opened, type);
    });

    it('gives no entity to a caller without a role', async () => {
      for (const type of Object.keys(opened.representations)) {
        const entryPoint = opened.subgraph.entryPoints.find(
          (one) => one.name === `${type}.__resolveReference`,
        );
        if (entryPoint && 'open' in entryPoint.policy) continue;
        const answer = await entities(opened, type, opened.representations[type] ?? [], 'nobody');
        expect(answer.errors?.every(({ extensions }) => extensions?.['code'] === 'FORBIDDEN')).toBe(true);
        expect((answer.data?.['_entities'] as unknown[]).every((one) => one === null)).toBe(true);
      }
    });

    describeServing(() => ({ opened, tokens }));
  });
}

function describeServing(context: () => { opened: SubgraphUnderContract; tokens: TestTokens }): void {
  describe('served', () => {
    let served: ServedSubgraph;
    const ask = (path: string, token?: string) => statusOf(new URL(path, served.url), token);

    beforeAll(async () => {
      const { opened, tokens } = context();
      served = await serveSubgraph({
        subgraph: opened.subgraph,
        verifier: tokens.verifier,
        log: silentLogger(),
      });
    });
    afterAll(() => served.close());

    it('is healthy and ready', async () => {
      expect([await ask('/healthz'), await ask('/readyz')]).toEqual([200, 200]);
    });

    it('accepts valid tokens only', async () => {
      const { tokens } = context();
      expect(await ask('/graphql', await tokens.admin())).toBe(200);
      for (const token of [undefined, 'junk', await tokens.foreign(), await tokens.expired()]) {
        expect(await ask('/graphql', token)).toBe(401);
      }
    });

    it('shuts down cleanly and frees its port', async () => {
      await served.close();
      await expect(ask('/healthz')).rejects.toThrow();
    });
  });
}

/** HTTP status of a request on a connection of its own. */
async function statusOf(url: URL, token?: string): Promise<number> {
  const isQuery = url.pathname === '/graphql';
  const response = await fetch(url, {
    method: isQuery ? 'POST' : 'GET',
    headers: {
      'content-type': 'application/json',
      connection: 'close',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(isQuery ? { body: JSON.stringify({ query: '{ __typename }' }) } : {}),
  });
  await response.arrayBuffer();
  return response.status;
}

async function checkBatch(opened: SubgraphUnderContract, type: string): Promise<void> {
  const known = opened.representations[type] ?? [];
  if (known.length < 3) throw new Error(`the contract needs three representations of ${type} at least`);
  // What a subgraph may keep, because it never changes, is kept from here on.
  await entities(opened, type, known, 'ADMIN');
  const readsOfOne = await countReads(() => entities(opened, type, known.slice(0, 1), 'ADMIN'));
  const readsOfAll = await countReads(() => entities(opened, type, known, 'ADMIN'));
  expect({ type, reads: readsOfAll }).toEqual({ type, reads: readsOfOne });

  const [first, second] = known;
  const answer = await entities(opened, type, [second ?? {}, first ?? {}, second ?? {}], 'ADMIN');
  expect(answer.errors).toBeUndefined();
  const ordered = await Promise.all(
    [second, first, second].map(async (one) => {
      const alone = await entities(opened, type, [one ?? {}], 'ADMIN');
      return (alone.data?.['_entities'] as unknown[])[0];
    }),
  );
  expect(answer.data?.['_entities']).toEqual(ordered);
}

/** Resolvers that read no more than is selected must read what each field looks at. */
async function checkFields(opened: SubgraphUnderContract, type: string): Promise<void> {
  const known = opened.representations[type] ?? [];
  const fields = fieldsOf(opened.subgraph, type);
  const objects = async (selection: string) => {
    const { data, errors } = await entities(opened, type, known, 'ADMIN', selection);
    expect({ type, selection, errors }).toEqual({ type, selection, errors: undefined });
    return data?.['_entities'] as readonly Readonly<Record<string, unknown>>[];
  };
  const whole = await objects(fields.map(({ text }) => text).join(' '));
  for (const { name, text } of fields) {
    const alone = await objects(text);
    expect({ [`${type}.${name}`]: alone.map((one) => one[name]) }).toEqual({
      [`${type}.${name}`]: whole.map((one) => one[name]),
    });
  }
}

/** The fields of a type that can be asked for without arguments, as selected. */
function fieldsOf({ schema }: SubgraphSchema, name: string): readonly { name: string; text: string }[] {
  const type = schema.getType(name);
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields())
    .filter(({ args }) => !args.some(isRequiredArgument))
    .map((field) => ({
      name: field.name,
      text: isCompositeType(getNamedType(field.type)) ? `${field.name} { __typename }` : field.name,
    }));
}

/** Asks for entities the way a gateway does. */
function entities(
  opened: SubgraphUnderContract,
  type: string,
  representations: readonly object[],
  role: string,
  selection = opened.selections?.[type] ?? keyOf(opened.subgraph, type),
) {
  const executable = createInProcess({ subgraph: opened.subgraph, log: silentLogger() });
  return executable.execute({
    document: parse(
      `query ($r: [_Any!]!) { _entities(representations: $r) { __typename ... on ${type} { ${selection} } } }`,
    ),
    variables: { r: representations.map((one) => ({ __typename: type, ...one })) },
    principal: testPrincipal(role === 'ADMIN' ? {} : { subject: 'nobody@example', grants: {} }),
    requestId: 'contract',
  });
}

/** The fields of a type's first key. */
function keyOf({ schema }: SubgraphSchema, name: string): string {
  const type = schema.getType(name);
  const nodes = isObjectType(type) ? [type.astNode, ...type.extensionASTNodes] : [];
  const key = nodes.flatMap((node) => node?.directives ?? []).find((one) => one.name.value === 'key');
  const fields = key?.arguments?.find((one) => one.name.value === 'fields')?.value;
  return fields?.kind === Kind.STRING ? fields.value : '__typename';
}

function declaredIn(document: DocumentNode): string[] {
  const names: string[] = [];
  const note = (node: { readonly name: { readonly value: string } }): void =>
    void names.push(node.name.value);
  visit(document, {
    ScalarTypeDefinition: note,
    ObjectTypeDefinition: note,
    InterfaceTypeDefinition: note,
  });
  return names;
}
