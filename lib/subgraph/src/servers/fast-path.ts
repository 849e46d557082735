import type { IncomingHttpHeaders } from 'node:http';
import { type DocumentNode, GraphQLError, visit } from 'graphql';
import { DocumentCache } from '../execution/document-cache.js';
import type { ExecutableSubgraph } from '../execution/in-process.js';

/** An operation that can run without the server's own pipeline. */
export interface FastPathOperation {
  readonly document: DocumentNode;
  readonly operationName: string | undefined;
  readonly variables: Readonly<Record<string, unknown>> | undefined;
  /** Content type of the answer. */
  readonly contentType: string;
}

/** Maximum number of parsed documents in the cache. */
const documentsKept = 1000;
/** Length above which a text is left to the server. */
const longestText = 64 * 1024;

const json = 'application/json; charset=utf-8';
/** Media types that gateways and other programs accept, with the server's content type for each. */
const contentTypes = new Map<string | undefined, string>([
  [undefined, json],
  ['*/*', json],
  ['application/json', json],
  ['application/graphql-response+json', 'application/graphql-response+json; charset=utf-8'],
  ['application/graphql-response+json, application/json', 'application/graphql-response+json; charset=utf-8'],
]);

const bodyKeys = new Set(['query', 'variables', 'operationName']);

/**
 * Recognises plain operations: a valid query or mutation in a JSON body, as gateways send the same few of
 * them all the time. They run as in process, compiled once, and have the same answer as from the server. The
 * server handles everything else.
 */
export class FastPath {
  readonly #executable: ExecutableSubgraph;
  readonly #documents = new DocumentCache(documentsKept);
  readonly #plain = new WeakMap<DocumentNode, boolean>();

  constructor(executable: ExecutableSubgraph) {
    this.#executable = executable;
  }

  /** The operation of a body, if it is plain. */
  find(headers: IncomingHttpHeaders, body: unknown): FastPathOperation | undefined {
    const contentType = contentTypes.get(headers.accept);
    if (this.#executable.mode !== 'jit' || !contentType || !isJson(headers['content-type'])) return undefined;
    if (typeof body !== 'object' || body === null) return undefined;
    for (const key of Object.keys(body)) if (!bodyKeys.has(key)) return undefined;
    const { query, variables, operationName } = body as Record<string, unknown>;
    if (typeof query !== 'string' || query.length > longestText) return undefined;
    if (!isNoneOr('string', operationName) || !isNoneOr('object', variables) || Array.isArray(variables))
      return undefined;
    const document = this.#documents.parse(query);
    if (document instanceof GraphQLError) return undefined;
    const name = (operationName as string | null | undefined) ?? undefined;
    const kind = this.#executable.kindOf(document, name);
    if ((kind !== 'query' && kind !== 'mutation') || !this.#isPlain(document)) return undefined;
    const given = variables as Record<string, unknown> | null | undefined;
    return { document, operationName: name, variables: given ?? undefined, contentType };
  }

  /**
   * Checks the bounds of a document that the server is going to run.
   * @throws GraphQLError OPERATION_TOO_COMPLEX; syntax errors are left to the server
   */
  assertBounded(text: string): void {
    const document = this.#documents.parse(text);
    if (document instanceof GraphQLError && document.extensions['code'] === 'OPERATION_TOO_COMPLEX')
      throw document.originalError ?? document;
  }

  /** The server decides whether introspection is allowed. */
  #isPlain(document: DocumentNode): boolean {
    let plain = this.#plain.get(document);
    if (plain === undefined) {
      plain = true;
      visit(document, {
        Field: ({ name: { value } }) => {
          if (value === '__schema' || value === '__type') plain = false;
        },
      });
      this.#plain.set(document, plain);
    }
    return plain;
  }
}

function isJson(contentType: string | undefined): boolean {
  return contentType === 'application/json' || contentType?.toLowerCase() === json;
}

function isNoneOr(type: 'string' | 'object', value: unknown): boolean {
  return value === undefined || value === null || typeof value === type;
}
