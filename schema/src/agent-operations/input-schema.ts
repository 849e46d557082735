/** JSON Schema of the variables of an operation. */
import {
  type ConstValueNode,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  type OperationDefinitionNode,
  typeFromAST,
  valueFromASTUntyped,
} from 'graphql';
import { personVariable } from './read.js';

/** The part of JSON Schema that tools need. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Largest number of entries of a list. */
const mostEntries = 100;

const scalars: Readonly<Record<string, JsonSchema>> = {
  ID: { type: 'string' },
  String: { type: 'string' },
  Boolean: { type: 'boolean' },
  Int: { type: 'integer' },
  SafeInt: { type: 'integer' },
  Float: { type: 'number' },
  DateTime: { type: 'string', format: 'date-time' },
};

/** The schema of an operation that is valid in `schema`. The variable of the person is left out. */
export function inputSchemaOf(operation: OperationDefinitionNode, schema: GraphQLSchema): JsonSchema {
  const shapes = new InputShapes();
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const { variable, type, defaultValue, description } of operation.variableDefinitions ?? []) {
    const name = variable.name.value;
    if (name === personVariable) continue;
    const found = typeFromAST(schema, type as never) as GraphQLInputType | undefined;
    if (!found) continue;
    properties[name] = {
      ...shapes.of(found),
      ...(description && { description: description.value.trim().replace(/\s+/g, ' ') }),
      ...(defaultValue && { default: valueFromASTUntyped(defaultValue as ConstValueNode) }),
    };
    if (isNonNullType(found) && !defaultValue) required.push(name);
  }
  return {
    type: 'object',
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
    ...shapes.definitions(),
  };
}

/** Shapes of types; those that contain themselves are definitions of their own. */
class InputShapes {
  readonly #open: string[] = [];
  readonly #recursive = new Map<string, JsonSchema | undefined>();

  of(type: GraphQLInputType): JsonSchema {
    if (isNonNullType(type)) return this.of(type.ofType as GraphQLInputType);
    if (isListType(type))
      return { type: 'array', items: this.of(type.ofType as GraphQLInputType), maxItems: mostEntries };
    if (isEnumType(type)) return { type: 'string', enum: type.getValues().map(({ name }) => name) };
    if (isInputObjectType(type)) return this.#objectOf(type);
    return scalars[type.name] ?? {};
  }

  definitions(): JsonSchema {
    return this.#recursive.size === 0 ? {} : { $defs: Object.fromEntries(this.#recursive) };
  }

  #objectOf(type: GraphQLInputObjectType): JsonSchema {
    const reference = { $ref: `#/$defs/${type.name}` };
    if (this.#recursive.has(type.name)) return reference;
    if (this.#open.includes(type.name)) {
      this.#recursive.set(type.name, undefined);
      return reference;
    }
    this.#open.push(type.name);
    const fields = Object.values(type.getFields());
    const required = fields.filter((field) => isNonNullType(field.type) && field.defaultValue === undefined);
    const shape = {
      type: 'object',
      properties: Object.fromEntries(fields.map((field) => [field.name, this.of(field.type)])),
      ...(required.length > 0 && { required: required.map(({ name }) => name) }),
      additionalProperties: false,
      ...(type.isOneOf && { minProperties: 1, maxProperties: 1 }),
    };
    this.#open.pop();
    if (!this.#recursive.has(type.name)) return shape;
    this.#recursive.set(type.name, shape);
    return reference;
  }
}
