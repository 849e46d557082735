import { type DocumentNode, GraphQLError, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { toGraphQLError } from '@rhizome/errors';
import { boundsError, documentBounds, tooManyTokens } from './document-bounds.js';
import { isTooDeep, tooDeepError } from './depth.js';

/**
 * Default maximum number of characters of all texts in the cache: parsed, they are about ten times as large.
 */
const keptCharacters = 4 * 1024 * 1024;

/**
 * Cache of parsed documents: equal texts share one document and its compiled code; the least recently used is
 * evicted.
 */
export class DocumentCache {
  readonly #parsed: LRUCache<string, DocumentNode>;

  /**
   * @param entries maximum number of documents
   * @param characters maximum number of characters of all texts; a text longer than an eighth of it is not
   *   kept
   */
  constructor(entries: number, characters = keptCharacters) {
    this.#parsed = new LRUCache({
      max: entries,
      maxSize: characters,
      maxEntrySize: Math.max(1, Math.floor(characters / 8)),
      sizeCalculation: (_document, text) => text.length,
    });
  }

  /** The document, or its syntax error, or the error of one that exceeds {@link documentBounds}. */
  parse(text: string): DocumentNode | GraphQLError {
    const known = this.#parsed.get(text);
    if (known) return known;
    if (isTooDeep(text)) return tooDeepError();
    try {
      const document = parse(text, { maxTokens: documentBounds.tokens });
      const error = boundsError(document);
      if (error) return toGraphQLError(error);
      this.#parsed.set(text, document);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError)
        return isAboutTokens(error) ? toGraphQLError(tooManyTokens()) : error;
      throw error;
    }
  }
}

/** The parser has no other sign for it than its text. */
function isAboutTokens({ message }: GraphQLError): boolean {
  return /^Syntax Error: Document contains more tha[nt] \d+ tokens/.test(message);
}
