/** Approves proposals of agents by mandates, as the people who granted them. */
import {
  type Agents,
  decisionFault,
  type MandateDocument,
  type MandatedChange,
  type ProposalDocument,
  statusAt,
} from '@rhizome/agents';
import {
  can,
  createPrincipal,
  type CurrentRights,
  never,
  type Principal,
  withCurrentRights,
} from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { fulfilsWithin } from '@rhizome/retry';
import type { BorrowEngine } from '../../own-operation.js';
import { approvalWaitMs } from '../decisions.js';
import type { Executions } from '../executions.js';
import { isStale } from '../staleness.js';
import { ruleOf } from '../mutation-rules.js';

/** Ports of {@link MandateApprovals}. */
export interface MandateApprovalsOptions {
  readonly agents: () => Agents;
  readonly borrow: BorrowEngine;
  readonly executions: Executions;
  readonly rights: () => CurrentRights;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Approves and runs proposals that fit a mandate. */
export class MandateApprovals {
  readonly #options: MandateApprovalsOptions;

  constructor(options: MandateApprovalsOptions) {
    this.#options = options;
  }

  /** Returns the proposal as it is afterwards; unchanged if no mandate approves it. */
  async apply(proposal: ProposalDocument): Promise<ProposalDocument> {
    const { clock, log } = this.#options;
    const { agent, experiment, mutation } = proposal;
    if (agent === null || experiment === null || statusAt(proposal, clock.now()) !== 'PROPOSED')
      return proposal;
    const { input } = JSON.parse(proposal.variables) as { readonly input: Readonly<Record<string, unknown>> };
    const fitting = await this.#fitting({ agent, experiment, mutation, input });
    for (const mandate of fitting) {
      try {
        const approved = await this.#approve(proposal, mandate);
        if (approved) return approved;
      } catch (error) {
        // The proposal waits for a person.
        log.warn({ err: error, proposal: proposal._id, mandate: mandate._id }, 'mandate not applied');
      }
    }
    return proposal;
  }

  /** The mandates that a change fits; none if they cannot be read, so that it waits for a person. */
  async #fitting(change: MandatedChange): Promise<readonly MandateDocument[]> {
    const { agents, log } = this.#options;
    try {
      return await agents().mandates.fitting(change);
    } catch (error) {
      log.warn({ err: error }, 'mandates not read');
      return [];
    }
  }

  /** The proposal after its run; undefined if the mandate does not approve it. */
  async #approve(
    proposal: ProposalDocument,
    mandate: MandateDocument,
  ): Promise<ProposalDocument | undefined> {
    const { agents, borrow, executions } = this.#options;
    const { proposals, mandates } = agents();
    const grantor = await this.#grantorOf(proposal, mandate);
    if (!grantor || (await isStale(borrow, grantor, proposal))) return undefined;
    const { targetCount } = proposal.preview;
    // What cannot be counted could be anything: the jobs for a dataset, for one.
    if (targetCount === null) return undefined;
    const objects = Math.max(1, targetCount);
    const counted = await mandates.use(mandate, objects);
    if (counted === undefined) return undefined;
    // A gateway that ends here leaves the objects counted: less is left, never more.
    const approved = await proposals.approve(proposal._id, grantor, null, mandate._id);
    if (!approved) {
      await mandates.giveBack(counted, objects);
      return undefined;
    }
    await fulfilsWithin(executions.run(approved), approvalWaitMs);
    return (await proposals.find(approved._id, grantor)) ?? approved;
  }

  /** The grantor with the rights of now; undefined if it may not approve the proposal itself. */
  async #grantorOf(proposal: ProposalDocument, mandate: MandateDocument): Promise<Principal | undefined> {
    const { rights, clock, agents } = this.#options;
    const { caller, experiment } = mandate;
    const before = createPrincipal({ ...caller, expiresAt: never });
    const grantor = await withCurrentRights(before, rights(), clock.now());
    if (!grantor) {
      // It ends in the store, too: the revocation itself is removed later.
      await agents().mandates.revoke(mandate, null);
      return undefined;
    }
    if (decisionFault(grantor, proposal) !== undefined) return undefined;
    const { action, stakes, isUncounted } = ruleOf(proposal.mutation, true, false) ?? {};
    if (action === undefined || stakes === 'IRREVERSIBLE' || isUncounted) return undefined;
    return can(grantor, action, experiment) ? grantor : undefined;
  }
}
