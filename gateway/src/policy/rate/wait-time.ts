/** Operations that wait by themselves, as those do that ask for work. */
import type { OperationInfo } from '@rhizome/federation';
import { getArgumentValues, getVariableValues, type GraphQLSchema, Kind } from 'graphql';
import { isIncluded, rootFieldsOf, type Variables } from '../root-fields.js';

/**
 * The fields that wait, for at most a minute: those of core that hand out work. A rule of its own, not an
 * argument's name: calls that wait are exempt from limits that protect from slow experiments.
 */
const waitingFields = new Set(['Mutation.acquireJobs', 'Mutation.leaseWorkUnits']);
const longestWaitSeconds = 60;
/** Longest time that counts for one operation, whose fields run one after another. */
const longestOperationSeconds = 300;

const known = new WeakMap<OperationInfo, boolean>();

/**
 * Milliseconds for which an operation may wait; 0 unless each of its root fields waits: otherwise a field
 * that waits would exempt others from the limits of operations that work.
 */
export function waitMsOf(operation: OperationInfo, schema: GraphQLSchema, variables: Variables): number {
  if (!mayWait(operation)) return 0;
  const definition = operation.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  const { coerced } = getVariableValues(schema, definition?.variableDefinitions ?? [], variables);
  const fields = schema.getMutationType()?.getFields() ?? {};
  let total = 0;
  // Variables that are invalid are refused before anything waits.
  for (const field of coerced ? rootFieldsOf(operation) : []) {
    if (!isIncluded(field, coerced ?? {})) continue;
    const declared = fields[field.node.name.value];
    const seconds = declared
      ? waitSecondsIn(argumentsOf(() => getArgumentValues(declared, field.node, coerced)))
      : 0;
    if (seconds === 0) return 0;
    total += Math.min(seconds, longestWaitSeconds);
  }
  return Math.min(total, longestOperationSeconds) * 1000;
}

function mayWait(operation: OperationInfo): boolean {
  if (operation.kind !== 'mutation') return false;
  let may = known.get(operation);
  if (may === undefined) {
    may = rootFieldsOf(operation).every(({ action }) => waitingFields.has(action));
    known.set(operation, may);
  }
  return may;
}

/** The arguments with their defaults; none if they are invalid. */
function argumentsOf(read: () => Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return read();
  } catch {
    return {};
  }
}

function waitSecondsIn({ input }: Readonly<Record<string, unknown>>): number {
  const seconds =
    typeof input === 'object' && input !== null && 'waitSeconds' in input ? input.waitSeconds : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds : 0;
}
