import { AsyncLocalStorage } from 'node:async_hooks';

/** Ids that occur in every line logged while something runs. */
export interface LogContext {
  readonly requestId?: string;
  readonly jobId?: string;
  readonly [id: string]: string | undefined;
}

const storage = new AsyncLocalStorage<LogContext>();

/** Runs `fn`, and whatever it awaits, with these ids in every line; an inner context adds to an outer one. */
export function withContext<T>(context: LogContext, fn: () => T): T {
  return storage.run({ ...storage.getStore(), ...context }, fn);
}

/** The ids of what runs at the moment; empty outside of any context. */
export function currentContext(): LogContext {
  return storage.getStore() ?? {};
}
