/** Asks core which worker holds an attempt. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type BorrowEngine, executeOwn } from '../own-operation.js';

/** An attempt by its worker, its job and its fence. */
export interface AttemptQuestion {
  readonly workerId: string;
  readonly jobId: string;
  readonly fence: number;
}

/** Facts of a held attempt for its token. */
export interface HeldAttempt {
  readonly attempt: number;
  readonly owner: string;
  readonly experiment: string;
  readonly submittedAt: Date;
}

const query = `query HeldAttempt($workerId: ID!, $jobId: ID!, $fence: SafeInt!) {
  heldAttempt(workerId: $workerId, jobId: $jobId, fence: $fence) {
    number
    owner { subject }
    experiment { name }
    submittedAt
  }
}`;

interface Body {
  readonly data?: {
    readonly heldAttempt: {
      readonly number: number;
      readonly owner: { readonly subject: string };
      readonly experiment: { readonly name: string };
      readonly submittedAt: string;
    } | null;
  } | null;
}

const timeoutMs = 10_000;

/** Reads attempts through the graph, as the worker. */
export class HeldAttempts {
  readonly #borrow: BorrowEngine;

  constructor(borrow: BorrowEngine) {
    this.#borrow = borrow;
  }

  /**
   * The attempt if the worker holds it by this fence, and its payload receives a token; otherwise undefined.
   * @throws DomainError SERVICE_UNAVAILABLE
   */
  async find(principal: Principal, variables: AttemptQuestion): Promise<HeldAttempt | undefined> {
    if (!Number.isSafeInteger(variables.fence)) return undefined;
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await executeOwn(this.#borrow, { query, variables, principal, signal });
    if (answer.codes.some((code) => code !== 'FORBIDDEN'))
      throw new DomainError('SERVICE_UNAVAILABLE', 'The attempt could not be read');
    const { data } = JSON.parse(answer.text) as Body;
    const held = data?.heldAttempt;
    if (!held) return undefined;
    const { number: attempt, owner, experiment, submittedAt } = held;
    return {
      ...{ attempt, owner: owner.subject, experiment: experiment.name },
      submittedAt: new Date(submittedAt),
    };
  }
}
