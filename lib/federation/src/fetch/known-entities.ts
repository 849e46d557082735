/**
 * Distinct entities with their indices: identified by one value if that is unique within a type, else by
 * their text.
 */
export class KnownEntities {
  readonly #byType = new Map<string | undefined, Map<string, number>>();
  #name: string | undefined;
  #last: Map<string, number> | undefined;

  /** Entities of a type by their value; those of all other types, without a name, by their text. */
  ofType(name: string | undefined): Map<string, number> {
    if (this.#last && name === this.#name) return this.#last;
    let found = this.#byType.get(name);
    if (!found) this.#byType.set(name, (found = new Map()));
    this.#name = name;
    return (this.#last = found);
  }
}
