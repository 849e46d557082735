export { type ProposalGraphOptions, proposalPolicies, proposalResolvers } from './graph/resolvers.js';
export { type MutationOwners, readMutationOwners } from './mutation-owners.js';
export { Proposals } from './proposals.js';
