/** The builds of our clients register all operations that they send. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, readManifest, serveGateway, type ServedGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { Kind, parse } from 'graphql';
import { read, repositoryFiles, root } from './repository.js';

const clients = ['cli', 'dashboard', 'pilot'];
const manifestOf = (client: string) =>
  readManifest(join(root, 'clients', client, 'dist', 'operation-manifest.json'));

/** Names of the operations in the sources of a client. */
function operationsOf(client: string): readonly string[] {
  const files = repositoryFiles().filter(
    (path) => path.startsWith(`clients/${client}/src/`) && path.endsWith('.graphql'),
  );
  return files.flatMap((path) => namesIn(read(path)));
}

function namesIn(text: string): readonly string[] {
  return parse(text).definitions.flatMap((node) =>
    node.kind === Kind.OPERATION_DEFINITION ? [node.name?.value ?? ''] : [],
  );
}

let served: ServedGateway;
beforeAll(async () => {
  const gateway = await buildGateway({
    supergraphSdl: read('schema/supergraph.graphql'),
    transports: () => ({
      wire: 'objects',
      execute: () => Promise.resolve({ data: null }),
      subscribe: async function* () {
        // Nothing happens.
      },
      close: () => Promise.resolve(),
    }),
    verifier: undefined,
    log: silentLogger(),
    planning: 'inline',
    persistedOperations: {
      automatic: false,
      only: true,
      manifests: clients.map((client) => ({ operations: manifestOf(client) })),
    },
  });
  served = await serveGateway(gateway, { port: 0 });
});
afterAll(() => served.close());

/** Code of the first error of a request. */
async function codeOf(request: object): Promise<string | undefined> {
  const response = await fetch(served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ variables: {}, ...request }),
  });
  const { errors } = (await response.json()) as {
    readonly errors?: readonly [{ readonly extensions: { readonly code: string } }];
  };
  return errors?.[0].extensions.code;
}

const refusals = ['OPERATION_NOT_REGISTERED', 'PERSISTED_QUERY_NOT_FOUND'];

describe.each(clients)('the manifest of %s', (client) => {
  it('has each operation of the sources once', () => {
    const registered = manifestOf(client).flatMap(({ body }) => namesIn(body));
    expect([...registered].sort()).toEqual([...operationsOf(client)].sort());
    expect(registered.length).toBeGreaterThan(4);
  });

  it('makes a gateway that serves only registered operations serve all of them, also by their hashes', async () => {
    for (const { id, body } of manifestOf(client)) {
      const persistedQuery = { version: 1, sha256Hash: id };
      expect(refusals).not.toContain(await codeOf({ extensions: { persistedQuery } }));
      expect(refusals).not.toContain(await codeOf({ query: body }));
    }
  });
});

it('is needed: an operation that is in no manifest is refused', async () => {
  expect(await codeOf({ query: '{ viewer { subject } }' })).toBe('OPERATION_NOT_REGISTERED');
});
