/** Tools made of the operations of subgraphs. */
import { type CheckedOperation, personVariable } from '@rhizome/schema/agent-operations';
import { answerResult, errorResult } from '../results/tool-result.js';
import { proposing, proposeOperation } from './propose.js';
import { maySee, personOf } from './rights.js';
import { givenInputs, readOnly, type Tool, type ToolDefinition } from './tool.js';

/** The tool of a query, or the tool that proposes a mutation. */
export function operationTool(operation: CheckedOperation): Tool {
  const definition = definitionOf(operation);
  const takesPerson = (operation.node.variableDefinitions ?? []).some(
    ({ variable }) => variable.name.value === personVariable,
  );
  return {
    definition,
    isFor: (principal) => maySee(operation, principal),
    call: async (given, call) => {
      const inputs = givenInputs(given, definition);
      if (typeof inputs === 'string') return errorResult(inputs);
      if (takesPerson) inputs[personVariable] = call.principal && personOf(call.principal).subject;
      if (operation.stakes !== null) return proposeOperation(operation, inputs, call);
      const answer = await call.run({ tool: operation.tool, query: operation.text, variables: inputs });
      return answerResult(answer, operation);
    },
  };
}

function definitionOf(operation: CheckedOperation): ToolDefinition {
  const { tool: name, title, description, stakes, inputSchema } = operation;
  const common = { name, title, description };
  if (stakes === null) return { ...common, inputSchema, annotations: readOnly };
  return {
    ...common,
    inputSchema: { ...inputSchema, ...proposing(inputSchema) },
    annotations: {
      readOnlyHint: false,
      destructiveHint: stakes !== 'UNDOABLE',
      idempotentHint: true,
      openWorldHint: false,
    },
  };
}
