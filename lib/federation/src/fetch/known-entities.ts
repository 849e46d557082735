/** The entities that were met, with their places in the list: by the one value that tells those of a type apart, or by their text. */
export class KnownEntities {
  readonly #byType = new Map<string | undefined, Map<string, number>>();
  #name: string | undefined;
  #last: Map<string, number> | undefined;

  /** Those of a type by their value; without a name, those of all other types by their text. */
  ofType(name: string | undefined): Map<string, number> {
    if (this.#last && name === this.#name) return this.#last;
    let found = this.#byType.get(name);
    if (!found) this.#byType.set(name, (found = new Map()));
    this.#name = name;
    return (this.#last = found);
  }
}
