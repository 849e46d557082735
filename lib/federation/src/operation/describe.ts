import {
  type FieldNode,
  type GraphQLSchema,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { SelectedOperation } from '../planning/select.js';
import type { SupergraphFacts } from '../supergraph/supergraph.js';
import type { OperationInfo, ResumableField } from '../engine/types.js';

/** Response key of a cursor that the client did not select. */
const cursorAlias = '_rhizome_cursor';

/** Facts about an operation before it runs, and the text that is planned for it. */
export function describe(
  schema: GraphQLSchema,
  facts: SupergraphFacts,
  selected: SelectedOperation,
  normalisedText: string,
): { readonly info: OperationInfo; readonly planText: string } {
  const { operation } = selected;
  const resumable = operation.operation === 'subscription' ? findResumable(facts, selected) : undefined;
  const info: OperationInfo = {
    kind: operation.operation,
    name: operation.name?.value,
    normalisedText,
    document: selected.document,
    perPrincipal:
      mentions(normalisedText, facts.perPrincipal) && touches(schema, selected, facts.perPrincipal),
    resumable: resumable?.field,
    incremental: operation.operation === 'subscription' && isIncremental(facts, selected),
  };
  return { info, planText: resumable ? withCursor(selected, resumable) : normalisedText };
}

/** True if a text contains the name of one of the fields, given as `Type.field`. Checking types is slower. */
function mentions(text: string, fields: readonly string[]): boolean {
  return fields.some((field) => text.includes(field.slice(field.indexOf('.') + 1)));
}

function touches(schema: GraphQLSchema, selected: SelectedOperation, fields: readonly string[]): boolean {
  const marked = new Set(fields);
  let found = false;
  const types = new TypeInfo(schema);
  visit(
    selected.document,
    visitWithTypeInfo(types, {
      Field(node) {
        const parent = types.getParentType();
        if (parent && marked.has(`${parent.name}.${node.name.value}`)) found = true;
      },
    }),
  );
  return found;
}

interface Resumable {
  readonly node: FieldNode;
  readonly cursor: string;
  readonly field: ResumableField;
}

function findResumable(facts: SupergraphFacts, selected: SelectedOperation): Resumable | undefined {
  const node = rootField(selected, selected.operation.selectionSet);
  const fact = node && facts.resumable[node.name.value];
  if (!node || !fact) return undefined;
  const given = node.arguments?.find(({ name }) => name.value === fact.argument)?.value;
  return {
    node,
    cursor: fact.cursor,
    field: {
      responseKey: node.alias?.value ?? node.name.value,
      argument: fact.argument,
      variable: given?.kind === Kind.VARIABLE ? given.name.value : undefined,
      cursorField: fact.cursor,
      cursorKey: cursorAlias,
      latestArgument: fact.latest,
    },
  };
}

function isIncremental(facts: SupergraphFacts, selected: SelectedOperation): boolean {
  const node = rootField(selected, selected.operation.selectionSet);
  return node !== undefined && facts.incremental.includes(node.name.value);
}

/** The single root field of a subscription, also inside fragments. */
function rootField(selected: SelectedOperation, set: SelectionSetNode): FieldNode | undefined {
  for (const selection of set.selections) {
    const found = rootFieldOf(selected, selection);
    if (found) return found;
  }
  return undefined;
}

function rootFieldOf(selected: SelectedOperation, selection: SelectionNode): FieldNode | undefined {
  if (selection.kind === Kind.FIELD) return selection;
  const inner =
    selection.kind === Kind.INLINE_FRAGMENT
      ? selection.selectionSet
      : selected.fragments.get(selection.name.value)?.selectionSet;
  return inner && rootField(selected, inner);
}

/** The operation with the cursor selected under an internal key, which the client's answer does not show. */
function withCursor(selected: SelectedOperation, { node, cursor }: Resumable): string {
  const field: FieldNode = {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: cursorAlias },
    name: { kind: Kind.NAME, value: cursor },
  };
  const changed = visit(selected.document, {
    Field(candidate) {
      if (candidate !== node || !candidate.selectionSet) return undefined;
      const selections = [...candidate.selectionSet.selections, field];
      return { ...candidate, selectionSet: { ...candidate.selectionSet, selections } };
    },
  });
  return print(changed);
}
