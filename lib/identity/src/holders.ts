/**
 * Holders of tokens and keys, as answers and records name them. An entry point of its own: the services load
 * the driver of the store and the clients of issuers, which a gateway without an identity store does not
 * need.
 */

export {
  accountIn,
  certificatePrefix,
  claimedBinding,
  claimedByAssertion,
  claimedByBoundToken,
  claimedBySession,
  claimedByToken,
  claimedEnrolment,
  claimedKey,
} from './claimed-holders.js';

/** The holder of a token. */
export interface TokenHolder {
  readonly kind: 'HUMAN' | 'SERVICE' | 'AGENT';
  readonly subject: string;
  readonly actsFor: string | null;
  readonly tokenId: string | null;
}

/** The holder of a login that lasts: only people have such logins. */
export function humanHolder(subject: string): TokenHolder {
  return { kind: 'HUMAN', subject, actsFor: null, tokenId: null };
}

/** Field of the error that refuses the nonce of another process in a proof of possession. */
export const nonceField = 'dpop.nonce';
