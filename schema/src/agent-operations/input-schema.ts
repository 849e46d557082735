/** JSON Schema of the variables of an operation. */
import {
  type ConstValueNode,
  getNamedType,
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
/** Largest enum whose values are listed. */
const mostValues = 50;

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
  const inputs = (operation.variableDefinitions ?? []).flatMap((node) => {
    const name = node.variable.name.value;
    const type = typeFromAST(schema, node.type as never) as GraphQLInputType | undefined;
    return type && name !== personVariable ? [{ node, name, type }] : [];
  });
  const shapes = new InputShapes(inputs.map(({ type }) => type));
  const properties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const { node, name, type } of inputs) {
    const { defaultValue, description } = node;
    properties[name] = {
      ...shapes.of(type),
      ...(description && { description: description.value.trim().replace(/\s+/g, ' ') }),
      ...(defaultValue && { default: valueFromASTUntyped(defaultValue as ConstValueNode) }),
    };
    if (isNonNullType(type) && !defaultValue) required.push(name);
  }
  return {
    type: 'object',
    properties,
    ...(required.length > 0 && { required }),
    additionalProperties: false,
    ...shapes.definitions(),
  };
}

/**
 * Shapes of types. Input objects that occur more than once are definitions of their own, so that the size of
 * a schema follows from the number of types, not from that of the paths to them.
 */
class InputShapes {
  readonly #uses = new Map<GraphQLInputObjectType, number>();
  readonly #shared = new Map<string, JsonSchema>();

  constructor(types: readonly GraphQLInputType[]) {
    const open = types.map((type) => getNamedType(type));
    for (let type = open.pop(); type; type = open.pop()) {
      if (!isInputObjectType(type)) continue;
      const uses = this.#uses.get(type) ?? 0;
      this.#uses.set(type, uses + 1);
      if (uses === 0) open.push(...Object.values(type.getFields()).map((field) => getNamedType(field.type)));
    }
  }

  of(type: GraphQLInputType): JsonSchema {
    if (isNonNullType(type)) return this.of(type.ofType as GraphQLInputType);
    if (isListType(type))
      return { type: 'array', items: this.of(type.ofType as GraphQLInputType), maxItems: mostEntries };
    if (isEnumType(type)) {
      const values = type.getValues();
      return { type: 'string', ...(values.length <= mostValues && { enum: values.map(({ name }) => name) }) };
    }
    if (!isInputObjectType(type)) return scalars[type.name] ?? {};
    if (this.#uses.get(type) === 1) return this.#shapeOf(type);
    if (!this.#shared.has(type.name)) {
      this.#shared.set(type.name, {});
      this.#shared.set(type.name, this.#shapeOf(type));
    }
    return { $ref: `#/$defs/${type.name}` };
  }

  definitions(): JsonSchema {
    return this.#shared.size === 0 ? {} : { $defs: Object.fromEntries(this.#shared) };
  }

  #shapeOf(type: GraphQLInputObjectType): JsonSchema {
    const fields = Object.values(type.getFields());
    const required = fields.filter((field) => isNonNullType(field.type) && field.defaultValue === undefined);
    return {
      type: 'object',
      properties: Object.fromEntries(fields.map((field) => [field.name, this.of(field.type)])),
      ...(required.length > 0 && { required: required.map(({ name }) => name) }),
      additionalProperties: false,
      ...(type.isOneOf && { minProperties: 1, maxProperties: 1 }),
    };
  }
}
