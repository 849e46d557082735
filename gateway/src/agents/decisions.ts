/** Decisions about proposals. */
import {
  type Agents,
  decisionFault,
  mayWithdraw,
  type ProposalDocument,
  type ProposalFacts,
  statusAt,
} from '@rhizome/agents';
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type CodedInputError, type InputError, InputErrors } from '@rhizome/errors';
import { fulfilsWithin } from '@rhizome/retry';
import type { BorrowEngine } from '../own-operation.js';
import type { Executions } from './executions.js';
import { isFullLogin, type Logins } from './full-login.js';
import { isStale } from './staleness.js';

/** Codes of all calls. */
type CommonCode = 'PROPOSAL_NOT_FOUND' | 'PROPOSAL_STATE_CONFLICT' | 'FORBIDDEN';

/** A proposal after a call, and the reasons why nothing changed. */
export interface Decided<C extends string> {
  readonly proposal: ProposalDocument | null;
  readonly userErrors: readonly CodedInputError<C>[];
}

type Approved = Decided<CommonCode | 'INVALID_VALUE' | 'PROPOSAL_STALE' | 'FOUR_EYES_REQUIRED'>;

/** A decision of a caller. */
export interface DecisionRequest {
  /** Identifier or short name. */
  readonly id: string;
  readonly note?: string | null | undefined;
}

/** Ports of {@link Decisions}. */
export interface DecisionsOptions {
  readonly agents: () => Agents;
  readonly borrow: BorrowEngine;
  readonly executions: Executions;
  readonly identity: Logins;
  readonly clock: Clock;
}

/** Time for which an approval waits for the end of its mutation, in milliseconds. */
export const approvalWaitMs = 20_000;

/** Approves, denies and withdraws proposals. */
export class Decisions {
  readonly #options: DecisionsOptions;

  constructor(options: DecisionsOptions) {
    this.#options = options;
  }

  /** Approves a proposal and runs it. A repeated call gives the result of the first one. */
  async approve({ id, note }: DecisionRequest, by: Principal): Promise<Approved> {
    const { agents, borrow, executions } = this.#options;
    const { proposals } = agents();
    const found = await proposals.find(id, by);
    if (!found) return notFound(id);
    const errors = noteErrors(note);
    if (errors.length > 0) return { proposal: found, userErrors: errors };
    if (decisionFault(by, found) === 'FOUR_EYES_REQUIRED') {
      const text = `the experiment asks for the decision of another person than ${found.person}`;
      return refused(found, 'FOUR_EYES_REQUIRED', text);
    }
    const forbidden = await this.#forbidden(found, by);
    if (forbidden !== undefined) return refused(found, 'FORBIDDEN', forbidden);
    const { decision } = found;
    if (decision?.isApproval && decision.by === by.subject) return { proposal: found, userErrors: [] };
    if (!this.#waits(found)) return this.#conflict(found, by);
    if (await isStale(borrow, by, found)) {
      const stale = await proposals.end(found._id, 'STALE');
      if (!stale) return this.#conflict(found, by);
      return refused(stale, 'PROPOSAL_STALE', 'what it would change has changed since');
    }
    const approved = await proposals.approve(found._id, by, note ?? null);
    if (!approved) return this.#conflict(found, by);
    await fulfilsWithin(executions.run(approved), approvalWaitMs);
    return { proposal: await this.#again(approved, by), userErrors: [] };
  }

  /** Denies a proposal. */
  async deny({ id, note }: DecisionRequest, by: Principal): Promise<Decided<CommonCode | 'INVALID_VALUE'>> {
    const { proposals } = this.#options.agents();
    const found = await proposals.find(id, by);
    if (!found) return notFound(id);
    const errors = noteErrors(note);
    if (errors.length > 0) return { proposal: found, userErrors: errors };
    const forbidden = await this.#forbidden(found, by);
    if (forbidden !== undefined) return refused(found, 'FORBIDDEN', forbidden);
    const { decision, status } = found;
    if (status === 'DENIED' && decision?.by === by.subject) return { proposal: found, userErrors: [] };
    const denied = this.#waits(found) && (await proposals.deny(found._id, by, note ?? null));
    return denied ? { proposal: denied, userErrors: [] } : this.#conflict(found, by);
  }

  /** Withdraws a proposal. */
  async withdraw({ id }: Pick<DecisionRequest, 'id'>, by: Principal): Promise<Decided<CommonCode>> {
    const { proposals } = this.#options.agents();
    const found = await proposals.find(id, by);
    if (!found) return notFound(id);
    if (!mayWithdraw(by, found))
      return refused(found, 'FORBIDDEN', 'another principal made it; you may not withdraw it');
    if (found.status === 'WITHDRAWN') return { proposal: found, userErrors: [] };
    const withdrawn = this.#waits(found) && (await proposals.end(found._id, 'WITHDRAWN'));
    return withdrawn ? { proposal: withdrawn, userErrors: [] } : this.#conflict(found, by);
  }

  /** True if the caller may approve or deny a proposal now. */
  async mayDecide(proposal: ProposalFacts, by: Principal): Promise<boolean> {
    if (!this.#waits(proposal) || decisionFault(by, proposal) !== undefined) return false;
    return (await this.#forbidden(proposal, by)) === undefined;
  }

  /** The reason why a caller may not decide, apart from four eyes; undefined if it may. */
  async #forbidden(proposal: ProposalFacts, by: Principal): Promise<string | undefined> {
    if (decisionFault(by, proposal) === 'FORBIDDEN') return 'you may not decide it; you need proposal:decide';
    if (await isFullLogin(by, this.#options.identity)) return undefined;
    return 'your token was passed on or is limited; must be that of a login';
  }

  #waits(proposal: ProposalFacts): boolean {
    return statusAt(proposal, this.#options.clock.now()) === 'PROPOSED';
  }

  /** The answer to a call about a proposal that does not wait, or for which another call was faster. */
  async #conflict(before: ProposalDocument, by: Principal): Promise<Decided<'PROPOSAL_STATE_CONFLICT'>> {
    const proposal = await this.#again(before, by);
    const status = statusAt(proposal, this.#options.clock.now());
    return refused(proposal, 'PROPOSAL_STATE_CONFLICT', `its status is ${status}; must be PROPOSED`);
  }

  async #again(proposal: ProposalDocument, by: Principal): Promise<ProposalDocument> {
    return (await this.#options.agents().proposals.find(proposal._id, by)) ?? proposal;
  }
}

function noteErrors(note: string | null | undefined): readonly InputError[] {
  const errors = new InputErrors();
  if (note != null) errors.lines(['note'], note, 1, 1000);
  return errors.all;
}

function refused<C extends string>(proposal: ProposalDocument, code: C, text: string): Decided<C> {
  return { proposal, userErrors: [{ code, path: ['id'], message: `id: ${proposal.ref}: ${text}` }] };
}

function notFound(id: string): Decided<'PROPOSAL_NOT_FOUND'> {
  const message = `Proposal "${id}" not found, or you may not see it.`;
  return { proposal: null, userErrors: [{ code: 'PROPOSAL_NOT_FOUND', path: ['id'], message }] };
}
