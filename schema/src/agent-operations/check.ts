/** Checks the operations of subgraphs against the schema that clients see. */
import { type GraphQLSchema, Kind, print, validate, visit } from 'graphql';
import { inputSchemaOf, type JsonSchema } from './input-schema.js';
import { type AgentOperation, type OfferingSubgraph, type OperationFault, readOperations } from './read.js';

/** An operation that is valid in a schema. */
export interface CheckedOperation extends AgentOperation {
  readonly subgraph: string;
  /** Null for a subgraph of core. */
  readonly typePrefix: string | null;
  /** The operation as it is sent: without descriptions. */
  readonly text: string;
  /** JSON Schema of its variables. */
  readonly inputSchema: JsonSchema;
}

/** Valid operations, and the errors of the others. */
export interface CheckedOperations {
  readonly operations: readonly CheckedOperation[];
  readonly faults: readonly OperationFault[];
}

/** Largest number of fields that an operation selects: their validation takes time with its square. */
const mostFields = 200;
/** Largest definition of a tool, in characters: name, texts, and schema of its inputs. */
const longestDefinition = 3000;
/** Largest tools of a subgraph together, in number and characters; each caller's model reads them all. */
const mostOfExperiment = { tools: 8, characters: 6000 };
const mostOfCore = { tools: 16, characters: 12_000 };

/** Reads the operations of a subgraph and validates them. Never throws. */
export function checkOperations(subgraph: OfferingSubgraph, schema: GraphQLSchema): CheckedOperations {
  const { name, typePrefix } = subgraph;
  const { operations, faults } = readOperations(subgraph);
  const found: OperationFault[] = [...faults];
  const valid: CheckedOperation[] = [];
  const most = typePrefix === null ? mostOfCore : mostOfExperiment;
  let characters = 0;
  for (const operation of operations) {
    const checked = checkOne(operation, subgraph, schema);
    const messages = 'messages' in checked ? [...checked.messages] : [];
    if (!('messages' in checked)) {
      characters += lengthOf(checked);
      if (valid.length >= most.tools)
        messages.push(`the tools of a subgraph of this kind are at most ${most.tools}`);
      else if (characters > most.characters)
        messages.push(
          `the definitions of the tools have ${characters} characters so far; must be at most ${most.characters}`,
        );
      else valid.push(checked);
    }
    for (const message of messages)
      found.push({ subgraph: name, operation: operation.node.name?.value ?? null, message });
  }
  return { operations: valid, faults: found };
}

/** The first of each name, core's before those of experiments, and an error for each other one. */
export function distinctTools(operations: readonly CheckedOperation[]): CheckedOperations {
  const rank = ({ typePrefix }: CheckedOperation): number => (typePrefix === null ? 0 : 1);
  const kept = new Map<string, CheckedOperation>();
  const faults: OperationFault[] = [];
  for (const operation of [...operations].sort((a, b) => rank(a) - rank(b))) {
    const { tool, subgraph, node } = operation;
    const first = kept.get(tool);
    if (!first) kept.set(tool, operation);
    else {
      const message = `"${first.subgraph}" has a tool "${tool}"; give the operation another name`;
      faults.push({ subgraph, operation: node.name?.value ?? null, message });
    }
  }
  return { operations: [...kept.values()], faults };
}

function checkOne(
  operation: AgentOperation,
  { name, typePrefix }: OfferingSubgraph,
  schema: GraphQLSchema,
): CheckedOperation | { readonly messages: readonly string[] } {
  const { node } = operation;
  try {
    const fields = fieldCount(operation);
    if (fields > mostFields)
      return { messages: [`${fields} fields are too many; must be at most ${mostFields}`] };
    const errors = validate(schema, { kind: Kind.DOCUMENT, definitions: [node] });
    if (errors.length > 0) return { messages: errors.slice(0, 5).map(({ message }) => message) };
    const inputSchema = inputSchemaOf(node, schema);
    const checked = { ...operation, subgraph: name, typePrefix, text: textOf(operation), inputSchema };
    const length = lengthOf(checked);
    if (length <= longestDefinition) return checked;
    const message = `its definition has ${length} characters; must be at most ${longestDefinition}: take smaller inputs`;
    return { messages: [message] };
  } catch (error) {
    // Such as a nesting that no recursion can follow.
    return { messages: [`it cannot be checked: ${error instanceof Error ? error.message : String(error)}`] };
  }
}

function fieldCount({ node }: AgentOperation): number {
  let count = 0;
  const counted = (): void => void count++;
  visit(node, { Field: counted, InlineFragment: counted, FragmentSpread: counted });
  return count;
}

function lengthOf({ tool, title, description, inputSchema }: CheckedOperation): number {
  return JSON.stringify({ tool, title, description, inputSchema }).length;
}

function textOf({ node }: AgentOperation): string {
  const variableDefinitions = (node.variableDefinitions ?? []).map(({ description: _of, ...one }) => one);
  const { description: _of, ...rest } = node;
  return print({ ...rest, variableDefinitions });
}
