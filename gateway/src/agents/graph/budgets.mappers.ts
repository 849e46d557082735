/** Values behind the types of `budgets.graphql`. */
import type { BudgetDocument, BudgetState, CallerLimits, StopDocument } from '@rhizome/agents';
import type { KeysetPage } from '@rhizome/mongo';

export type AgentBudgetMapper = BudgetState;
export type AgentBudgetConnectionMapper = Pick<KeysetPage<BudgetDocument>, 'pageInfo' | 'totalCount'> & {
  readonly nodes: BudgetState[];
  readonly edges: { readonly node: BudgetState; readonly cursor: string }[];
};
export type AgentStopMapper = StopDocument;
export type AgentLimitsMapper = CallerLimits;
