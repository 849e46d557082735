import type { SupergraphFacts } from './supergraph.js';

/**
 * Concrete types that match a type condition, over the whole supergraph: types that clients cannot see count,
 * too, since plans use them.
 */
export class TypeRelations {
  readonly #possible: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(possibleTypes: SupergraphFacts['possibleTypes']) {
    this.#possible = new Map(Object.entries(possibleTypes).map(([name, types]) => [name, new Set(types)]));
  }

  /** True if a value whose `__typename` is `typename` matches the condition. */
  matches(typename: string, condition: string): boolean {
    return typename === condition || (this.#possible.get(condition)?.has(typename) ?? false);
  }

  /** All values of `__typename` that match one of the conditions, their own names included. */
  namesMeeting(conditions: readonly string[]): ReadonlySet<string> {
    const names = new Set(conditions);
    for (const condition of conditions)
      for (const name of this.#possible.get(condition) ?? []) names.add(name);
    return names;
  }

  /** True if a value whose `__typename` may be that of an interface could match the condition. */
  isAbstract(name: string): boolean {
    return this.#possible.has(name);
  }
}
