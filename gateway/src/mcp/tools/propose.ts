/** Proposals of changes: agents change nothing themselves, a person decides. */
import type { CheckedOperation, JsonSchema } from '@rhizome/schema/agent-operations';
import type { McpCall } from '../call.js';
import { answerResult, errorResult, type ToolResult } from '../results/tool-result.js';

/** Makes a proposal; a graph without this mutation has no tools that propose. */
export const createProposalText = `mutation ($input: CreateProposalInput!) {
  createProposal(input: $input) {
    isNew
    proposal { ref status stakes expiresAt preview { targetCount refusedCount coreHours gpuHours isDryRun } }
    userErrors { code message path }
  }
}`;

// Messages quote notes of people and refusals of dry runs.
const paths = { untrusted: ['createProposal.userErrors.message'], trusted: [] };

const reason: JsonSchema = {
  type: 'string',
  description: 'Why this helps, for the person who decides.',
};

/** The inputs of the tool of a mutation: those of the operation, and the reason. */
export function proposing({ properties, required = [] }: JsonSchema): JsonSchema {
  return {
    properties: { ...(properties as object), reason },
    required: [...new Set([...(required as string[]), 'reason'])],
  };
}

/** Proposes an operation as the caller. The repeated proposal of an open one gives the same. */
export async function proposeOperation(
  { tool, text, node }: CheckedOperation,
  inputs: Readonly<Record<string, unknown>>,
  call: McpCall,
): Promise<ToolResult> {
  const { reason: why, ...others } = inputs;
  if (typeof why !== 'string' || why.trim() === '')
    return errorResult('reason: it is missing; must say why the change helps');
  const takesReason = (node.variableDefinitions ?? []).some(
    ({ variable }) => variable.name.value === 'reason',
  );
  const variables = takesReason ? { ...others, reason: why } : others;
  const input = { operation: text, variables, reason: why };
  const answer = await call.run({ tool, query: createProposalText, variables: { input } });
  return answerResult(answer, paths);
}
