/** Values behind the types of `proposals.graphql`. */
import type { ProposalDocument, StoredDecision, StoredOutcome, StoredTarget } from '@rhizome/agents';
import type { KeysetPage } from '@rhizome/mongo';

export type ProposalMapper = ProposalDocument;
export type ProposalConnectionMapper = KeysetPage<ProposalDocument>;
export type ProposalPreviewMapper = Pick<ProposalDocument, 'preview' | 'targets'>;
export type ProposalTargetMapper = StoredTarget;
export type ProposalDecisionMapper = StoredDecision;
export type ProposalOutcomeMapper = StoredOutcome;
