/** The operations of our own clients are within the default limits of the gateway. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildGateway, serveGateway, type ServedGateway } from '@rhizome/gateway';
import { silentLogger } from '@rhizome/log';
import { type DocumentNode, Kind, parse } from 'graphql';
import { read, repositoryFiles } from './repository.js';

/** The largest page that an operation may ask for, and the largest batch. */
const largestPage = 100;
const largestBatch = 10_000;

const documents = repositoryFiles().filter(
  (path) => /\.graphql$/.test(path) && isOfOperations(parse(read(path))),
);
const cases = documents.flatMap((path) => {
  const { definitions } = parse(read(path));
  return definitions.flatMap((node) =>
    node.kind === Kind.OPERATION_DEFINITION ? [{ path, name: node.name?.value ?? '', node }] : [],
  );
});
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
  });
  served = await serveGateway(gateway, { port: 0 });
});

afterAll(() => served.close());

function isOfOperations({ definitions }: DocumentNode): boolean {
  return definitions.some(({ kind }) => kind === Kind.OPERATION_DEFINITION);
}

/** Variables as large as they get: every number a page, every list and every input a batch. */
function largest(node: (typeof cases)[number]['node']): Record<string, unknown> {
  return Object.fromEntries(
    (node.variableDefinitions ?? []).map(({ variable, type }) => {
      const text = JSON.stringify(type);
      if (text.includes('"Int"')) return [variable.name.value, largestPage];
      if (text.includes(Kind.LIST_TYPE)) return [variable.name.value, Array(largestBatch).fill('job_0')];
      if (text.includes('Boolean')) return [variable.name.value, true];
      if (text.includes('Input"')) return [variable.name.value, { jobs: Array(largestBatch).fill({}) }];
      return [variable.name.value, 'x'];
    }),
  );
}

async function refusals(query: string, variables: Record<string, unknown>, operationName?: string) {
  const response = await fetch(served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ query, variables, ...(operationName ? { operationName } : {}) }),
  });
  return (await response.text()).match(/OPERATION_TOO_COMPLEX|LIMIT_EXCEEDED|REQUEST_TOO_LARGE/g);
}

describe('limits of the gateway', () => {
  it('finds the operations of the clients', () => {
    expect(documents.length).toBeGreaterThanOrEqual(4);
    expect(cases.length).toBeGreaterThan(30);
  });

  it.each(cases)('accepts $path: $name', async ({ path, name, node }) => {
    expect(await refusals(read(path), largest(node), name)).toBeNull();
  });

  it('pages of jobs within pages of jobs within pages of jobs do not', async () => {
    const inner =
      '{ nodes { task { jobs(first: 100) { nodes { task { jobs(first: 100) { nodes { id } } } } } } } }';
    expect(await refusals(`{ jobs(first: 100) ${inner} }`, {})).toEqual(['OPERATION_TOO_COMPLEX']);
  });
});
