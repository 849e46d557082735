/** The root fields that an operation calls, with their arguments. */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import type { OperationInfo } from '@rhizome/federation';

/** Variables of a request. */
export type Variables = Readonly<Record<string, unknown>>;

/** A root field of an operation. */
export interface RootField {
  /** Coordinate, such as `Mutation.submitJobs`. */
  readonly action: string;
  /** Key of the field in the answer. */
  readonly responseKey: string;
  readonly node: FieldNode;
  /** Directives that may exclude it: its own and those of the fragments around it. */
  readonly conditions: readonly DirectiveNode[];
  /** Key of the selected `userErrors` in the field's answer. */
  readonly userErrorsKey: string | undefined;
}

const known = new WeakMap<OperationInfo, readonly RootField[]>();

/** Root fields of an operation in order, each response key once; read from the document once. */
export function rootFieldsOf(operation: OperationInfo): readonly RootField[] {
  let fields = known.get(operation);
  if (!fields) known.set(operation, (fields = read(operation)));
  return fields;
}

/** True unless `@skip` or `@include` excludes the field. */
export function isIncluded({ conditions }: RootField, variables: Variables): boolean {
  return conditions.every(({ name, arguments: given = [] }) => {
    const node = given.find((one) => one.name.value === 'if')?.value;
    const value = node === undefined ? undefined : valueFromASTUntyped(node, variables);
    return name.value === 'skip' ? value !== true : value !== false;
  });
}

/** Arguments of a root field as the client sent them. */
export function argumentsOf({ node }: RootField, variables: Variables): Readonly<Record<string, unknown>> {
  const given = (node.arguments ?? []).map(
    ({ name, value }) => [name.value, valueFromASTUntyped(value, variables)] as const,
  );
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

const typeNames = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' } as const;

interface Flat {
  readonly node: FieldNode;
  readonly conditions: readonly DirectiveNode[];
}

function read({ kind, document }: OperationInfo): readonly RootField[] {
  const fragments = fragmentsOf(document);
  const operation = document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  const found = new Map<string, RootField>();
  for (const { node, conditions } of flat(operation?.selectionSet, fragments)) {
    const responseKey = node.alias?.value ?? node.name.value;
    if (node.name.value === '__typename' || found.has(responseKey)) continue;
    const inside = flat(node.selectionSet, fragments).find((one) => one.node.name.value === 'userErrors');
    found.set(responseKey, {
      action: `${typeNames[kind]}.${node.name.value}`,
      responseKey,
      node,
      conditions,
      userErrorsKey: inside && (inside.node.alias?.value ?? inside.node.name.value),
    });
  }
  return [...found.values()];
}

function fragmentsOf({ definitions }: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  const found = definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION);
  return new Map(found.map((node) => [node.name.value, node]));
}

/** The fields of a selection with fragments expanded. The operation is valid, so there are no cycles. */
function flat(
  set: SelectionSetNode | undefined,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  outer: readonly DirectiveNode[] = [],
): readonly Flat[] {
  return (set?.selections ?? []).flatMap((node): readonly Flat[] => {
    const own = (node.directives ?? []).filter(
      ({ name }) => name.value === 'skip' || name.value === 'include',
    );
    const conditions = own.length === 0 ? outer : [...outer, ...own];
    if (node.kind === Kind.FIELD) return [{ node, conditions }];
    const inner =
      node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)?.selectionSet;
    return flat(inner, fragments, conditions);
  });
}
