import { defaultFieldResolver, type GraphQLSchema, isAbstractType, isObjectType } from 'graphql';
import { settleLists } from './settled-lists.js';

/**
 * Makes a schema one that compiled code runs as graphql-js does: each field and each abstract type gets the resolver
 * that graphql-js would use where it has none, and lists hand out settled items. Changes the schema in place.
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
 * What compiled code would do otherwise than graphql-js, as far as a schema shows it: the compiler reads a field
 * without a resolver as plain data, where graphql-js calls what it finds if that is a function, and it waits for no
 * type resolver. Empty for every schema of `buildSubgraph`.
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
