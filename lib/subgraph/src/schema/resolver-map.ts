import {
  type GraphQLScalarType,
  isEnumType,
  isInterfaceType,
  isObjectType,
  type GraphQLSchema,
} from 'graphql';
import type { ResolverMap } from '../types.js';

/** Resolvers by type and field, after merging. */
export type MergedResolvers = Record<string, Record<string, unknown>>;

/** Merges the maps of the domains; an element that two of them define is reported as an error. */
export function mergeResolvers(maps: readonly ResolverMap[], faults: string[]): MergedResolvers {
  const merged: MergedResolvers = {};
  for (const map of maps) {
    for (const [type, fields] of Object.entries(map)) {
      const target = (merged[type] ??= {});
      for (const [field, resolver] of Object.entries(fields as object)) {
        if (resolver === undefined) continue;
        if (field in target) faults.push(`${type}.${field} is resolved by two resolver maps`);
        target[field] = resolver;
      }
    }
  }
  return merged;
}

/** The parts of a scalar that a schema takes over; its name and description are those of the SDL. */
export function scalarParts({
  serialize,
  parseValue,
  parseLiteral,
}: GraphQLScalarType): Record<string, unknown> {
  return { serialize, parseValue, parseLiteral };
}

/** Reports resolvers for unknown elements: misspelt ones would otherwise be ignored silently. */
export function checkResolverNames(
  schema: GraphQLSchema,
  resolvers: MergedResolvers,
  faults: string[],
): void {
  for (const [typeName, fields] of Object.entries(resolvers)) {
    const type = schema.getType(typeName);
    if (!type) {
      faults.push(`there are resolvers for ${typeName}, which is not in the SDL`);
      continue;
    }
    for (const field of Object.keys(fields)) {
      if (field.startsWith('__')) continue;
      if (isObjectType(type) && !(field in type.getFields())) {
        faults.push(`there is a resolver for ${typeName}.${field}, which is not in the SDL`);
      }
      if (isInterfaceType(type))
        faults.push(`${typeName}.${field}: resolvers belong to object types, not interfaces`);
      if (isEnumType(type) && !type.getValue(field))
        faults.push(`${typeName}.${field} is not a value of the enum`);
    }
  }
}
