/** Runs approved mutations as their approvers, once, also after the end of a gateway. */
import { type Agents, leaseMs, type ProposalDocument, type StoredOutcome } from '@rhizome/agents';
import {
  createPrincipal,
  type CurrentRights,
  never,
  type Principal,
  withCurrentRights,
} from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { lookUp } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import type { AuditRecorder, Recording } from '../audit/index.js';
import { type BorrowEngine, executeOwn } from '../own-operation.js';
import { userErrorsOf } from './dry-run.js';
import { answerOf, type GraphAnswer } from './graph-reads.js';
import { isStale } from './staleness.js';

/** Ports of {@link Executions}. */
export interface ExecutionsOptions {
  readonly agents: () => Agents | undefined;
  readonly borrow: BorrowEngine;
  readonly rights: () => CurrentRights;
  /** Undefined in a gateway without an audit log. */
  readonly audit: () => AuditRecorder | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pause between two searches for runs without a gateway, in milliseconds. */
  readonly pauseMs?: number | undefined;
}

const defaultPauseMs = 5_000;
/** Longest time for a mutation, in milliseconds. */
const mutationMs = 120_000;
/** Pause before the second try of a mutation whose service did not answer; it doubles with each try. */
const retryMs = 5_000;
const longestRetryMs = 300_000;
/** Time after an approval in which its mutation is tried, in milliseconds; keys are kept much longer. */
const tryMs = 86_400_000;
/** Runs of other gateways that this one takes over at once. */
const maxTakenOver = 4;
const maxDataBytes = 64 * 1024;

/** Runs approved mutations. */
export class Executions {
  readonly #options: ExecutionsOptions;
  readonly #stopping = new AbortController();
  #searching: Promise<void> | undefined;
  readonly #takenOver = new Set<Promise<void>>();

  constructor(options: ExecutionsOptions) {
    this.#options = options;
  }

  /** Takes over, from now on, the runs of gateways that have ended, and ends proposals in time. */
  start(): void {
    if (this.#options.agents()) this.#searching ??= this.#search();
  }

  /** Ends the search. Runs go on until the engine closes; another gateway takes over what has not ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#searching;
  }

  async #search(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#searchOnce();
      } catch (error) {
        this.#options.log.warn({ err: error }, 'search for proposals failed');
      }
      await sleep(this.#options.pauseMs ?? defaultPauseMs, signal, { ref: false });
    }
  }

  async #searchOnce(): Promise<void> {
    const proposals = this.#options.agents()?.proposals;
    await proposals?.expire();
    while (!this.#stopping.signal.aborted && this.#takenOver.size < maxTakenOver) {
      const lost = await proposals?.takeOver();
      if (!lost) return;
      this.#options.log.info({ proposal: lost._id, tries: lost.execution?.tries }, 'execution taken over');
      // A mutation may take minutes; the search, and the end of the gateway, do not wait for it.
      const running = this.run(lost).finally(() => this.#takenOver.delete(running));
      this.#takenOver.add(running);
    }
  }

  /** Runs a mutation whose lease this gateway has, and stores its outcome. Never throws. */
  async run(proposal: ProposalDocument): Promise<void> {
    const { agents, log } = this.#options;
    const renewal = setInterval(() => {
      agents()
        ?.proposals.renew(proposal)
        .catch((error: unknown) => log.warn({ err: error, proposal: proposal._id }, 'lease not renewed'));
    }, leaseMs / 3).unref();
    try {
      await this.#run(proposal);
    } catch (error) {
      // The lease ends, and a gateway tries again.
      log.warn({ err: error, proposal: proposal._id }, 'execution interrupted');
    } finally {
      clearInterval(renewal);
    }
  }

  async #run(proposal: ProposalDocument): Promise<void> {
    const { borrow, clock, agents } = this.#options;
    const { execution, decision, repeatable } = proposal;
    if (!execution || !decision) return;
    const isSent = execution.sentAt !== undefined;
    if (isSent && repeatable === 'BY_STATE') {
      const text = 'The gateway ended while the mutation ran; it is not repeated without a key';
      return this.#fail(proposal, 'SERVICE_UNAVAILABLE', text, true);
    }
    if (clock.now().getTime() - decision.at.getTime() > tryMs) {
      const text = isSent ? 'No try has got an answer in a day' : 'The mutation could not be sent in a day';
      return this.#fail(proposal, 'SERVICE_UNAVAILABLE', text, isSent);
    }
    const caller = await this.#callerOf(proposal);
    if (!caller)
      return this.#fail(proposal, 'TOKEN_REVOKED', 'The approver has lost the right to act', isSent);
    const fault = await this.#mandateFault(proposal);
    if (fault !== undefined) return this.#fail(proposal, 'FORBIDDEN', fault, isSent);
    if (execution.tries > 1 && !isSent && (await isStale(borrow, caller, proposal))) {
      const text = 'What it would change has changed since the approval; nothing was sent';
      return this.#fail(proposal, 'PROPOSAL_STALE', text, false);
    }
    const answer = await this.#execute(proposal, caller);
    if (!answer) return;
    if (answer.errors.some(isUncertain) && repeatable === 'BY_KEY') {
      const pauseMs = Math.min(retryMs * 2 ** (execution.tries - 1), longestRetryMs);
      await agents()?.proposals.renew(proposal, pauseMs);
      return;
    }
    await this.#finish(proposal, answer);
  }

  /** The reason why a mandate approves no more; undefined for a decision of a person. */
  async #mandateFault({
    decision,
    agent,
    person,
    experiment,
  }: ProposalDocument): Promise<string | undefined> {
    const { mandates, budgets } = this.#options.agents() ?? {};
    if (decision?.mandate === undefined) return undefined;
    if (!(await mandates?.isActive(decision.mandate))) return 'The mandate was revoked, or has ended';
    const concerned = {
      ...{ agent: agent ?? undefined, people: [person] },
      experiments: experiment === null ? [] : [experiment],
    };
    return (await budgets?.stopFor(concerned)) && 'The agent was stopped after it proposed the change';
  }

  /** The approver with the rights of now; undefined if its token was revoked. */
  async #callerOf({ execution, decision }: ProposalDocument): Promise<Principal | undefined> {
    if (!execution) return undefined;
    const { rights, clock } = this.#options;
    const caller = createPrincipal({ ...execution.caller, expiresAt: never });
    return withCurrentRights(caller, rights(), clock.now(), decision?.at);
  }

  /** The answer of the mutation; undefined if another gateway has the lease, so that nothing was sent. */
  async #execute(proposal: ProposalDocument, principal: Principal): Promise<GraphAnswer | undefined> {
    const { borrow, agents } = this.#options;
    const variables = JSON.parse(proposal.variables) as Readonly<Record<string, unknown>>;
    const recording = await this.#record(proposal, principal, variables);
    try {
      if (!(await agents()?.proposals.send(proposal))) {
        recording?.cancel();
        return undefined;
      }
      const signal = AbortSignal.timeout(mutationMs);
      const { operation: query, _id: requestId } = proposal;
      const answer = await executeOwn(borrow, { query, variables, principal, signal, requestId });
      recording?.end(answer);
      return answerOf(answer.text);
    } catch (error) {
      recording?.cancel();
      throw error;
    }
  }

  /** Records the intent, with the proposal as the request. @throws DomainError SERVICE_UNAVAILABLE */
  async #record(
    { _id: requestId, operation: query, ref, agent, person }: ProposalDocument,
    principal: Principal,
    variables: Readonly<Record<string, unknown>>,
  ): Promise<Recording | undefined> {
    const audit = this.#options.audit();
    if (!audit) return undefined;
    const prepared = await this.#options.borrow(async (engine) => engine.prepare({ query, requestId }));
    // An operation that does not fit the schema any more runs nothing.
    if (!prepared.ok) return undefined;
    const client = { name: `proposal ${ref}`, version: agent ?? person };
    return audit.begin(prepared.operation, { principal, requestId, client, variables });
  }

  async #finish(proposal: ProposalDocument, { data, errors }: GraphAnswer): Promise<void> {
    const payload = (data?.[proposal.mutation] ?? null) as Readonly<Record<string, unknown>> | null;
    const text = payload && JSON.stringify(payload);
    const outcome = {
      data: text !== null && Buffer.byteLength(text) <= maxDataBytes ? text : null,
      errors: [...errors, ...userErrorsOf(payload)].slice(0, 20),
      isUnknown: errors.some(isUncertain),
    };
    const isFailed = errors.length > 0 || isRefused(payload);
    await this.#store(proposal, isFailed ? 'FAILED' : 'DONE', outcome);
  }

  async #fail(proposal: ProposalDocument, code: string, message: string, isUnknown: boolean): Promise<void> {
    await this.#store(proposal, 'FAILED', { data: null, errors: [{ code, message }], isUnknown });
  }

  async #store(
    proposal: ProposalDocument,
    status: 'DONE' | 'FAILED',
    outcome: Omit<StoredOutcome, 'at'>,
  ): Promise<void> {
    const { agents, log } = this.#options;
    const stored = await agents()?.proposals.finish(proposal, status, outcome);
    const codes = outcome.errors.map(({ code }) => code);
    log.info(
      { proposal: proposal._id, mutation: proposal.mutation, status, codes, stored: !!stored },
      'proposal run',
    );
  }
}

/** True for errors after which the change may have been made. */
function isUncertain({ code }: { readonly code: string | null }): boolean {
  return code !== null && (lookUp(code)?.retry ?? 'never') !== 'never';
}

/** True if a payload has errors and nothing else, or says that nothing was changed. */
function isRefused(payload: Readonly<Record<string, unknown>> | null): boolean {
  if (!payload) return true;
  const { userErrors, omittedErrorCount: _count, ...results } = payload;
  if (changedNothing(payload) || changedNothing(payload['result'])) return true;
  if (!Array.isArray(userErrors) || userErrors.length === 0) return false;
  return Object.values(results).every(
    (value) => value === null || (Array.isArray(value) && value.every((one) => one === null)),
  );
}

/** True for counts of a change of several objects that refused all of them. */
function changedNothing(counts: unknown): boolean {
  const { changedCount, refusedCount } = (counts ?? {}) as Readonly<Record<string, unknown>>;
  return changedCount === 0 && typeof refusedCount === 'number' && refusedCount > 0;
}
