import type { Principal } from '@rhizome/authz';
import type { Logger } from '@rhizome/log';
import { LoaderCache } from './loaders.js';
import { RequestLogger } from './request-log.js';
import type { SubgraphContext } from './types.js';

/**
 * The header by which a process marks a call that it forwards to another one of the same service. It grants
 * nothing: the receiver answers itself instead of forwarding again.
 */
export const forwardedHeader = 'x-rhizome-forwarded';

/**
 * The header by which a caller asks how often each loader loaded for its operation; the answer is `extensions.loads`. Contract tests
 * see by it whether n entities take one load.
 */
export const countLoadsHeader = 'x-rhizome-count-loads';

/** Makes the context of a service from the common one; called once an operation, and once an event of a stream. */
export type ContextFactory<TContext extends SubgraphContext> = (base: SubgraphContext) => TContext;

/** What is known of a call before its context is made. */
export type ContextInit = Omit<SubgraphContext, 'loaders'>;

/** Makes a context with loaders of its own, which see the whole of it. */
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

/** A class, since an object literal with a getter costs more to make than all else of a small operation. */
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

  /** Few resolvers look at it, and it may be made for those that do. */
  get signal(): AbortSignal | undefined {
    return this.#init.signal;
  }
}

/** A factory may have copied the common context, and what is made on demand is not copied. */
function withSignal(context: SubgraphContext, init: ContextInit): void {
  Object.defineProperty(context, 'signal', { get: () => init.signal, enumerable: true });
}
