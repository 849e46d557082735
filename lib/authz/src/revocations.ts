import type { Principal } from './principal.js';

/** Facts of a principal by which its token can be revoked. */
export type Revocable = Pick<
  Principal,
  'subject' | 'actsFor' | 'issuer' | 'tokenId' | 'issuedAt' | 'worker' | 'shared'
>;

/** Deny list of tokens that were revoked before they end: a lookup in memory, followed elsewhere. */
export interface RevocationList {
  /** Returns true if the token is revoked: by its id, subject, worker, issuer or time of issue. */
  isRevoked(principal: Revocable): boolean;
  /**
   * Calls the listener after each change of the list, so that open streams and sockets can end.
   *
   * @returns stops the calls
   */
  onChange(listener: () => void): () => void;
}
