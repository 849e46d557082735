/** Checks the operations of subgraphs against the schema that clients see. */
import { type GraphQLSchema, Kind, print, validate } from 'graphql';
import { type AgentOperation, type OfferingSubgraph, type OperationFault, readOperations } from './read.js';

/** An operation that is valid in a schema. */
export interface CheckedOperation extends AgentOperation {
  readonly subgraph: string;
  /** Null for a subgraph of core. */
  readonly typePrefix: string | null;
  /** The operation as it is sent: without descriptions. */
  readonly text: string;
}

/** Valid operations, and the errors of the others. */
export interface CheckedOperations {
  readonly operations: readonly CheckedOperation[];
  readonly faults: readonly OperationFault[];
}

/** Reads the operations of a subgraph and validates them. Never throws. */
export function checkOperations(subgraph: OfferingSubgraph, schema: GraphQLSchema): CheckedOperations {
  const { name, typePrefix } = subgraph;
  const { operations, faults } = readOperations(subgraph);
  const found: OperationFault[] = [...faults];
  const valid: CheckedOperation[] = [];
  for (const operation of operations) {
    const text = textOf(operation);
    const errors = validate(schema, { kind: Kind.DOCUMENT, definitions: [operation.node] });
    if (errors.length === 0) valid.push({ ...operation, subgraph: name, typePrefix, text });
    for (const { message } of errors.slice(0, 5))
      found.push({ subgraph: name, operation: operation.node.name?.value ?? null, message });
  }
  return { operations: valid, faults: found };
}

function textOf({ node }: AgentOperation): string {
  const variableDefinitions = (node.variableDefinitions ?? []).map(({ description: _of, ...one }) => one);
  const { description: _of, ...rest } = node;
  return print({ ...rest, variableDefinitions });
}
