import { DomainError } from '@rhizome/errors';
import { type DocumentNode, Kind, type SelectionSetNode } from 'graphql';

/**
 * Bounds of documents that a server accepts. They are several times those of the gateway, whose fetches are
 * larger than what its clients send.
 */
export const documentBounds = {
  tokens: 60_000,
  depth: 60,
  aliases: 2_000,
  'root fields': 500,
  fields: 100_000,
} as const;

type Bound = keyof typeof documentBounds;

interface Size {
  readonly depth: number;
  readonly fields: number;
}

/** The error of a document whose shape exceeds a bound; undefined for one that fits. */
export function boundsError(document: DocumentNode): DomainError | undefined {
  const fragments = new Map<string, SelectionSetNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node.selectionSet);
  }
  const shape = new DocumentShape(fragments);
  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION && node.kind !== Kind.FRAGMENT_DEFINITION) continue;
    const { depth, fields } = shape.sizeOf(node.selectionSet);
    const over =
      exceeded('depth', depth) ??
      exceeded('fields', fields) ??
      exceeded('aliases', shape.aliases) ??
      exceeded('root fields', node.selectionSet.selections.length);
    if (over) return over;
  }
  return undefined;
}

/** The error of a document with too many tokens. */
export function tooManyTokens(): DomainError {
  const expected = `at most ${documentBounds.tokens}`;
  return new DomainError('OPERATION_TOO_COMPLEX', `query: too many tokens; must have ${expected}`, {
    field: 'tokens',
    expected,
  });
}

function exceeded(field: Bound, value: number): DomainError | undefined {
  const limit = documentBounds[field];
  if (value <= limit) return undefined;
  return new DomainError(
    'OPERATION_TOO_COMPLEX',
    `The operation has ${field} of ${value}; the limit is ${limit}`,
    {
      field,
      value,
      expected: `at most ${limit}`,
    },
  );
}

/** Sizes with fragments expanded; each fragment is measured once, so that the work stays linear. */
class DocumentShape {
  readonly #fragments: ReadonlyMap<string, SelectionSetNode>;
  readonly #known = new Map<SelectionSetNode, Size>();
  aliases = 0;

  constructor(fragments: ReadonlyMap<string, SelectionSetNode>) {
    this.#fragments = fragments;
  }

  sizeOf(set: SelectionSetNode): Size {
    const known = this.#known.get(set);
    if (known) return known;
    // Ends a cycle, which validation reports.
    this.#known.set(set, { depth: 0, fields: 0 });
    let depth = 0;
    let fields = 0;
    for (const selection of set.selections) {
      const isField = selection.kind === Kind.FIELD;
      if (isField && selection.alias) this.aliases++;
      const inner =
        selection.kind === Kind.FRAGMENT_SPREAD
          ? this.#fragments.get(selection.name.value)
          : selection.selectionSet;
      const size = inner ? this.sizeOf(inner) : { depth: 0, fields: 0 };
      depth = Math.max(depth, size.depth + (isField ? 1 : 0));
      fields += size.fields + (isField ? 1 : 0);
    }
    const size = { depth, fields };
    this.#known.set(set, size);
    return size;
  }
}
