/** Operations that wait by themselves, as those do that ask for work. */
import type { OperationInfo } from '@rhizome/federation';
import { getNamedType, type GraphQLField, type GraphQLSchema, isInputObjectType } from 'graphql';
import { argumentsOf, isIncluded, type RootField, rootFieldsOf, type Variables } from '../root-fields.js';

/** Name of an argument, or of a field of an input, with the seconds for which a root field may wait. */
const waitArgument = 'waitSeconds';
/** Longest time that counts for one root field. */
const maxSeconds = 300;

const known = new WeakMap<OperationInfo, readonly RootField[]>();

/**
 * Milliseconds for which an operation may wait; 0 unless each of its root fields waits: otherwise a field
 * that waits would exempt others from the limits of operations that work.
 */
export function waitMsOf(operation: OperationInfo, schema: GraphQLSchema, variables: Variables): number {
  let fields = known.get(operation);
  if (!fields) known.set(operation, (fields = fieldsThatMayWait(operation, schema)));
  let total = 0;
  for (const field of fields) {
    if (!isIncluded(field, variables)) continue;
    const seconds = waitSecondsIn(argumentsOf(field, variables));
    if (seconds === 0) return 0;
    total += Math.min(seconds, maxSeconds);
  }
  return total * 1000;
}

/** The root fields of an operation if all of them may wait, otherwise none. */
function fieldsThatMayWait(operation: OperationInfo, schema: GraphQLSchema): readonly RootField[] {
  if (operation.kind === 'subscription') return [];
  const types = schema.getRootType(operation.kind as never)?.getFields() ?? {};
  const fields = rootFieldsOf(operation);
  const all = fields.every(({ node }) => {
    const field = types[node.name.value];
    return field !== undefined && mayWait(field);
  });
  return all ? fields : [];
}

function mayWait({ args }: GraphQLField<unknown, unknown>): boolean {
  return args.some(({ name, type }) => {
    const named = getNamedType(type);
    return name === waitArgument || (isInputObjectType(named) && waitArgument in named.getFields());
  });
}

function waitSecondsIn(given: Readonly<Record<string, unknown>>): number {
  for (const value of [given, ...Object.values(given)]) {
    if (typeof value !== 'object' || value === null) continue;
    const seconds = (value as Record<string, unknown>)[waitArgument];
    if (typeof seconds === 'number' && seconds > 0) return seconds;
  }
  return 0;
}
