import type { SupergraphFacts } from './supergraph.js';

/**
 * Which concrete types meet a type condition, over the whole supergraph: types that clients cannot see count too,
 * since plans speak of them.
 */
export class TypeRelations {
  readonly #possible: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(possibleTypes: SupergraphFacts['possibleTypes']) {
    this.#possible = new Map(Object.entries(possibleTypes).map(([name, types]) => [name, new Set(types)]));
  }

  /** Whether a value whose `__typename` is `typename` meets the condition. */
  matches(typename: string, condition: string): boolean {
    return typename === condition || (this.#possible.get(condition)?.has(typename) ?? false);
  }

  /** Every `__typename` that meets one of the conditions, their own names included. */
  namesMeeting(conditions: readonly string[]): ReadonlySet<string> {
    const names = new Set(conditions);
    for (const condition of conditions)
      for (const name of this.#possible.get(condition) ?? []) names.add(name);
    return names;
  }

  /** Whether a value whose `__typename` may be that of an interface could meet the condition. */
  isAbstract(name: string): boolean {
    return this.#possible.has(name);
  }
}
