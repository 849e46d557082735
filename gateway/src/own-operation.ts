/** Operations that the gateway runs for itself, outside the handlers of clients. */
import type { Principal } from '@rhizome/authz';
import type { Engine, ExecutionText } from '@rhizome/federation';
import { requestIdOf, scopeOf } from './policy/index.js';

/** Runs work on the current engine. */
export type BorrowEngine = <T>(work: (engine: Engine) => Promise<T>) => Promise<T>;

/** An operation with the principal that runs it. */
export interface OwnOperation {
  readonly query: string;
  readonly variables: object;
  readonly principal: Principal;
  readonly signal: AbortSignal;
  /** Identifier of the request in logs and the audit log; a new one by default. */
  readonly requestId?: string | undefined;
}

/** Executes an operation on the current engine, without the limits of clients. */
export function executeOwn(
  borrow: BorrowEngine,
  { query, variables, principal, signal, requestId }: OwnOperation,
): Promise<ExecutionText> {
  const request = { query, variables: { ...variables }, principal, signal };
  const call = { scope: scopeOf(principal, true), requestId: requestIdOf(requestId) };
  return borrow((engine) => engine.execute({ ...request, ...call }));
}
