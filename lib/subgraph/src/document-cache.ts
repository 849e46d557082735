import { type DocumentNode, GraphQLError, parse } from 'graphql';

/** Equal texts are one document, so that what was compiled for it is found again; the one not seen for longest goes. */
export class DocumentCache {
  readonly #limit: number;
  readonly #parsed = new Map<string, DocumentNode>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The document, or the error that says where it is wrong. */
  parse(text: string): DocumentNode | GraphQLError {
    const known = this.#parsed.get(text);
    if (known) {
      this.#parsed.delete(text);
      this.#parsed.set(text, known);
      return known;
    }
    try {
      const document = parse(text);
      this.#parsed.set(text, document);
      const oldest = this.#parsed.keys().next();
      if (this.#parsed.size > this.#limit && !oldest.done) this.#parsed.delete(oldest.value);
      return document;
    } catch (error) {
      if (error instanceof GraphQLError) return error;
      throw error;
    }
  }
}
