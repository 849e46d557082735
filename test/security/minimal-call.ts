/** The smallest valid call of a mutation, made from its types. */
import {
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';

/** An operation and its variables. */
export interface MinimalCall {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

const scalars: Readonly<Record<string, unknown>> = {
  ID: 'walk',
  String: 'walk',
  Int: 1,
  SafeInt: 1,
  Float: 1,
  Boolean: true,
  DateTime: '2026-01-01T00:00:00Z',
};

/** A call of the mutation with its required arguments; it selects `userErrors` if there are some. */
export function minimalCall(schema: GraphQLSchema, field: string): MinimalCall {
  const definition = schema.getMutationType()?.getFields()[field];
  if (!definition) throw new Error(`Mutation "${field}" not found.`);
  const args = definition.args.filter(isRequiredArgument);
  const declared = args.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const given = args.map(({ name }) => `${name}: $${name}`).join(', ');
  const payload = isNonNullType(definition.type) ? definition.type.ofType : definition.type;
  const selects =
    isObjectType(payload) && 'userErrors' in payload.getFields() ? 'userErrors { message }' : '__typename';
  return {
    query: `mutation ${declared && `(${declared})`} { ${field}${given && `(${given})`} { ${selects} } }`,
    variables: Object.fromEntries(args.map(({ name, type }) => [name, valueOf(type)])),
  };
}

function valueOf(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return valueOf(type.ofType as GraphQLInputType);
  if (isListType(type)) return [valueOf(type.ofType as GraphQLInputType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) return scalars[type.name] ?? 'walk';
  const fields = Object.values(type.getFields());
  const chosen = type.isOneOf ? fields.slice(0, 1) : fields.filter(isRequiredInputField);
  return Object.fromEntries(chosen.map((field) => [field.name, valueOf(field.type)]));
}
