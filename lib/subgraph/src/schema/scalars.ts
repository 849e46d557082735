import { badInput } from '@rhizome/errors';
import { GraphQLFloat, GraphQLInt, GraphQLScalarType, Kind, valueFromASTUntyped } from 'graphql';

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function parseInstant(value: unknown): Date {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value;
  const parsed = typeof value === 'string' && instant.test(value) ? new Date(value) : undefined;
  if (!parsed || Number.isNaN(parsed.getTime())) {
    throw badInput('DateTime', value, 'ISO 8601 with an offset, such as 2030-05-17T08:30:00.000Z');
  }
  return parsed;
}

/**
 * `DateTime`: a Date in resolvers, ISO 8601 in UTC with milliseconds in answers; input may have any offset.
 */
const dateTime = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  serialize: (value) => parseInstant(value).toISOString(),
  parseValue: parseInstant,
  parseLiteral: (node) => parseInstant(node.kind === Kind.STRING ? node.value : valueFromASTUntyped(node)),
});

/**
 * JSON and GraphQL literals can contain -0. MongoDB would store it as a double, which the validator of an
 * integer field rejects, so input scalars return 0 instead.
 */
function withoutNegativeZero(value: number): number {
  return value === 0 ? 0 : value;
}

/**
 * graphql-js has one object of each built-in scalar for all schemas of a process, so it is changed once,
 * here.
 */
for (const scalar of [GraphQLInt, GraphQLFloat]) {
  const { parseValue, parseLiteral } = scalar;
  scalar.parseValue = (value) => withoutNegativeZero(parseValue(value));
  scalar.parseLiteral = (node, variables) => withoutNegativeZero(parseLiteral(node, variables));
}

function parseSafeInt(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return withoutNegativeZero(value);
  throw badInput('SafeInt', value, 'a whole number between -(2^53 - 1) and 2^53 - 1');
}

/** `SafeInt`: integers that a double represents exactly. */
const safeInt = new GraphQLScalarType<number, number>({
  name: 'SafeInt',
  serialize: (value) => parseSafeInt(typeof value === 'bigint' ? Number(value) : value),
  parseValue: parseSafeInt,
  parseLiteral: (node) =>
    parseSafeInt(node.kind === Kind.INT ? Number(node.value) : valueFromASTUntyped(node)),
});

/** `JSON`: passed through unchanged. */
const json = new GraphQLScalarType<unknown, unknown>({
  name: 'JSON',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables),
});

/** Scalars of the shared SDL; a subgraph does not need resolvers for them. */
export const sharedScalars: readonly GraphQLScalarType[] = [dateTime, safeInt, json];
