import { type DocumentNode, GraphQLError, parse } from 'graphql';
import { LRUCache } from 'lru-cache';
import { isTooDeep, tooDeepError } from './depth.js';

/** Characters of all texts that are kept, unless said otherwise: parsed, they are some ten times as large. */
const keptCharacters = 4 * 1024 * 1024;

/** Equal texts are one document, so that what was compiled for it is found again; the one not seen for longest goes. */
export class DocumentCache {
  readonly #parsed: LRUCache<string, DocumentNode>;

  /**
   * @param entries documents that are kept at most
   * @param characters of all their texts at most; a text that is longer than an eighth of it is not kept
   */
  constructor(entries: number, characters = keptCharacters) {
    this.#parsed = new LRUCache({
      max: entries,
      maxSize: characters,
      maxEntrySize: Math.max(1, Math.floor(characters / 8)),
      sizeCalculation: (_document, text) => text.length,
    });
  }

  /** The document, or the error that says where it is wrong. */
  parse(text: string): DocumentNode | GraphQLError {
    const known = this.#parsed.get(text);
    if (known) return known;
    if (isTooDeep(text)) return tooDeepError();
    try {
      const document = parse(text);
      this.#parsed.set(text, document);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError) return error;
      throw error;
    }
  }
}
