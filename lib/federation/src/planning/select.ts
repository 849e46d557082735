import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';

/** An operation and the fragments it can reach. */
export interface SelectedOperation {
  readonly operation: OperationDefinitionNode;
  readonly fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** A document with only these definitions. */
  readonly document: DocumentNode;
}

/** Reason why no operation could be selected, for the client. */
export interface SelectionFault {
  readonly fault: string;
}

/**
 * Selects the requested operation and the fragments it reaches, in document order. Without a name the
 * document must have exactly one operation.
 */
export function selectOperation(
  document: DocumentNode,
  operationName: string | undefined,
): SelectedOperation | SelectionFault {
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  if (operations.length === 0) return { fault: 'The document has no operation' };
  if (operationName === undefined && operations.length > 1) {
    const names = operations.map(({ name }) => name?.value).join(', ');
    return {
      fault: `The document has several operations (${names}); operationName must say which one is meant`,
    };
  }
  const operation =
    operationName === undefined
      ? operations[0]
      : operations.find(({ name }) => name?.value === operationName);
  if (!operation) return { fault: `The document has no operation named "${operationName}"` };
  const reached = reachableFragments(document, operation);
  return {
    operation,
    fragments: new Map(reached.map((fragment) => [fragment.name.value, fragment])),
    document: { kind: Kind.DOCUMENT, definitions: [operation, ...reached] },
  };
}

function reachableFragments(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): FragmentDefinitionNode[] {
  const all = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) all.set(node.name.value, node);
  }
  const reached = new Set<FragmentDefinitionNode>();
  const queue: (OperationDefinitionNode | FragmentDefinitionNode)[] = [operation];
  for (let node = queue.pop(); node; node = queue.pop()) {
    visit(node, {
      FragmentSpread({ name }) {
        const fragment = all.get(name.value);
        if (!fragment || reached.has(fragment)) return;
        reached.add(fragment);
        queue.push(fragment);
      },
    });
  }
  return [...all.values()].filter((fragment) => reached.has(fragment));
}
