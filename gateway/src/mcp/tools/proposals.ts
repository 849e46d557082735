/** The caller's proposals: `list_proposals` and `withdraw_proposal`. */
import type { GraphQLSchema } from 'graphql';
import { documentTool } from './document-tool.js';
import type { Tool } from './tool.js';

const listText = `query ($filter: ProposalFilter, $first: Int, $after: String) {
  proposals(filter: $filter, first: $first, after: $after) {
    totalCount
    nodes {
      ref status mutation stakes reason createdAt expiresAt
      preview { targetCount refusedCount }
      decision { isApproval by { subject } at note }
      outcome { isUnknown errors { code message } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

const withdrawText = `mutation ($input: WithdrawProposalInput!) {
  withdrawProposal(input: $input) { proposal { ref status } userErrors { code message path } }
}`;

/** The tools; a graph without proposals has none. */
export function proposalTools(schema: GraphQLSchema): readonly (Tool | undefined)[] {
  const isFor = (): boolean => true;
  const list = documentTool(schema, {
    name: 'list_proposals',
    title: 'List proposals',
    description: 'Lists your proposals with status, decision and outcome, the newest first.',
    inputSchema: {
      type: 'object',
      properties: {
        status: { type: 'string', description: 'Only this status, such as PROPOSED, DONE or DENIED.' },
        after: { type: 'string', description: 'Cursor of the previous page.' },
      },
      additionalProperties: false,
    },
    query: listText,
    variables: ({ status, after }) => ({
      filter: status === undefined ? {} : { statuses: [status] },
      first: 20,
      after,
    }),
    paths: {
      untrusted: ['proposals.nodes.reason', 'proposals.nodes.decision.note'],
      trusted: [],
    },
    isFor,
  });
  const withdraw = documentTool(schema, {
    name: 'withdraw_proposal',
    title: 'Withdraw a proposal',
    description: 'Withdraws a proposal of yours that nobody has decided yet.',
    inputSchema: {
      type: 'object',
      properties: {
        ref: { type: 'string', description: 'Short name of the proposal, such as pr-4k7f02mx.' },
      },
      required: ['ref'],
      additionalProperties: false,
    },
    query: withdrawText,
    variables: ({ ref }) => ({ input: { id: ref } }),
    paths: { untrusted: [], trusted: ['withdrawProposal.userErrors.message'] },
    annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    isFor,
  });
  return [list, withdraw];
}
