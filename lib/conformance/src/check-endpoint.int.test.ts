import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import {
  buildSubgraph,
  byKey,
  countLoadsHeader as servedHeader,
  entity,
  type ServedSubgraph,
  serveSubgraph,
  type SubgraphSchema,
} from '@rhizome/subgraph';
import { leftovers, type TestDatabase, testDatabase, type TestTokens, testTokens } from '@rhizome/testkit';
import { parse } from 'graphql';
import { countLoadsHeader } from './endpoint-client.js';
import { checkEndpoint } from './check-endpoint.js';
import type { ContractFinding, EndpointContract } from './types.js';

const shared = readFileSync(new URL('../../../schema/shared.graphql', import.meta.url), 'utf8');
const sdl = /* GraphQL */ `
  ${shared}
  type Query {
    shelf(filter: ShelfFilter!): String
  }
  input ShelfFilter {
    name: String!
  }
  type Mutation {
    dustShelf(filter: ShelfFilter!): String
  }
  type Subscription {
    bookCounted(shelf: String!, after: String): BookCounted @resumable(argument: "after", cursor: "cursor")
  }
  type BookCounted {
    cursor: String!
  }
  type Book @key(fields: "id") {
    id: ID!
    title: String!
  }
`;

interface Book {
  readonly _id: string;
  readonly title: string;
}

/** Books in a real collection; `flawed` opens one root field and loads one by one. */
function library(db: TestDatabase, flawed = false): SubgraphSchema {
  const stored = db.collection<Book>('books');
  const find = async (ids: readonly string[]) => {
    const rows = await stored.find({ _id: { $in: [...ids] } }).toArray();
    return byKey(ids, rows, (row) => row._id).map((row) => row && { id: row._id, title: row.title });
  };
  const books = entity({ type: 'Book', key: 'id', load: find });
  const each = new Map<string, ReturnType<typeof entity>['resolveReference']>();
  const alone = (id: string) => {
    const known = each.get(id) ?? entity({ type: `Book ${id}`, key: 'id', load: find }).resolveReference;
    each.set(id, known as never);
    return known;
  };
  return buildSubgraph({
    name: 'library',
    typeDefs: parse(sdl),
    resolvers: {
      Query: { shelf: () => 'oak' },
      Mutation: { dustShelf: () => 'clean' },
      Subscription: {
        bookCounted: {
          subscribe: async function* (
            _: unknown,
            { after }: { after?: string },
            { signal }: { signal: AbortSignal },
          ) {
            yield { bookCounted: { cursor: after ?? 'start' } };
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          },
        },
      },
      Book: {
        __resolveReference: flawed
          ? (book: { id: string }, context: never) => alone(book.id)(book, context)
          : books.resolveReference,
      },
    },
    policies: {
      'Query.shelf': { action: 'job:read' },
      'Mutation.dustShelf': flawed ? { open: 'a flaw that the contract must see' } : { action: 'job:submit' },
      'Subscription.bookCounted': { action: 'events:read' },
      'Book.__resolveReference': { action: 'job:read' },
    },
  });
}

let tokens: TestTokens;
let db: TestDatabase;

beforeAll(async () => {
  tokens = await testTokens();
  db = await testDatabase('library');
  await db
    .collection<Book>('books')
    .insertMany(['a', 'b', 'c', 'd'].map((id) => ({ _id: id, title: `title ${id}` })));
});

async function serve(flawed = false): Promise<ServedSubgraph> {
  return leftovers.use(
    await serveSubgraph({ subgraph: library(db, flawed), verifier: tokens.verifier, log: silentLogger() }),
  );
}

async function contractOf(url: string): Promise<EndpointContract> {
  return {
    url,
    name: 'library',
    token: await tokens.admin(),
    refused: { 'a human without a role': await tokens.human('nobody@example', {}) },
    published: sdl,
    checkSchema: () => [],
    entities: { Book: { representations: ['a', 'b', 'c', 'd'].map((id) => ({ id })), selection: 'title' } },
    subscriptions: { bookCounted: { arguments: { shelf: 'oak' } } },
  };
}

async function findings(contract: EndpointContract): Promise<readonly ContractFinding[]> {
  const found: ContractFinding[] = [];
  for await (const finding of checkEndpoint(contract)) found.push(finding);
  return found;
}

const failed = (found: readonly ContractFinding[]): readonly string[] =>
  found.filter(({ outcome }) => outcome === 'failed').map(({ promise }) => promise);

interface Answered {
  status: number;
  text: string;
}

/** Proxies an endpoint and spoils requests or answers, as a badly written one would. */
async function behind(
  served: ServedSubgraph,
  spoil: {
    request?: (incoming: IncomingMessage, body: string) => string | undefined;
    answer?: (answered: Answered, body: string, incoming: IncomingMessage) => Answered;
    /** Reads a body of any announced size. */
    isPatient?: boolean;
  },
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const tooLarge = !spoil.isPatient && Number(incoming.headers['content-length'] ?? 0) > 1e6;
    if (tooLarge) outgoing.writeHead(413, { connection: 'close' }).end();
    // A client that stops waiting aborts the request.
    else relay(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const relay = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const sent = Buffer.concat(chunks).toString('utf8');
    const body = spoil.request?.(incoming, sent) ?? sent;
    const { 'content-length': _length, ...headers } = incoming.headers;
    const onward = ask(
      new URL(incoming.url ?? '/', served.url),
      { method: incoming.method, headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
      (response) => {
        const answer: Buffer[] = [];
        response.on('data', (chunk: Buffer) => answer.push(chunk));
        response.on('end', () => {
          const whole = { status: response.statusCode ?? 500, text: Buffer.concat(answer).toString('utf8') };
          const { status, text } = spoil.answer?.(whole, body, incoming) ?? whole;
          outgoing.writeHead(status, { 'content-type': 'application/json' }).end(text);
        });
      },
    );
    onward.end(body);
  };
  server.on('upgrade', (incoming, socket: Socket, head) => {
    const onward = connect(served.port, '127.0.0.1', () => {
      const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${String(value)}`);
      onward.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    const end = (): void => void (socket.destroy(), onward.destroy());
    for (const one of [socket, onward]) one.on('error', end).on('close', end);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('the proxy', () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
}

function edited(
  text: string,
  edit: (body: { data?: { _entities?: unknown[] } } & Record<string, unknown>) => void,
): string {
  const body = JSON.parse(text) as { data?: { _entities?: unknown[] } };
  edit(body);
  return JSON.stringify(body);
}

describe('checkEndpoint', () => {
  it('passes a subgraph of this project, which drains at the end', async () => {
    const served = await serve();
    const found = await findings({ ...(await contractOf(served.url)), terminate: () => void served.close() });
    expect(found.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(new Set(found.map(({ part }) => part)).size).toBe(9);
  });

  it('uses the header of counted loads that subgraphs use', () => {
    expect(countLoadsHeader).toBe(servedHeader);
  });

  it('fails for a missing policy and for loading one by one', async () => {
    const served = await serve(true);
    const found = await findings(await contractOf(served.url));
    expect(failed(found)).toEqual([
      'Book: n representations take as many calls of the loader as one',
      'a human without a role is rejected by each root field',
    ]);
    expect(found.find(({ promise }) => promise.startsWith('a human'))?.seen).toBe(
      'accepted by mutation dustShelf',
    );
  });

  it('reports each part of an endpoint that does not answer', async () => {
    const found = await findings(await contractOf('http://127.0.0.1:9/graphql'));
    expect(found.filter(({ part, outcome }) => part === 'health' && outcome === 'failed')).toHaveLength(2);
    expect(found.some(({ outcome }) => outcome === 'passed')).toBe(false);
  });

  it('names the missing input of each skipped check', async () => {
    const served = await serve();
    const token = await tokens.admin();
    const found = await findings({ url: served.url, name: 'library', token });
    expect(failed(found)).toEqual([]);
    expect(found.filter(({ outcome }) => outcome === 'skipped').map(({ seen }) => seen)).toEqual([
      'needs the published SDL to compare',
      'needs the rules',
      'needs three representations of Book',
      'needs a valid token without permissions here',
      'needs the arguments of bookCounted',
      'needs an entity',
      'needs its process id',
    ]);
  });

  const anybody = { request: (incoming: IncomingMessage) => trusting(incoming) };
  const trusting = (incoming: IncomingMessage): undefined => {
    if (admin !== '') incoming.headers.authorization = `Bearer ${admin}`;
  };
  let admin = '';

  it.each<[string, Parameters<typeof behind>[1], readonly string[]]>([
    [
      'accepts every token',
      anybody,
      [
        'no access without a token',
        'no access with text that is not a token',
        'no access with the token’s claims under another key',
        'no access with the token’s claims and no signature',
        'a human without a role is rejected by each root field',
      ],
    ],
    [
      'is never ready',
      { answer: (answered, _body, { url }) => (url === '/readyz' ? { status: 503, text: '{}' } : answered) },
      ['/readyz returns 200 without a token'],
    ],
    [
      'serves another SDL than is published',
      {
        answer: (answered) => ({
          ...answered,
          text: answered.text.replace(
            'shelf(filter: ShelfFilter!): String',
            'shelf(filter: ShelfFilter!): ID',
          ),
        }),
      },
      ['the served SDL equals the published SDL'],
    ],
    [
      'resolves entities in another order',
      {
        answer: (answered) => ({
          ...answered,
          text: answered.text.includes('"title d"')
            ? edited(answered.text, (body) =>
                body.data?._entities?.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
              )
            : answered.text,
        }),
      },
      ['Book: representations are resolved in order'],
    ],
    [
      'does not count its loads',
      { answer: (answered) => ({ ...answered, text: answered.text.replace('"loads"', '"nothing"') }) },
      ['Book: n representations take as many calls of the loader as one'],
    ],
    [
      'nulls all entities where one is missing',
      {
        answer: (answered) =>
          answered.text.includes(',null,')
            ? { status: 200, text: '{"data":null,"errors":[{"message":"no such book"}]}' }
            : answered,
      },
      [
        'Book: one that does not exist does not affect the others',
        'Book: an invalid one does not affect the others',
      ],
    ],
    [
      'shows its stack',
      {
        answer: (answered) =>
          answered.text.includes('fieldThatIsNowhere')
            ? { status: 400, text: '{"errors":[{"message":"Traceback (most recent call last)"}]}' }
            : answered,
      },
      ['an unknown field is rejected with a clear error, without internals'],
    ],
    [
      'returns a server error for invalid JSON',
      { answer: (answered, body) => (body === '{"query": ' ? { status: 500, text: 'oops' } : answered) },
      ['a body that is not JSON is rejected with a clear error, without internals'],
    ],
  ])('fails for an endpoint that %s', async (_what, spoil, promises) => {
    admin = await tokens.admin();
    const found = await findings(await contractOf(await behind(await serve(), spoil)));
    expect(failed(found)).toEqual(promises);
    for (const finding of found) if (finding.outcome === 'failed') expect(finding.fix).toBeTruthy();
  });

  it('fails for an endpoint that waits for an announced gigabyte', async () => {
    const url = await behind(await serve(), { isPatient: true });
    const found = await findings({ ...(await contractOf(url)), timeoutMs: 2000 });
    expect(failed(found)).toContain('a request body of one gigabyte is rejected before it is read');
  });
});
