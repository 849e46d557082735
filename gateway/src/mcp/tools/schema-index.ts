/** An index of the fields of a schema by their words (BM25), with the place of each below the root. */
import {
  getNamedType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  isInterfaceType,
  isObjectType,
} from 'graphql';

/** A field that was found. */
export interface FoundField {
  readonly type: string;
  readonly field: GraphQLField<unknown, unknown>;
  /** Fields from the root to this one, that included; empty if no short way leads there. */
  readonly path: readonly string[];
}

interface Entry extends FoundField {
  readonly words: ReadonlyMap<string, number>;
  readonly length: number;
}

/** Longest way from the root that is of use in an example. */
const deepest = 4;
/** Weights of BM25. */
const saturation = 1.2;
const lengthWeight = 0.75;
/** Weight of the words in names, compared with those in descriptions. */
const nameWeight = 3;

/** Fields of queries, by the words in their names and descriptions. */
export class SchemaIndex {
  readonly #entries: readonly Entry[];
  readonly #frequency = new Map<string, number>();
  readonly #averageLength: number;

  constructor(schema: GraphQLSchema) {
    const paths = pathsOf(schema.getQueryType());
    this.#entries = [...paths].flatMap(([type, path]) =>
      Object.values(type.getFields()).map((field) => entryOf(type, field, path)),
    );
    for (const { words } of this.#entries)
      for (const word of words.keys()) this.#frequency.set(word, (this.#frequency.get(word) ?? 0) + 1);
    const total = this.#entries.reduce((sum, { length }) => sum + length, 0);
    this.#averageLength = total / Math.max(1, this.#entries.length);
  }

  /** The fields that fit best, those near the root first among equals. */
  find(
    query: string,
    most: number,
    isShown: (field: FoundField) => boolean = () => true,
  ): readonly FoundField[] {
    const asked = [...wordsOf(query, 1).keys()];
    const scored = this.#entries
      .filter(isShown)
      .map((entry) => ({ entry, score: this.#score(entry, asked) / (1 + 0.15 * entry.path.length) }))
      .filter(({ score }) => score > 0);
    scored.sort((a, b) => b.score - a.score || a.entry.path.length - b.entry.path.length);
    return scored.slice(0, most).map(({ entry }) => entry);
  }

  #score({ words, length }: Entry, asked: readonly string[]): number {
    const norm = saturation * (1 - lengthWeight + lengthWeight * (length / this.#averageLength));
    let score = 0;
    for (const word of asked) {
      const count = words.get(word);
      if (count === undefined) continue;
      const documents = this.#frequency.get(word) ?? 0;
      const rarity = Math.log(1 + (this.#entries.length - documents + 0.5) / (documents + 0.5));
      score += (rarity * count * (saturation + 1)) / (count + norm);
    }
    return score;
  }
}

/** Types that queries reach, with the shortest way to each. */
function pathsOf(
  root: GraphQLObjectType | undefined | null,
): ReadonlyMap<GraphQLObjectType, readonly string[]> {
  const paths = new Map<GraphQLObjectType, readonly string[]>();
  if (!root) return paths;
  paths.set(root, []);
  for (const [type, path] of paths) {
    if (path.length >= deepest) continue;
    for (const field of Object.values(type.getFields())) {
      const next = getNamedType(field.type);
      if ((isObjectType(next) || isInterfaceType(next)) && !paths.has(next as GraphQLObjectType))
        paths.set(next as GraphQLObjectType, [...path, field.name]);
    }
  }
  return paths;
}

function entryOf(
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  path: readonly string[],
): Entry {
  const words = wordsOf(`${type.name} ${field.name}`, nameWeight);
  for (const [word, count] of wordsOf(field.description ?? '', 1))
    words.set(word, (words.get(word) ?? 0) + count);
  const length = [...words.values()].reduce((sum, count) => sum + count, 0);
  return { type: type.name, field, path: [...path, field.name], words, length };
}

/** Words in lower case and without endings of the plural, with their weights. */
function wordsOf(text: string, weight: number): Map<string, number> {
  const words = new Map<string, number>();
  const parts =
    text
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .match(/[a-z0-9]{2,}/g) ?? [];
  for (const part of parts) {
    const word = part.length > 3 ? part.replace(/ies$/, 'y').replace(/s$/, '') : part;
    words.set(word, (words.get(word) ?? 0) + weight);
  }
  return words;
}
