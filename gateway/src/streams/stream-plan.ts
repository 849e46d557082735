import {
  type DocumentNode,
  execute,
  type FieldNode,
  type GraphQLField,
  type GraphQLSchema,
  isNonNullType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  parseType,
  print,
  TypeInfo,
  type ValueNode,
  valueFromASTUntyped,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { OperationInfo, ResumableField } from '@rhizome/federation';

/** Values of an operation's variables. */
export type Variables = Readonly<Record<string, unknown>>;

/**
 * Plan for opening a client's subscription upstream, made so that clients with the same subscription share
 * it.
 */
export interface StreamPlan {
  /**
   * The document for upstream. A resumable field always takes its cursor from one variable of the gateway.
   */
  readonly text: string;
  /** The variables in the sharing key: those in the document, without the cursor, in a fixed order. */
  keyOf(variables: Variables): string;
  /** The variables for upstream. */
  upstreamVariables(variables: Variables, cursor: string | undefined): Record<string, unknown>;
  /** The cursor from the client, by variable, literal or default. */
  cursorOf(variables: Variables): string | undefined;
  readonly resumable: ResumableField | undefined;
  /** True if a slow consumer continues from its cursor: it wants the newest state and not each event. */
  resumesSlowConsumers(variables: Variables): boolean;
  /** The message that opens a stream: only the cursor. Undefined if the payload cannot be empty. */
  openingMessage(variables: Variables, cursor: string): string | undefined;
}

const plans = new WeakMap<OperationInfo, StreamPlan>();

/** The plan of a subscription, made once per operation. */
export function planStream(operation: OperationInfo, schema: GraphQLSchema): StreamPlan {
  let plan = plans.get(operation);
  if (!plan) plans.set(operation, (plan = makePlan(operation, schema)));
  return plan;
}

function makePlan(operation: OperationInfo, schema: GraphQLSchema): StreamPlan {
  const { resumable, document } = operation;
  const found = resumable ? findRootField(document, schema, resumable.responseKey) : undefined;
  if (!resumable || !found) return plainPlan(operation);
  return resumablePlan(operation, schema, resumable, found);
}

function plainPlan({ normalisedText, document }: OperationInfo): StreamPlan {
  const names = variableNames(document);
  return {
    text: normalisedText,
    keyOf: (variables) => keyText(names, variables),
    upstreamVariables: (variables) => ({ ...variables }),
    cursorOf: () => undefined,
    resumable: undefined,
    resumesSlowConsumers: () => false,
    openingMessage: () => undefined,
  };
}

function resumablePlan(
  operation: OperationInfo,
  schema: GraphQLSchema,
  resumable: ResumableField,
  { node, field }: RootField,
): StreamPlan {
  const given = node.arguments?.find(({ name }) => name.value === resumable.argument)?.value;
  const latest = node.arguments?.find(({ name }) => name.value === resumable.latestArgument)?.value;
  const variable = freeName(variableNames(operation.document));
  const type = field.args.find(({ name }) => name === resumable.argument)?.type;
  const document = feedByVariable(operation, schema, resumable, variable, String(type ?? 'String'));
  const names = variableNames(document).filter((name) => name !== variable);
  return {
    text: print(document),
    keyOf: (variables) => keyText(names, variables),
    upstreamVariables: (variables, cursor) => ({
      ...pick(names, variables),
      ...(cursor === undefined ? {} : { [variable]: cursor }),
    }),
    cursorOf: (variables) => textIn(given, operation.document, variables),
    resumable,
    resumesSlowConsumers: (variables) => textIn(latest, operation.document, variables) === 'LATEST',
    openingMessage: (variables, cursor) => {
      const payload = { [field.name]: { ...typeNameOf(field), [resumable.cursorField]: cursor } };
      return emptyAnswer(operation.document, schema, variables, payload);
    },
  };
}

interface RootField {
  readonly node: FieldNode;
  readonly field: GraphQLField<unknown, unknown>;
}

function findRootField(
  document: DocumentNode,
  schema: GraphQLSchema,
  responseKey: string,
): RootField | undefined {
  const root = schema.getSubscriptionType();
  const info = new TypeInfo(schema);
  let found: RootField | undefined;
  visit(
    document,
    visitWithTypeInfo(info, {
      Field: (node) => {
        if (found || info.getParentType() !== root || (node.alias ?? node.name).value !== responseKey) return;
        const field = info.getFieldDef();
        if (field) found = { node, field };
      },
    }),
  );
  return found;
}

/** The document with `variable` as the cursor's argument, without variables that are no longer used. */
function feedByVariable(
  { document }: OperationInfo,
  schema: GraphQLSchema,
  { argument, responseKey }: ResumableField,
  variable: string,
  type: string,
): DocumentNode {
  const root = schema.getSubscriptionType();
  const info = new TypeInfo(schema);
  const name = { kind: Kind.NAME, value: variable } as const;
  const value = { kind: Kind.VARIABLE, name } as const;
  const fed = visit(
    document,
    visitWithTypeInfo(info, {
      Field: (node) => {
        if (info.getParentType() !== root || (node.alias ?? node.name).value !== responseKey)
          return undefined;
        const others = (node.arguments ?? []).filter((given) => given.name.value !== argument);
        const own = { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: argument }, value } as const;
        return { ...node, arguments: [...others, own] };
      },
    }),
  );
  const used = new Set<string>();
  visit(fed, {
    VariableDefinition: () => false,
    Variable: ({ name: found }) => void used.add(found.value),
  });
  return visit(fed, {
    OperationDefinition: (node) => ({
      ...node,
      variableDefinitions: [
        ...(node.variableDefinitions ?? []).filter((definition) => used.has(definition.variable.name.value)),
        { kind: Kind.VARIABLE_DEFINITION, variable: value, type: parseType(type) },
      ],
    }),
  });
}

function operationOf(document: DocumentNode): OperationDefinitionNode | undefined {
  return document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
}

function variableNames(document: DocumentNode): string[] {
  const definitions = operationOf(document)?.variableDefinitions ?? [];
  return definitions.map(({ variable }) => variable.name.value).sort();
}

function freeName(taken: readonly string[]): string {
  let name = 'goOnAfter';
  while (taken.includes(name)) name += '_';
  return name;
}

/** Value of a string argument, by variable, literal or default. */
function textIn(
  given: ValueNode | undefined,
  document: DocumentNode,
  variables: Variables,
): string | undefined {
  if (!given) return undefined;
  let value: unknown;
  if (given.kind === Kind.VARIABLE) {
    const name = given.name.value;
    const definition = operationOf(document)?.variableDefinitions?.find(
      (d) => d.variable.name.value === name,
    );
    const fallback = definition?.defaultValue;
    value = Object.hasOwn(variables, name) ? variables[name] : fallback && valueFromASTUntyped(fallback);
  } else {
    value = valueFromASTUntyped(given);
  }
  return typeof value === 'string' ? value : undefined;
}

function pick(names: readonly string[], variables: Variables): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) if (Object.hasOwn(variables, name)) picked[name] = variables[name];
  return picked;
}

/** Equal text for equal values, whatever the order of their keys. */
function keyText(names: readonly string[], variables: Variables): string {
  return JSON.stringify(pick(names, variables), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function typeNameOf(field: GraphQLField<unknown, unknown>): { __typename?: string } {
  const type = isNonNullType(field.type) ? field.type.ofType : field.type;
  return isObjectType(type) ? { __typename: type.name } : {};
}

/** Executes the client's selection on an empty payload, so that aliases, fragments and conditions apply. */
function emptyAnswer(
  document: DocumentNode,
  schema: GraphQLSchema,
  variableValues: Variables,
  rootValue: object,
): string | undefined {
  const result = execute({ schema, document, variableValues, rootValue });
  if ('then' in result || result.errors || !result.data) return undefined;
  return JSON.stringify({ data: result.data });
}
