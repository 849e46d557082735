/** Counts what agents use, and refuses those that are stopped or whose budget is used up. */
import {
  type Agents,
  type BudgetState,
  fitsScope,
  concernedOf,
  type Refusal,
  type StopDocument,
} from '@rhizome/agents';
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import type { CallerEnd } from '../../policy/index.js';

/** Ports of {@link AgentMeter}. */
export interface AgentMeterOptions {
  /** Undefined in a gateway without a store for budgets, which limits no agent. */
  readonly agents: () => Agents | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pause between two looks for stops, in milliseconds. */
  readonly pauseMs?: number | undefined;
}

const defaultPauseMs = 2_000;
/** Code with which sockets of stopped agents close. */
const forbidden = 4403;
const charactersPerToken = 4;

/** Meters calls, answers and proposals of agents. Other principals pass. */
export class AgentMeter {
  readonly #options: AgentMeterOptions;
  readonly #stopping = new AbortController();
  #watching: Promise<void> | undefined;

  constructor(options: AgentMeterOptions) {
    this.#options = options;
  }

  /** True if the calls of a principal are counted here. */
  counts(principal: Principal | undefined): principal is Principal {
    return principal?.kind === 'AGENT' && this.#options.agents() !== undefined;
  }

  /** @throws DomainError FORBIDDEN for a stopped agent */
  async assertRunning(principal: Principal | undefined): Promise<void> {
    if (!this.counts(principal)) return;
    const stop = await this.#options.agents()?.budgets.stopOf(principal);
    if (stop) throw stopped(stop);
  }

  /** Counts a call. @throws DomainError FORBIDDEN for a stopped agent, LIMIT_EXCEEDED without a rest */
  call(principal: Principal | undefined): Promise<void> {
    return this.#spend(principal, 'CALLS', 1);
  }

  /** Counts a proposal. @throws DomainError FORBIDDEN for a stopped agent, LIMIT_EXCEEDED without a rest */
  proposal(principal: Principal): Promise<void> {
    return this.#spend(principal, 'PROPOSALS', 1);
  }

  /**
   * Counts an answer before it is sent; one that does not fit the rest must not be sent.
   * @throws DomainError FORBIDDEN for a stopped agent, LIMIT_EXCEEDED if the rest is too small
   */
  answer(principal: Principal | undefined, characters: number): Promise<void> {
    return this.#spend(principal, 'ANSWER_TOKENS', Math.ceil(characters / charactersPerToken));
  }

  /** Ends, from now on, streams and requests of agents that are stopped, also by another gateway. */
  watchStops(endOf: (end: CallerEnd) => void): void {
    if (this.#options.agents()) this.#watching ??= this.#watch(endOf);
  }

  /** Ends {@link watchStops}. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#watching;
  }

  async #spend(
    principal: Principal | undefined,
    unit: 'CALLS' | 'PROPOSALS' | 'ANSWER_TOKENS',
    amount: number,
  ): Promise<void> {
    if (!this.counts(principal)) return;
    const refusal = await this.#options.agents()?.budgets.spend(principal, unit, amount);
    if (refusal) throw this.#errorOf(refusal, amount);
  }

  #errorOf(refusal: Refusal, amount: number): DomainError {
    return 'stop' in refusal
      ? stopped(refusal.stop)
      : exceeded(refusal.exceeded, amount, this.#options.clock.now());
  }

  async #watch(endOf: (end: CallerEnd) => void): Promise<void> {
    const { agents, log, pauseMs = defaultPauseMs } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const stops = (await agents()?.budgets.allStops()) ?? [];
        if (stops.length > 0) endOf(endOfStopped(stops));
      } catch (error) {
        log.warn({ err: error }, 'search for stops of agents failed');
      }
      await sleep(pauseMs, signal, { ref: false });
    }
  }
}

/** Ends what stopped agents have open. */
function endOfStopped(stops: readonly StopDocument[]): CallerEnd {
  return {
    concerns: (principal) => {
      if (principal.shared === true || principal.kind !== 'AGENT') return false;
      const concerned = concernedOf(principal);
      return concerned !== undefined && stops.some((stop) => fitsScope(concerned, stop));
    },
    error: () => new DomainError('FORBIDDEN', 'The agent was stopped; ask a person to resume it'),
    closeCode: forbidden,
  };
}

/** The reason is for people only: agents get no text that somebody has written. */
function stopped({ setBy, createdAt, experiment }: StopDocument): DomainError {
  const where = experiment === null ? '' : ` in ${experiment}`;
  const text = `Agents${where} were stopped by ${setBy} at ${createdAt.toISOString()}; ask a person to resume them`;
  return new DomainError('FORBIDDEN', text, { stoppedAt: createdAt.toISOString() });
}

function exceeded({ budget, spent, window }: BudgetState, amount: number, now: Date): DomainError {
  const { unit, limit } = budget;
  const resetsAt = window.end.toISOString();
  const asked = amount === 1 ? '' : `, and this answer needs ${amount}`;
  const text = `${unit}: ${spent} of ${limit} are spent in this ${budget.window.toLowerCase()}${asked}; must wait until ${resetsAt}`;
  return new DomainError('LIMIT_EXCEEDED', text, {
    ...{ field: unit, expected: `at most ${limit}`, unit, limit, spent, resetsAt },
    retryAfterSeconds: Math.max(1, Math.ceil((window.end.getTime() - now.getTime()) / 1000)),
  });
}
