import type { GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { ExecutionText } from '../engine/types.js';
import { buildUntaggedView, type RootFieldTags } from '../supergraph/untagged-view.js';

/** A schema that answers introspection. */
export interface SchemaView {
  readonly schema: GraphQLSchema;
  /** By operation: answers about the schema alone, which are long, costly, and the same for everybody. */
  readonly answers: LRUCache<object, ExecutionText>;
}

/** Answers that a view keeps: tools ask in few ways, and one answer is hundreds of kilobytes. */
const keptAnswers = 8;
/** Views without tags that are kept. */
const keptViews = 4;

/** The public schema of an engine, and parts of it that leave out tagged root fields. */
export class SchemaViews {
  /** The view with all elements. */
  readonly whole: SchemaView;
  readonly #tags: RootFieldTags;
  readonly #known: ReadonlySet<string>;
  readonly #views = new LRUCache<string, Promise<SchemaView>>({ max: keptViews });

  constructor(schema: GraphQLSchema, tags: RootFieldTags) {
    this.whole = viewOf(schema);
    this.#tags = tags;
    this.#known = new Set(Object.values(tags).flat());
  }

  /** The view without the root fields that have one of the tags; tags that no root field has are ignored. */
  without(tags: readonly string[]): SchemaView | Promise<SchemaView> {
    const left = new Set(tags.filter((tag) => this.#known.has(tag)));
    if (left.size === 0) return this.whole;
    const key = JSON.stringify([...left].sort());
    let view = this.#views.get(key);
    if (!view) {
      view = buildUntaggedView(this.whole.schema, this.#tags, left).then(viewOf);
      this.#views.set(key, view);
    }
    return view;
  }
}

function viewOf(schema: GraphQLSchema): SchemaView {
  return { schema, answers: new LRUCache({ max: keptAnswers }) };
}
