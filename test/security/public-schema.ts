/** The schema that clients see, and the fields by which they enter it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, type GraphQLSchema, isObjectType } from 'graphql';
import { root } from '../e2e/system/playground-system.js';

export const publicSchema = (): GraphQLSchema =>
  buildSchema(readFileSync(join(root, 'schema', 'public.graphql'), 'utf8'));

/** Root fields, and the fields of the types that gather the queries of an experiment, as `Query.job`. */
export const rootFields = (schema: GraphQLSchema): readonly string[] =>
  Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && /^(Query|Mutation|Subscription|[A-Z][A-Za-z]*Query)$/.test(type.name)
      ? Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)
      : [],
  );
