/** Checks whether a selection needs only known fields: then nothing is read. */
import {
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  type SelectionSetNode,
} from 'graphql';

type Fragments = Readonly<Record<string, FragmentDefinitionNode>>;

/** Returns true if only these fields are selected below the resolved field; cached with the document. */
export function selectsOnly(
  names: ReadonlySet<string>,
): (info: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>) => boolean {
  const answers = new WeakMap<FieldNode, boolean>();
  return ({ fieldNodes, fragments }) =>
    fieldNodes.every((node) => {
      let answer = answers.get(node);
      if (answer === undefined) {
        answer = node.selectionSet !== undefined && isWithin(names, node.selectionSet, fragments);
        answers.set(node, answer);
      }
      return answer;
    });
}

function isWithin(
  names: ReadonlySet<string>,
  { selections }: SelectionSetNode,
  fragments: Fragments,
): boolean {
  return selections.every((selection) => {
    if (selection.kind === Kind.FIELD) return names.has(selection.name.value);
    if (selection.kind === Kind.INLINE_FRAGMENT) return isWithin(names, selection.selectionSet, fragments);
    const fragment = fragments[selection.name.value];
    return fragment !== undefined && isWithin(names, fragment.selectionSet, fragments);
  });
}
