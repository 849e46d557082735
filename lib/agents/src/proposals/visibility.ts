/** Rules about the principals that see, decide and withdraw a proposal. */
import { can, experimentsFor, owns, type Principal } from '@rhizome/authz';
import type { ProposalDocument, ProposalStatus } from './proposal.document.js';
import type { VisibleProposals } from './proposals.repository.js';

/** Facts of a proposal that decide who sees it. */
export type ProposalFacts = Pick<
  ProposalDocument,
  'agent' | 'person' | 'experiment' | 'isFourEyes' | 'status' | 'expiresAt'
>;

/** The proposals that a principal sees: an agent its own, others those of the person and of experiments. */
export function visibleTo(principal: Principal): VisibleProposals {
  if (principal.kind === 'AGENT') return { agent: principal.subject, experiments: [] };
  const people = seesOwn(principal) ? [principal.subject, ...(principal.linked ?? [])] : undefined;
  return { people, experiments: experimentsFor(principal, 'proposal:read') };
}

/** True if the principal sees the proposal. */
export function sees(principal: Principal, proposal: ProposalFacts): boolean {
  if (principal.kind === 'AGENT') return proposal.agent === principal.subject;
  if (seesOwn(principal) && owns(principal, proposal.person)) return true;
  return mayInExperiment(principal, 'proposal:read', proposal);
}

/** True for a person that sees what is its own: its token is not limited to other actions. */
export function seesOwn(principal: Principal): boolean {
  return isPerson(principal) && (principal.actions?.includes('proposal:read') ?? true);
}

/** The reason why the principal may not decide about a proposal that it sees; undefined if it may. */
export function decisionFault(
  principal: Principal,
  proposal: ProposalFacts,
): 'FORBIDDEN' | 'FOUR_EYES_REQUIRED' | undefined {
  if (!isPerson(principal)) return 'FORBIDDEN';
  const isOwn = owns(principal, proposal.person);
  if (isOwn) return proposal.isFourEyes ? 'FOUR_EYES_REQUIRED' : undefined;
  return mayInExperiment(principal, 'proposal:decide', proposal) ? undefined : 'FORBIDDEN';
}

/** True for a person itself: no agent, and no token that a job or an agent holds. */
export function isPerson({ kind, actsFor, attempt }: Principal): boolean {
  return kind === 'HUMAN' && actsFor === undefined && attempt === undefined;
}

/** True if the principal made the proposal, or is the person of the agent that made it. */
export function mayWithdraw(principal: Principal, proposal: ProposalFacts): boolean {
  if (principal.kind === 'AGENT') return proposal.agent === principal.subject;
  return isPerson(principal) && owns(principal, proposal.person);
}

/** The status now: a proposal that nobody decided in time has expired, whatever is stored. */
export function statusAt({ status, expiresAt }: ProposalFacts, now: Date): ProposalStatus {
  return status === 'PROPOSED' && expiresAt <= now ? 'EXPIRED' : status;
}

/** A change of several experiments concerns those who have the permission in all of them. */
function mayInExperiment(
  principal: Principal,
  action: 'proposal:read' | 'proposal:decide',
  { experiment }: ProposalFacts,
): boolean {
  return can(principal, action, experiment ?? '*');
}
