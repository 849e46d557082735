/** Errors of calls, sorted by what the caller can do about them. */
import { isRhizomeApiError } from '@rhizome/client';
import { AttemptTokenRefused, EnrolmentRefused } from '../credential/enrolment-client.js';
import { CoreRefused, CoreUnavailable } from './core-protocol.js';

/** Codes that a token renewed in time resolves: no reason to give up jobs before their lease ends. */
const tokenCodes = new Set(['TOKEN_EXPIRED', 'UNAUTHENTICATED']);

/**
 * An error of a call as refused or unavailable. UNAUTHENTICATED is refused if no other token can be had. What
 * a proxy answers is no refusal by core, whatever its status.
 */
export function sorted(error: unknown, isTokenFinal: boolean): CoreRefused | CoreUnavailable {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof EnrolmentRefused) return new CoreRefused('UNAUTHENTICATED', message, { cause: error });
  if (error instanceof AttemptTokenRefused) return new CoreRefused('FORBIDDEN', message, { cause: error });
  const isFinal =
    isRhizomeApiError(error) &&
    !error.noAnswer &&
    error.retry === 'never' &&
    (isTokenFinal || !tokenCodes.has(error.code));
  if (isFinal) return new CoreRefused(error.code, message, { cause: error });
  return new CoreUnavailable(message, { cause: error });
}
