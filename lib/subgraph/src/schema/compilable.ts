import { defaultFieldResolver, type GraphQLSchema, isAbstractType, isObjectType } from 'graphql';
import { settleLists } from './settled-lists.js';

/**
 * Changes a schema so that compiled code runs it as graphql-js does: each field and each abstract type gets
 * the resolver that graphql-js would use if it has none, and lists return settled items. Changes the schema
 * in place.
 */
export function settleResolvers(schema: GraphQLSchema): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isAbstractType(type)) {
      type.resolveType ??= (value: unknown) => (value as { __typename?: string }).__typename;
    }
    if (!isObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      field.resolve ??= defaultFieldResolver;
      settleLists(field);
    }
  }
}

/**
 * Differences between compiled code and graphql-js that are visible in the schema: the compiler reads a field
 * without a resolver as plain data, whereas graphql-js calls the value if it is a function, and it does not
 * await type resolvers. Empty for every schema of `buildSubgraph`.
 */
export function compilationFaults(schema: GraphQLSchema): string[] {
  const faults: string[] = [];
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.name.startsWith('__')) continue;
    if (isAbstractType(type)) {
      if (!type.resolveType) faults.push(`${type.name} has no type resolver`);
      else if (isAsyncFunction(type.resolveType))
        faults.push(`${type.name}.__resolveType must be synchronous`);
    }
    if (!isObjectType(type)) continue;
    if (isAsyncFunction(type.isTypeOf)) faults.push(`${type.name}.__isTypeOf must be synchronous`);
    for (const field of Object.values(type.getFields())) {
      if (!field.resolve) faults.push(`${type.name}.${field.name} has no resolver of its own`);
    }
  }
  return faults;
}

function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && value.constructor.name === 'AsyncFunction';
}
