/** The proposals of one gateway: how they are made, decided and run. */
import type { Agents, CallerLimits, ProposalsService } from '@rhizome/agents';
import { type CurrentRights, type Principal, rightsOfToken } from '@rhizome/authz';
import { type Clock, systemClock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Engine } from '@rhizome/federation';
import type { Identity } from '@rhizome/identity';
import type { Logger } from '@rhizome/log';
import type { AuditRecorder } from '../audit/index.js';
import type { BorrowEngine } from '../own-operation.js';
import type { CreateProposalInput } from '../types.generated.js';
import { BudgetChanges } from './budgets/budget-changes.js';
import { AgentMeter } from './budgets/meter.js';
import { type CreateResult, ProposalMaker } from './create-proposal.js';
import { Decisions } from './decisions.js';
import { Executions } from './executions.js';
import { MandateApprovals } from './mandates/approvals.js';
import { MandateGrants } from './mandates/grants.js';

/** Ports of {@link Proposals}. */
export interface ProposalsPorts {
  /** Undefined in a gateway without a store for proposals. */
  readonly agents: () => Agents | undefined;
  readonly borrow: BorrowEngine;
  /** True for mutations of the gateway itself. */
  readonly isOwn: (mutation: string) => boolean;
  /** Experiments whose subgraphs answer a mutation; none for one of core. */
  readonly experimentsOf: (engine: Engine, mutation: string) => readonly string[];
  readonly identity: () => Identity | undefined;
  readonly audit: () => AuditRecorder | undefined;
  /** Pause between two searches for runs without a gateway, in milliseconds. */
  readonly pauseMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly log: Logger;
}

/** Everything that the graph needs of proposals. */
export class Proposals {
  readonly maker: ProposalMaker;
  readonly decisions: Decisions;
  readonly executions: Executions;
  readonly budgetChanges: BudgetChanges;
  readonly mandateGrants: MandateGrants;
  /** Counts what agents use. */
  readonly meter: AgentMeter;
  readonly #mandated: MandateApprovals;
  readonly #agents: () => Agents | undefined;
  readonly #clock: Clock;

  constructor(ports: ProposalsPorts) {
    const {
      agents,
      borrow,
      isOwn,
      experimentsOf,
      identity,
      audit,
      pauseMs,
      clock = systemClock,
      log,
    } = ports;
    this.#agents = agents;
    this.#clock = clock;
    const rights = (): CurrentRights => identity()?.rights ?? rightsOfToken;
    const opened = (): Agents => this.#opened;
    this.executions = new Executions({ agents, borrow, rights, audit, pauseMs, clock, log });
    this.meter = new AgentMeter({ agents, clock, log });
    this.budgetChanges = new BudgetChanges({ agents: opened, identity });
    const { meter } = this;
    this.maker = new ProposalMaker({ agents: opened, borrow, isOwn, experimentsOf, rights, clock, meter });
    const { executions } = this;
    this.mandateGrants = new MandateGrants({ agents: opened, borrow, isOwn, identity, clock });
    this.#mandated = new MandateApprovals({ agents: opened, borrow, executions, rights, clock, log });
    this.decisions = new Decisions({ agents: opened, borrow, executions, identity, clock });
  }

  /** Makes a proposal; one that fits a mandate runs at once. @throws DomainError as its maker does */
  async create(input: CreateProposalInput, by: Principal): Promise<CreateResult> {
    const made = await this.maker.create(input, by);
    const { proposal } = made;
    // An equal change that somebody else has proposed waits on: its agent may be stopped.
    if (proposal?.agent !== by.subject) return made;
    return { ...made, proposal: await this.#mandated.apply(proposal) };
  }

  /** Mandates of agents. @throws DomainError SERVICE_UNAVAILABLE as {@link store} does */
  get mandates(): Agents['mandates'] {
    return this.#opened.mandates;
  }

  /** Stored proposals. @throws DomainError SERVICE_UNAVAILABLE in a gateway without a store for them */
  get store(): ProposalsService {
    return this.#opened.proposals;
  }

  /** Stops and budgets that concern a caller; undefined in a gateway without a store for them. */
  async limitsOf(principal: Principal): Promise<CallerLimits | undefined> {
    return this.#agents()?.budgets.limitsOf(principal);
  }

  /** Budgets and stops of agents. @throws DomainError SERVICE_UNAVAILABLE as {@link store} does */
  get budgets(): Agents['budgets'] {
    return this.#opened.budgets;
  }

  now(): Date {
    return this.#clock.now();
  }

  get #opened(): Agents {
    const agents = this.#agents();
    if (agents) return agents;
    throw new DomainError('SERVICE_UNAVAILABLE', 'The gateway keeps no proposals');
  }
}
