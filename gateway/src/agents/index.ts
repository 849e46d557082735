export { type MutationOwners, readMutationOwners } from './mutation-owners.js';
export { AgentMeter } from './budgets/meter.js';
export { budgetPolicies, budgetResolvers } from './graph/budget-resolvers.js';
export { mandatePolicies, mandateResolvers } from './graph/mandate-resolvers.js';
export type { ProposalGraphOptions } from './graph/open-proposals.js';
export { proposalPolicies, proposalResolvers } from './graph/resolvers.js';
export { Proposals } from './proposals.js';
