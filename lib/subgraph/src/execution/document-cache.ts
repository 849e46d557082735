import { type DocumentNode, GraphQLError, parse } from 'graphql';
import { isTooDeep, tooDeepError } from './depth.js';

/** Characters of all texts that are kept, unless said otherwise: parsed, they are some ten times as large. */
const keptCharacters = 4 * 1024 * 1024;

/** Equal texts are one document, so that what was compiled for it is found again; the one not seen for longest goes. */
export class DocumentCache {
  readonly #entries: number;
  readonly #characters: number;
  readonly #parsed = new Map<string, DocumentNode>();
  #kept = 0;

  /**
   * @param entries documents that are kept at most
   * @param characters of all their texts at most; a text that is longer than an eighth of it is not kept
   */
  constructor(entries: number, characters = keptCharacters) {
    this.#entries = entries;
    this.#characters = characters;
  }

  /** The document, or the error that says where it is wrong. */
  parse(text: string): DocumentNode | GraphQLError {
    const known = this.#parsed.get(text);
    if (known) {
      this.#parsed.delete(text);
      this.#parsed.set(text, known);
      return known;
    }
    if (isTooDeep(text)) return tooDeepError();
    try {
      const document = parse(text);
      if (text.length <= this.#characters / 8) this.#keep(text, document);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError) return error;
      throw error;
    }
  }

  #keep(text: string, document: DocumentNode): void {
    this.#parsed.set(text, document);
    this.#kept += text.length;
    for (const oldest of this.#parsed.keys()) {
      if (this.#parsed.size <= this.#entries && this.#kept <= this.#characters) return;
      this.#parsed.delete(oldest);
      this.#kept -= oldest.length;
    }
  }
}
