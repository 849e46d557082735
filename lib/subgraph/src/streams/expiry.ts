import { type Clock, longestTimerMs } from '@rhizome/clock';
import { describePrincipal, type Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { ResultStream } from './result-stream.js';
import type { SubgraphResult } from '../types.js';

/** Ends the stream with TOKEN_EXPIRED when the principal's token expires. */
export function expireWith(
  stream: ResultStream,
  principal: Principal,
  clock: Clock,
  shape: (error: unknown) => SubgraphResult,
): void {
  const { expiresAt } = principal;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const leftMs = expiresAt.getTime() - clock.now().getTime();
    if (leftMs <= 0) {
      const text = `The token of ${describePrincipal(principal)} ended at ${expiresAt.toISOString()}`;
      stream.end(shape(new DomainError('TOKEN_EXPIRED', text)));
      return;
    }
    timer = setTimeout(arm, Math.min(leftMs, longestTimerMs));
    timer.unref();
  };
  arm();
  stream.onEnd(() => clearTimeout(timer));
}
