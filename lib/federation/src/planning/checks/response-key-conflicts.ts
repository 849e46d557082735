import { type FieldNode, Kind, print, type SelectionNode, type SelectionSetNode } from 'graphql';
import { keyOf } from './located-fetch.js';

/** A field, identified by its name and its arguments. */
export function meaningOf(node: FieldNode): string {
  return `${node.name.value}(${(node.arguments ?? []).map(print).sort().join(',')})`;
}

/**
 * The field that each key of the data stands for: all fetches and the client must use a key for the same
 * field.
 */
export class ResponseKeyConflicts {
  /** By path and key: the type it is selected on (empty if the text does not say) to name and arguments. */
  readonly #meanings = new Map<string, Map<string, string>>();
  clash: string | undefined;

  addFields(
    path: readonly string[],
    sets: readonly SelectionSetNode[],
    renames: ReadonlyMap<string, string>,
  ): void {
    for (const set of sets) this.#selections(path, set.selections, '', renames);
  }

  /** The field that a key stands for, whatever the type. */
  meaningsOf(path: readonly string[]): string[] {
    return [...(this.#meanings.get(path.join('.'))?.values() ?? [])];
  }

  #selections(
    path: readonly string[],
    selections: readonly SelectionNode[],
    type: string,
    renames: ReadonlyMap<string, string>,
  ): void {
    for (const node of selections) {
      if (node.kind === Kind.INLINE_FRAGMENT) {
        this.#selections(path, node.selectionSet.selections, node.typeCondition?.name.value ?? type, renames);
      } else if (node.kind === Kind.FIELD) {
        const key = renames.get(keyOf(node)) ?? keyOf(node);
        this.#field([...path, key], node, type);
        if (node.selectionSet) this.#selections([...path, key], node.selectionSet.selections, '', renames);
      }
    }
  }

  #field(path: readonly string[], node: FieldNode, type: string): void {
    const place = path.join('.');
    const meaning = meaningOf(node);
    let meanings = this.#meanings.get(place);
    if (!meanings) this.#meanings.set(place, (meanings = new Map()));
    const known = meanings.get(type);
    if (known !== undefined && known !== meaning) this.clash = place;
    for (const [other, otherMeaning] of meanings) {
      if ((other === '' || type === '') && otherMeaning !== meaning) this.clash = place;
    }
    meanings.set(type, meaning);
  }
}
