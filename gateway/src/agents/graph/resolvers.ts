/** Resolvers of proposals: unpack, call, map. */
import { statusAt, type ListedProposal, type ProposalDocument } from '@rhizome/agents';
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { connection } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';
import { peopleOnly, proposersOnly } from '../proposer.js';
import type { Proposals } from '../proposals.js';
import { openProposals, type ProposalGraphOptions } from './open-proposals.js';

type ProposalResolvers = Pick<
  Resolvers,
  | 'Query'
  | 'Mutation'
  | 'Proposal'
  | 'ProposalPreview'
  | 'ProposalDecision'
  | 'ProposalOutcome'
  | 'ProposalConnection'
>;

const shownTargets = 20;

/** Resolvers on the proposals of the gateway. */
export function proposalResolvers(parts: ProposalGraphOptions): ProposalResolvers {
  const open = (): Proposals => openProposals(parts);
  const whole = async (proposal: ListedProposal): Promise<ProposalDocument> => {
    const found = await open().store.whole(proposal);
    if (found) return found;
    throw new DomainError('NOT_FOUND', `Proposal "${proposal.ref}" was removed`);
  };
  return {
    Query: {
      proposal: (_parent, { id }, { principal }) => open().store.find(id, principal),
      proposals: (_parent, { filter, first, after }, { principal }) =>
        open().store.page(filter ?? {}, principal, { first: first ?? 20, after }),
    },
    Mutation: {
      createProposal: (_parent, { input }, { principal }) => open().create(input, principal),
      approveProposal: (_parent, { input }, { principal }) => open().decisions.approve(input, principal),
      denyProposal: (_parent, { input }, { principal }) => open().decisions.deny(input, principal),
      withdrawProposal: (_parent, { input }, { principal }) => open().decisions.withdraw(input, principal),
    },
    Proposal: {
      id: ({ _id }) => _id,
      status: (proposal) => statusAt(proposal, open().now()),
      variables: async (proposal) => JSON.parse((await whole(proposal)).variables) as unknown,
      evidence: ({ evidence }) => [...evidence],
      preview: (proposal) => proposal,
      agent: ({ agent }) => principalOrNull(agent),
      person: ({ person }) => principalOf(person),
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      viewerCanDecide: (proposal, _args, { principal }) => open().decisions.mayDecide(proposal, principal),
    },
    ProposalPreview: {
      targetCount: ({ preview }) => preview.targetCount,
      targets: async (proposal) => (await whole(proposal)).targets.slice(0, shownTargets),
      coreHours: ({ preview }) => preview.coreHours,
      gpuHours: ({ preview }) => preview.gpuHours,
      refusedCount: ({ preview }) => preview.refusedCount,
      isDryRun: ({ preview }) => preview.isDryRun,
      dryRun: async (proposal) => parsed((await whole(proposal)).preview.dryRun),
    },
    ProposalDecision: {
      by: ({ by }) => principalOf(by),
      mandateId: ({ mandate }) => mandate ?? null,
    },
    ProposalOutcome: {
      data: ({ data }) => parsed(data),
      errors: ({ errors }) => [...errors],
    },
    ProposalConnection: connection,
  };
}

const parsed = (text: string | null): unknown => (text === null ? null : (JSON.parse(text) as unknown));

/** Policies of the fields; the services narrow them to what the caller may see and decide. */
export const proposalPolicies: Policies = {
  'Query.proposal': {
    open: 'everybody may read the own proposals; others need proposal:read',
    perPrincipal: true,
  },
  'Query.proposals': {
    open: 'everybody may read the own proposals; others need proposal:read',
    perPrincipal: true,
  },
  'Mutation.createProposal': { own: proposersOnly },
  'Mutation.approveProposal': { own: peopleOnly },
  'Mutation.denyProposal': { own: peopleOnly },
  'Mutation.withdrawProposal': { own: proposersOnly },
};
