/** Values behind the types of `proposals.graphql`. */
import type { ListedProposal, StoredDecision, StoredOutcome, StoredTarget } from '@rhizome/agents';
import type { KeysetPage } from '@rhizome/mongo';

export type ProposalMapper = ListedProposal;
export type ProposalConnectionMapper = KeysetPage<ListedProposal>;
export type ProposalPreviewMapper = ListedProposal;
export type ProposalTargetMapper = StoredTarget;
export type ProposalDecisionMapper = StoredDecision;
export type ProposalOutcomeMapper = StoredOutcome;
