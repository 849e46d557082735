/** Resolvers of budgets and stops of agents: unpack, call, map. */
import type { Agents, StopDocument } from '@rhizome/agents';
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { experimentOrNull, principalOf, principalOrNull } from '../../references.js';
import type { Resolvers } from '../../types.generated.js';
import { peopleOnly } from '../proposer.js';
import { openProposals, type ProposalGraphOptions } from './open-proposals.js';

type BudgetResolvers = Pick<
  Resolvers,
  'Query' | 'Mutation' | 'AgentBudget' | 'AgentBudgetConnection' | 'AgentLimits' | 'AgentStop'
>;

/** Resolvers on the budgets of the gateway. */
export function budgetResolvers(parts: ProposalGraphOptions): BudgetResolvers {
  const budgets = (): Agents['budgets'] => openProposals(parts).budgets;
  return {
    Query: {
      agentBudgets: async (_parent, { filter, first, after }, { principal }) => {
        const given = Object.entries(filter ?? {}).filter(([, value]) => value != null);
        const page = await budgets().page(Object.fromEntries(given), principal, {
          first: first ?? 20,
          after,
        });
        const nodes = [...(await budgets().states(page.nodes))];
        const edges = nodes.map((node, place) => ({ node, cursor: page.edges[place]?.cursor ?? '' }));
        return { nodes, edges, pageInfo: page.pageInfo, totalCount: page.totalCount };
      },
      agentStops: async (_parent, _args, { principal }) => [...(await budgets().stops(principal))],
      myAgentLimits: (_parent, _args, { principal }) => budgets().limitsOf(principal),
    },
    Mutation: {
      setAgentBudget: (_parent, { input }, { principal }) =>
        openProposals(parts).budgetChanges.setBudget(input, principal),
      stopAgents: (_parent, { input }, { principal }) =>
        openProposals(parts).budgetChanges.stop(input, principal),
      resumeAgents: (_parent, { input }, { principal }) =>
        openProposals(parts).budgetChanges.resume(input, principal),
    },
    AgentBudget: {
      id: ({ budget }) => budget._id,
      agent: ({ budget }) => principalOrNull(budget.agent),
      person: ({ budget }) => principalOrNull(budget.person),
      experiment: ({ budget }) => experimentOrNull(budget.experiment),
      experimentName: ({ budget }) => budget.experiment,
      authority: ({ budget }) => budget.authority,
      unit: ({ budget }) => budget.unit,
      window: ({ budget }) => budget.window,
      limit: ({ budget }) => budget.limit,
      softLimit: ({ budget }) => budget.softLimit,
      isSoftLimitReached: ({ budget, spent }) => budget.softLimit !== null && spent >= budget.softLimit,
      windowStart: ({ window }) => window.start,
      resetsAt: ({ window }) => window.end,
      setBy: ({ budget }) => principalOf(budget.setBy),
      updatedAt: ({ budget }) => budget.updatedAt,
    },
    AgentBudgetConnection: connection,
    AgentLimits: {
      stops: ({ stops }) => [...stops],
      budgets: ({ budgets: found }) => [...found],
    },
    AgentStop: {
      id: ({ _id }: StopDocument) => _id,
      agent: ({ agent }) => principalOrNull(agent),
      person: ({ person }) => principalOrNull(person),
      experiment: ({ experiment }) => experimentOrNull(experiment),
      experimentName: ({ experiment }) => experiment,
      setBy: ({ setBy }) => principalOf(setBy),
    },
  };
}

const ownOrAdmin = {
  open: 'everybody may read the limits of the own agents; others need admin:*',
  perPrincipal: true,
} as const;

/** Policies of the fields; the services narrow them to what the caller may see and set. */
export const budgetPolicies: Policies = {
  'Query.agentBudgets': ownOrAdmin,
  'Query.agentStops': ownOrAdmin,
  'Query.myAgentLimits': { open: 'everybody may read the own limits', perPrincipal: true },
  'Mutation.setAgentBudget': { own: peopleOnly },
  'Mutation.stopAgents': { own: peopleOnly },
  'Mutation.resumeAgents': { own: peopleOnly },
};
