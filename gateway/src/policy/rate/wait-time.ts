/** Operations that wait by themselves, as those do that ask for work. */
import type { OperationInfo } from '@rhizome/federation';
import {
  type FieldNode,
  getArgumentValues,
  getVariableValues,
  type GraphQLField,
  type GraphQLSchema,
  Kind,
} from 'graphql';
import { isIncluded, rootFieldsOf, type Variables } from '../root-fields.js';

/**
 * The fields that wait, for at most a minute: those of core that hand out work. A rule of its own, not an
 * argument's name: calls that wait are exempt from limits that protect from slow experiments.
 */
const waitingFields = new Set(['Mutation.acquireJobs', 'Mutation.leaseWorkUnits']);
const longestWaitSeconds = 60;
/** Longest time that counts for one operation, whose fields run one after another. */
const longestOperationSeconds = 300;

/**
 * Milliseconds for which an operation may wait; 0 unless each of its root fields waits: otherwise a field
 * that waits would exempt others from the limits of operations that work.
 */
export function waitMsOf(operation: OperationInfo, schema: GraphQLSchema, variables: Variables): number {
  if (!mayWait(operation)) return 0;
  const definition = operation.document.definitions.find((node) => node.kind === Kind.OPERATION_DEFINITION);
  const { coerced } = getVariableValues(schema, definition?.variableDefinitions ?? [], variables);
  // Variables that are invalid are refused before anything waits.
  if (!coerced) return 0;
  const fields = schema.getMutationType()?.getFields() ?? {};
  let total = 0;
  for (const field of rootFieldsOf(operation)) {
    if (!isIncluded(field, coerced)) continue;
    const declared = fields[field.node.name.value];
    const seconds = declared ? waitSecondsOf(declared, field.node, coerced) : 0;
    if (seconds === 0) return 0;
    total += Math.min(seconds, longestWaitSeconds);
  }
  return Math.min(total, longestOperationSeconds) * 1000;
}

function mayWait(operation: OperationInfo): boolean {
  return (
    operation.kind === 'mutation' && rootFieldsOf(operation).every(({ action }) => waitingFields.has(action))
  );
}

/** Seconds in the input of a field, with the defaults of the schema; 0 if its arguments are invalid. */
function waitSecondsOf(
  declared: GraphQLField<unknown, unknown>,
  node: FieldNode,
  variables: Variables,
): number {
  let input: unknown;
  try {
    ({ input } = getArgumentValues(declared, node, variables));
  } catch {
    return 0;
  }
  const seconds =
    typeof input === 'object' && input !== null && 'waitSeconds' in input ? input.waitSeconds : undefined;
  return typeof seconds === 'number' && seconds > 0 ? seconds : 0;
}
