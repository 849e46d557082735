// Public API of the package; everything else is private to it.
import type { openAgents as open } from './open-agents.js';

export type { Agents, AgentsSettings } from './open-agents.js';

/** Opens the store of agents; the driver of the store is loaded with the first call. */
export const openAgents: typeof open = async (...given) =>
  (await import('./open-agents.js')).openAgents(...given);

export type {
  ListedProposal,
  ProposalDocument,
  ProposalStatus,
  Repeatable,
  Stakes,
  StoredCaller,
  StoredDecision,
  StoredOutcome,
  StoredPreview,
  StoredTarget,
} from './proposals/proposal.document.js';
export {
  leaseMs,
  type Proposed,
  type ProposalDraft,
  type ProposalSettings,
  type ProposalsService,
} from './proposals/proposals.service.js';
export type { ProposalConditions } from './proposals/proposals.repository.js';
export type {
  AgentScope,
  Authority,
  BudgetDocument,
  BudgetUnit,
  BudgetWindow,
  StopDocument,
} from './budgets/budget.document.js';
export {
  type BudgetSetting,
  type BudgetState,
  type BudgetsService,
  type CallerLimits,
  mostOwn,
  type Refusal,
} from './budgets/budgets.service.js';
export { authorityFor, concernedOf, fitsScope } from './budgets/scope.js';
export {
  decisionFault,
  isPerson,
  mayWithdraw,
  type ProposalFacts,
  sees,
  statusAt,
} from './proposals/visibility.js';
export type { MandateDocument } from './mandates/mandate.document.js';
export {
  fits,
  type MandatedChange,
  mayRevoke,
  mostMandates,
  type MandatesService,
  holds,
  ofGateway,
} from './mandates/mandates.service.js';
