export { type ProposalGraphOptions, proposalPolicies, proposalResolvers } from './graph/resolvers.js';
export { Proposals } from './proposals.js';
