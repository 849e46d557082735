/** A call that waits for units. */
import type { StoredUnit } from '../blocks/unit.types.js';

/** Attempt that asks for units. */
export interface UnitAttempt {
  readonly jobId: string;
  readonly fence: number;
  readonly site?: string | undefined;
}

/** A leased unit, without its payload. */
export interface LeasedUnit {
  readonly blockId: string;
  readonly position: number;
  readonly unit: StoredUnit;
}

/** Request for units. */
export interface LeaseRequest {
  readonly attempt: UnitAttempt;
  readonly max: number;
  readonly maxBytes: number;
  /** Blocks of its units: one call reports about all of them. */
  readonly maxBlocks: number;
  /** False for a call that is answered after one search. */
  readonly isPatient: boolean;
  /** Aborted when the caller no longer waits. */
  readonly signal: AbortSignal;
}

/** A request until it is answered. */
export class LeaseWaiter {
  readonly request: LeaseRequest;
  /** True until blocks were searched for it. */
  isNew = true;
  readonly #resolve: (units: readonly LeasedUnit[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort = (): void => this.answer([]);
  #isOver = false;

  constructor(
    request: LeaseRequest,
    resolve: (units: readonly LeasedUnit[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.request = request;
    this.#resolve = resolve;
    this.#reject = reject;
    request.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (request.signal.aborted) this.answer([]);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  answer(units: readonly LeasedUnit[]): void {
    this.#end();
    this.#resolve(units);
  }

  fail(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#isOver = true;
    this.request.signal.removeEventListener('abort', this.#onAbort);
  }
}
