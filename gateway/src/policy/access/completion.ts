/** Puts nulls and errors in place of the fields that were removed from an operation. */
import type { ExecutionText } from '@rhizome/federation';
import {
  type FieldNode,
  getDirectiveValues,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  isAbstractType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { type Restriction, typeKey } from './restriction.js';

type Path = readonly (string | number)[];
type Data = Readonly<Record<string, unknown>>;

interface Body {
  readonly data?: Data | null;
  readonly errors?: readonly unknown[];
  readonly extensions?: unknown;
}

function defaultsOf({ operation }: Restriction): Data {
  const defined = (operation.variableDefinitions ?? []).filter(({ defaultValue }) => defaultValue);
  return Object.fromEntries(
    defined.map(({ variable, defaultValue }) => [
      variable.name.value,
      defaultValue && valueFromASTUntyped(defaultValue),
    ]),
  );
}

/** A null that the type does not allow: its parent becomes null. */
const invalid = Symbol('null in place of a value');

/** Completes the answer to a restricted operation as if its fields had failed. */
export function complete(
  answer: ExecutionText,
  restriction: Restriction,
  schema: GraphQLSchema,
  request: { readonly variables: Data | undefined; readonly requestId: string },
): ExecutionText {
  const body = JSON.parse(answer.text) as Body;
  if (answer.outcome !== 'executed' || !body.data) return answer;
  const completion = new Completion(restriction, schema, request);
  const data = completion.root(body.data);
  const errors = [...(body.errors ?? []), ...completion.errors];
  const { extensions } = body;
  return {
    ...answer,
    text: JSON.stringify({
      ...(errors.length > 0 && { errors }),
      data,
      ...(extensions !== undefined && { extensions }),
    }),
    codes: [...answer.codes, ...completion.errors.map(() => 'FORBIDDEN')],
  };
}

class Completion {
  readonly errors: object[] = [];
  readonly #restriction: Restriction;
  readonly #schema: GraphQLSchema;
  readonly #variables: Data;
  readonly #requestId: string;

  constructor(
    restriction: Restriction,
    schema: GraphQLSchema,
    { variables = {}, requestId }: { readonly variables: Data | undefined; readonly requestId: string },
  ) {
    this.#restriction = restriction;
    this.#schema = schema;
    this.#variables = { ...defaultsOf(restriction), ...variables };
    this.#requestId = requestId;
  }

  root(data: Data): unknown {
    const { operation } = this.#restriction;
    const type = this.#schema.getRootType(operation.operation);
    const value = type ? this.#object(data, type, [operation.selectionSet], []) : data;
    return value === invalid ? null : value;
  }

  #object(data: Data, type: GraphQLObjectType, sets: readonly SelectionSetNode[], path: Path): unknown {
    const completed: Record<string, unknown> = {};
    for (const [key, fields] of this.#collect(sets, type)) {
      const value = this.#field(data, type, fields, [...path, key]);
      if (value === invalid) return invalid;
      completed[key] = value;
    }
    return completed;
  }

  #field(data: Data, type: GraphQLObjectType, fields: readonly FieldNode[], path: Path): unknown {
    const [first] = fields;
    const name = first?.name.value ?? '';
    const result = type.getFields()[name]?.type;
    const coordinate = fields.map((field) => this.#restriction.refused.get(field)).find(Boolean);
    if (coordinate !== undefined) {
      this.#refuse(path);
      return result === undefined || isNonNullType(result) ? invalid : null;
    }
    const value = data[path.at(-1) as string];
    if (result === undefined) return value;
    const sets = fields.flatMap(({ selectionSet }) => selectionSet ?? []);
    return sets.length === 0 ? value : this.#value(value, result, sets, path);
  }

  #value(value: unknown, type: GraphQLOutputType, sets: readonly SelectionSetNode[], path: Path): unknown {
    if (isNonNullType(type)) {
      const inner = this.#value(value, type.ofType, sets, path);
      return inner === null && value !== null ? invalid : inner;
    }
    if (value === null || value === undefined) return null;
    if (isListType(type)) {
      const items = (value as readonly unknown[]).map((item, at) =>
        this.#value(item, type.ofType, sets, [...path, at]),
      );
      return items.includes(invalid) ? null : items;
    }
    const object = value as Data;
    const runtime = this.#schema.getType(String(object[typeKey]));
    if (!isObjectType(runtime)) return null;
    const completed = this.#object(object, runtime, sets, path);
    return completed === invalid ? null : completed;
  }

  /** One error for each response position, as if the field had failed there. */
  #refuse(path: Path): void {
    const message = 'You may not read this field';
    const extensions = { code: 'FORBIDDEN', retry: 'never', requestId: this.#requestId };
    this.errors.push({ message, path, extensions });
  }

  /** The fields of an object of this type by response key, as GraphQL collects them. */
  #collect(
    sets: readonly SelectionSetNode[],
    type: GraphQLObjectType,
    into: Map<string, FieldNode[]> = new Map(),
  ): Map<string, FieldNode[]> {
    for (const { selections } of sets) {
      for (const selection of selections) {
        if (selection.kind === Kind.FRAGMENT_SPREAD || !this.#isIncluded(selection)) continue;
        if (selection.kind === Kind.FIELD) {
          const key = selection.alias?.value ?? selection.name.value;
          const known = into.get(key);
          if (known) known.push(selection);
          else into.set(key, [selection]);
        } else if (this.#matches(selection.typeCondition?.name.value, type)) {
          this.#collect([selection.selectionSet], type, into);
        }
      }
    }
    return into;
  }

  #matches(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const named = this.#schema.getType(condition);
    return isAbstractType(named) && this.#schema.isSubType(named, type);
  }

  #isIncluded(node: Parameters<typeof getDirectiveValues>[1]): boolean {
    const variables = this.#variables as Record<string, unknown>;
    if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.['if'] === true) return false;
    return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.['if'] !== false;
  }
}
