import { DomainError } from '@rhizome/errors';
import { type DocumentNode, GraphQLError, Kind, type SelectionSetNode, visit } from 'graphql';
import type { OperationCheck, OperationInfo } from '@rhizome/federation';
import type { GatewayLimits } from './limits.js';

/** Checks a document's shape before it runs: depth, aliases, root fields, directives. */
export function shapeChecks(limits: GatewayLimits): OperationCheck[] {
  return [
    ({ document }) => {
      const { aliases, directives } = count(document);
      const shape = measure(document);
      return [
        ...over('aliases', aliases, limits.aliases),
        ...over('directives', directives, limits.directives),
        ...over('depth', shape.depth, limits.depth),
        ...over('root fields', shape.rootFields, limits.rootFields),
        ...repeatedCredentials(document),
      ];
    },
  ];
}

function over(field: string, value: number, limit: number): GraphQLError[] {
  if (value <= limit) return [];
  const text = `The operation has ${field} of ${value}; the limit is ${limit}`;
  const originalError = new DomainError('OPERATION_TOO_COMPLEX', text, {
    field,
    value,
    expected: `at most ${limit}`,
  });
  const extensions = { code: originalError.code, ...originalError.details };
  return [new GraphQLError(text, { originalError, extensions })];
}

/** Mutations that take a code or a token: rates count operations, so one holds only one of them. */
const takesCredential = /^(login|enrol|redeem|exchange|refresh|verify)(?=[A-Z]|$)/;

function repeatedCredentials(document: DocumentNode): GraphQLError[] {
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (operation?.operation !== 'mutation') return [];
  let found = 0;
  // Wherever it is: a fragment on the root type may hold it, too.
  visit(document, { Field: ({ name }) => void (takesCredential.test(name.value) && found++) });
  return over('mutations that take a credential', found, 1);
}

function count(document: DocumentNode): { aliases: number; directives: number } {
  const found = { aliases: 0, directives: 0 };
  visit(document, {
    Field: ({ alias }) => void (alias && found.aliases++),
    Directive: () => void found.directives++,
  });
  return found;
}

/** Depth and width with fragments expanded; each fragment is measured once, so that the cost stays linear. */
function measure(document: DocumentNode): { depth: number; rootFields: number } {
  const fragments = new Map<string, SelectionSetNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node.selectionSet);
  }
  const known = new Map<SelectionSetNode, { depth: number; width: number }>();
  const walk = (set: SelectionSetNode): { depth: number; width: number } => {
    const seen = known.get(set);
    if (seen) return seen;
    // Validation rejects cycles; this entry only prevents an endless loop after a programming error.
    known.set(set, { depth: 0, width: 0 });
    let depth = 0;
    let width = 0;
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        width++;
        if (selection.name.value.startsWith('__')) continue;
        depth = Math.max(depth, 1 + (selection.selectionSet ? walk(selection.selectionSet).depth : 0));
        continue;
      }
      const inner =
        selection.kind === Kind.INLINE_FRAGMENT
          ? selection.selectionSet
          : fragments.get(selection.name.value);
      if (!inner) continue;
      const below = walk(inner);
      depth = Math.max(depth, below.depth);
      width += below.width;
    }
    const result = { depth, width };
    known.set(set, result);
    return result;
  };
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (!operation) return { depth: 0, rootFields: 0 };
  const { depth, width } = walk(operation.selectionSet);
  return { depth, rootFields: width };
}

/** True for an operation that selects introspection fields only. */
export function isIntrospection({ kind, document }: OperationInfo): boolean {
  if (kind !== 'query') return false;
  const fragments = new Map<string, SelectionSetNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node.selectionSet);
  }
  const only = (set: SelectionSetNode | undefined): boolean =>
    set !== undefined &&
    set.selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return selection.name.value.startsWith('__');
      return only(
        selection.kind === Kind.INLINE_FRAGMENT
          ? selection.selectionSet
          : fragments.get(selection.name.value),
      );
    });
  return only(document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION)?.selectionSet);
}
