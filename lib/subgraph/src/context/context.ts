import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import { LoaderCache } from './loaders.js';
import { RequestLogger } from './request-log.js';
import type { SubgraphContext } from './types.js';

/**
 * Header with which a process marks a call that it forwards to another process of the same service. It grants
 * nothing: the receiver answers the call itself instead of forwarding it again.
 */
export const forwardedHeader = 'x-rhizome-forwarded';

/**
 * Header with which a caller requests the number of loads of each loader for its operation; the answer is
 * `extensions.loads`. Contract tests use it to check whether n entities take one load.
 */
export const countLoadsHeader = 'x-rhizome-count-loads';

/**
 * Creates the context of a service from the common one; called once per operation, and once per event of a
 * stream.
 */
export type ContextFactory<TContext extends SubgraphContext> = (base: SubgraphContext) => TContext;

/** Facts about a call before its context is created. */
export type ContextInit = Omit<SubgraphContext, 'loaders'>;

/** Creates a context with its own loaders, which receive the whole of it. */
export function createContext<TContext extends SubgraphContext>(
  init: ContextInit,
  factory: ContextFactory<TContext> | undefined,
): SubgraphContext {
  const base = new OperationContext(init);
  const context = factory ? factory(base) : base;
  if (!('signal' in context)) withSignal(context, init);
  base.loaders.bind(context);
  return context;
}

/** A class, since an object literal with a getter costs more than the rest of a small operation. */
class OperationContext implements SubgraphContext {
  readonly principal: Principal;
  readonly requestId: string;
  readonly log: Logger;
  readonly loaders = new LoaderCache();
  readonly isForwarded: boolean | undefined;
  readonly #init: ContextInit;

  constructor(init: ContextInit) {
    this.principal = init.principal;
    this.requestId = init.requestId;
    this.log = new RequestLogger(init.log, init.requestId);
    this.isForwarded = init.isForwarded;
    this.#init = init;
  }

  /** Created on first access: few resolvers read it. */
  get signal(): AbortSignal | undefined {
    return this.#init.signal;
  }
}

/** A factory may have copied the common context; properties that are created on access are not copied. */
function withSignal(context: SubgraphContext, init: ContextInit): void {
  Object.defineProperty(context, 'signal', { get: () => init.signal, enumerable: true });
}
