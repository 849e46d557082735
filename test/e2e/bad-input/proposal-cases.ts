/** Wrong inputs of the mutations about proposals. Further refusals are tested next to their resolvers. */
import { type BadInput, casesOf, type Row } from './case.js';
import type { GoodInputs } from './good-inputs.js';

const unknownField: Row = ['an unknown field', 'colour', 'red', { code: 'BAD_USER_INPUT', names: 'colour' }];
const ofNobody = { agent: 'agt_none', experiment: 'larkspur' };
const noSuchProposal = { id: 'pr-00000000' };

/** A mandate of the next days. */
const mandate = {
  ...{ agent: 'agt_none', experiment: 'larkspur', mutation: 'retryJobs', free: ['selection'], maxPerDay: 10 },
  ...{ expiresAt: new Date(Date.now() + 86_400_000).toISOString(), reason: 'Nights' },
};

/** Inputs of these mutations; other tests send good ones. */
export const proposalInputs: GoodInputs = {
  createProposal: [
    'CreateProposalInput',
    {
      operation: 'mutation ($i: CancelJobsInput!) { cancelJobs(input: $i) { userErrors { code } } }',
      variables: { i: { selection: { ids: ['job_00000000000000000000000000'] } } },
      reason: 'They fail',
    },
  ],
  approveProposal: ['ApproveProposalInput', noSuchProposal],
  denyProposal: ['DenyProposalInput', noSuchProposal],
  withdrawProposal: ['WithdrawProposalInput', noSuchProposal],
  setAgentBudget: ['SetAgentBudgetInput', { ...ofNobody, unit: 'CALLS', window: 'DAY', limit: 10 }],
  stopAgents: ['StopAgentsInput', { ...ofNobody, reason: 'It loops' }],
  resumeAgents: ['ResumeAgentsInput', ofNobody],
  grantMandate: ['GrantMandateInput', mandate],
  revokeMandate: ['RevokeMandateInput', { id: 'mandate_none' }],
};

/** All of them. */
export const proposalCases: readonly BadInput[] = [
  ...casesOf('createProposal', 'INVALID_VALUE', [
    ['an empty reason', 'reason', ''],
    ['a short expiry', 'expiresInSeconds', 59],
    ['variables in a list', 'variables', [1], { names: 'an object' }],
    [
      'a query',
      'operation',
      '{ jobs { nodes { id } } }',
      { code: 'OPERATION_INVALID', names: 'one mutation' },
    ],
    [
      'a job that does not exist',
      'variables.i.selection.ids',
      ['job_00000000000000000000000000'],
      { code: 'TARGET_NOT_FOUND', at: 'variables', names: 'job_00000000000000000000000000' },
    ],
    unknownField,
  ]),
  ...casesOf('approveProposal', 'PROPOSAL_NOT_FOUND', [['no proposal', 'id', 'pr-11111111'], unknownField]),
  ...casesOf('denyProposal', 'PROPOSAL_NOT_FOUND', [['no proposal', 'id', 'pr-11111111'], unknownField]),
  ...casesOf('setAgentBudget', 'INVALID_VALUE', [
    ['a limit of 0', 'limit', 0],
    ['a soft limit above the limit', 'softLimit', 11],
    ['a window of years', 'window', 'YEAR', { code: 'BAD_USER_INPUT', names: 'YEAR' }],
    ['an empty agent', 'agent', ''],
    unknownField,
  ]),
  ...casesOf('stopAgents', 'INVALID_VALUE', [
    ['an empty reason', 'reason', ''],
    ['an empty person', 'person', ''],
    unknownField,
  ]),
  ...casesOf('resumeAgents', 'INVALID_VALUE', [['an empty experiment', 'experiment', ''], unknownField]),
  ...casesOf('grantMandate', 'INVALID_VALUE', [
    ['a mutation without a way back', 'mutation', 'cancelJobs', { code: 'MUTATION_NOT_SUPPORTED' }],
    ['a field that is none', 'free', ['selection', 'colour'], { names: 'colour' }],
    ['a field that is missing', 'free', [], { at: 'input', names: 'selection' }],
    ['a fixed value of another type', 'input', { changes: 7 }, { names: 'changes' }],
    ['no object a day', 'maxPerDay', 0],
    ['an end after months', 'expiresAt', '2099-01-01T00:00:00.000Z'],
    ['an empty reason', 'reason', ''],
    unknownField,
  ]),
  ...casesOf('revokeMandate', 'MANDATE_NOT_FOUND', [['no mandate', 'id', 'mandate_nowhere'], unknownField]),
  ...casesOf('withdrawProposal', 'PROPOSAL_NOT_FOUND', [['no proposal', 'id', 'pr-11111111'], unknownField]),
];
