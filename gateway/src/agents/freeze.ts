/** Turns the operation of a proposer into the one that runs: one mutation, its whole input as a variable. */
import {
  type DocumentNode,
  type FieldNode,
  getNamedType,
  getVariableValues,
  GraphQLError,
  type GraphQLInputObjectType,
  type GraphQLSchema,
  isInputObjectType,
  isObjectType,
  isRequiredArgument,
  Kind,
  NoUnusedVariablesRule,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  typeFromAST,
  validate,
} from 'graphql';
import { getArgumentValues } from 'graphql/execution/values.js';
import { type MutationRule, ruleOf } from './mutation-rules.js';
import { selectionOf } from './selection.js';

/** An input of a mutation. */
export type MutationInput = Readonly<Record<string, unknown>>;

/** A change that can run. */
export interface FrozenChange {
  readonly mutation: string;
  readonly operation: string;
  readonly input: MutationInput;
  readonly rule: MutationRule;
  /** Experiments whose subgraphs answer the mutation; none for one of core. */
  readonly experiments: readonly string[];
  /** True if the mutation can check its input without a change. */
  readonly hasDryRun: boolean;
}

/** The reason why there is no change. */
export interface FreezeFault {
  readonly code: 'OPERATION_INVALID' | 'MUTATION_NOT_SUPPORTED';
  readonly field: 'operation' | 'variables';
  readonly message: string;
}

/** Options of {@link freeze}. */
export interface FreezeOptions {
  readonly schema: GraphQLSchema;
  readonly text: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Idempotency key of the mutation. */
  readonly key: string;
  /** True for mutations of the gateway itself. */
  readonly isOwn: (mutation: string) => boolean;
  /** Experiments whose subgraphs answer a mutation. */
  readonly experimentsOf: (mutation: string) => readonly string[];
}

const maxTokens = 4_000;

/** Variables that only the selection uses do no harm. */
const rules = specifiedRules.filter((rule) => rule !== NoUnusedVariablesRule);

/** Checks an operation against the schema, and coerces its variables. */
export function freeze(options: FreezeOptions): FrozenChange | FreezeFault {
  try {
    return frozen(options);
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return fault('OPERATION_INVALID', 'operation', error.message);
  }
}

/** True if there is no change. */
export function isFault(found: FrozenChange | FreezeFault): found is FreezeFault {
  return 'code' in found;
}

function frozen(options: FreezeOptions): FrozenChange | FreezeFault {
  const { schema, text, variables, key, isOwn, experimentsOf } = options;
  const { definitions } = parse(text, { maxTokens, noLocation: true });
  const [operation, ...others] = definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION || others.length > 0)
    return fault('OPERATION_INVALID', 'operation', 'must be one operation without fragments');
  const [node, ...further] = operation.selectionSet.selections;
  if (operation.operation !== 'mutation' || further.length > 0 || node?.kind !== Kind.FIELD)
    return fault('OPERATION_INVALID', 'operation', 'must be one mutation with one field');
  if ((node.directives ?? []).length > 0)
    return fault('OPERATION_INVALID', 'operation', 'must have no directives at its field');
  const [invalid] = validate(schema, withoutSelection(operation, node), rules, { maxErrors: 1 });
  if (invalid) return fault('OPERATION_INVALID', 'operation', invalid.message);
  const field = schema.getMutationType()?.getFields()[node.name.value];
  const [argument, ...furtherArguments] = field?.args ?? [];
  const inputType = argument?.name === 'input' && isRequiredArgument(argument) && getNamedType(argument.type);
  const payload = field && getNamedType(field.type);
  if (!field || furtherArguments.length > 0 || !isInputObjectType(inputType) || !isObjectType(payload)) {
    const text = `${node.name.value} cannot be proposed; must take one required argument "input", an object`;
    return fault('MUTATION_NOT_SUPPORTED', 'operation', text);
  }
  const secret = secretIn(inputType);
  if (secret !== undefined) {
    const text = `${field.name} cannot be proposed: proposals are kept, and its input has ${secret}`;
    return fault('MUTATION_NOT_SUPPORTED', 'operation', text);
  }
  const rule = ruleOf(field.name, 'idempotencyKey' in inputType.getFields(), isOwn(field.name));
  if (!rule) return fault('MUTATION_NOT_SUPPORTED', 'operation', unsupported(field.name));
  const given = withKeys(schema, operation, variables, key);
  const { coerced, errors } = getVariableValues(schema, operation.variableDefinitions ?? [], given, {
    maxErrors: 1,
  });
  if (errors) return fault('OPERATION_INVALID', 'variables', errors[0]?.message ?? '');
  const { input } = getArgumentValues(field, node, coerced) as { readonly input: object };
  return {
    mutation: field.name,
    operation: `mutation Proposal($input: ${inputType.name}!) { ${field.name}(input: $input) ${selectionOf(payload)} }`,
    input: completed(JSON.parse(JSON.stringify(input)) as MutationInput, inputType, key),
    rule,
    experiments: experimentsOf(field.name),
    hasDryRun: 'isDryRun' in inputType.getFields(),
  };
}

const secretNames = /^(password|passphrase|token|secret|secretValue|credentials?|accessKey|privateKey)$/i;

/** The first field of an input, at any depth, whose name is that of a secret. */
function secretIn(
  type: GraphQLInputObjectType,
  seen = new Set<GraphQLInputObjectType>(),
): string | undefined {
  if (seen.has(type)) return undefined;
  seen.add(type);
  for (const field of Object.values(type.getFields())) {
    const inner = getNamedType(field.type);
    const found = isInputObjectType(inner)
      ? secretIn(inner, seen)
      : secretNames.test(field.name) && `${type.name}.${field.name}`;
    if (found) return found;
  }
  return undefined;
}

/** The operation without the selection of its field, which is replaced: checking it could take long. */
function withoutSelection(operation: OperationDefinitionNode, node: FieldNode): DocumentNode {
  const name = { kind: Kind.NAME, value: '__typename' } as const;
  const selectionSet = { kind: Kind.SELECTION_SET, selections: [{ kind: Kind.FIELD, name }] } as const;
  const field = node.selectionSet ? { ...node, selectionSet } : node;
  const only = { ...operation, selectionSet: { kind: Kind.SELECTION_SET, selections: [field] } as const };
  return { kind: Kind.DOCUMENT, definitions: [only] };
}

/** The input with the key of the proposal, and as one that changes something. */
function completed(input: MutationInput, type: GraphQLInputObjectType, key: string): MutationInput {
  const fields = type.getFields();
  return {
    ...input,
    ...('idempotencyKey' in fields && { idempotencyKey: key }),
    ...('isDryRun' in fields && { isDryRun: false }),
  };
}

/** The variables with a key in each input object that takes one. */
function withKeys(
  schema: GraphQLSchema,
  { variableDefinitions = [] }: OperationDefinitionNode,
  variables: MutationInput,
  key: string,
): MutationInput {
  const found = { ...variables };
  for (const { variable, type } of variableDefinitions) {
    const name = variable.name.value;
    const named = getNamedType(typeFromAST(schema, type as never));
    const value = found[name];
    if (!isInputObjectType(named) || !('idempotencyKey' in named.getFields())) continue;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      found[name] = { ...value, idempotencyKey: key };
  }
  return found;
}

function unsupported(mutation: string): string {
  return (
    `${mutation} cannot be proposed; must be a mutation of jobs, tasks, workflows, fleets, queues or workers, or one ` +
    'of an experiment, that takes an idempotencyKey or sets a state'
  );
}

function fault(code: FreezeFault['code'], field: FreezeFault['field'], text: string): FreezeFault {
  return { code, field, message: `${field}: ${text}` };
}
