/**
 * Proofs of second identities for the sessions of browsers. The gateway verifies the token of the issuer and
 * keeps it; the page gets a proof that counts in its own session only.
 */
import { digestOfText } from '@rhizome/digest';
import type { OutsideIdentity } from '../issuers/outside-tokens.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import { openText, sealText } from '../tokens/sealed-text.js';

/** An identity that somebody has shown to be theirs. */
export interface ShownIdentity extends Pick<OutsideIdentity, 'principalId' | 'kind'> {
  /** The `iss` of its issuer. */
  readonly issuer: string;
  /** Time at which its issuer issued the token, in seconds since 1970. */
  readonly issuedAt: number;
  /** Latest time at which somebody logged in for it, in milliseconds since 1970. */
  readonly shownAt: number;
  /** Digest of the token, which counts once. */
  readonly tokenDigest: string;
}

/** Session to which a proof belongs. */
interface ProofContext {
  /** The login of the session. */
  readonly family: string;
  readonly encryption: KeyEncryption;
}

const prefix = 'link';

/**
 * The identity of a token that was accepted.
 * @param shownAt by default, the second of the login as the token states it, or else that in which it was
 *   issued: a token that was refreshed has a new time of issue without any login
 */
export function shownBy(
  { principalId, kind, claims, issuer: { issuer } }: OutsideIdentity,
  token: string,
  shownAt?: number,
): ShownIdentity {
  // What the signature covers: other bytes in its own place do not make another proof.
  const tokenDigest = digestOfText(token.slice(0, token.lastIndexOf('.')));
  const issuedAt = Number(claims['iat']);
  // Issuers round to seconds.
  const loginAt = typeof claims['auth_time'] === 'number' ? claims['auth_time'] : issuedAt;
  const byToken = Math.min(issuedAt, loginAt) * 1000 + 999;
  return { principalId, kind, issuer, issuedAt, tokenDigest, shownAt: shownAt ?? byToken };
}

/**
 * The proof for a session. It has the parts of a JWT, and names the account in plain text like a token does:
 * the audit log reads it there.
 */
export function sealProof(
  identity: OutsideIdentity,
  token: string,
  { family, encryption, now }: ProofContext & { readonly now: Date },
): string {
  const { displayName: name, subject: sub } = identity;
  const account = encoded(
    JSON.stringify({ iss: identity.issuer.issuer, sub, ...(name !== null && { name }) }),
  );
  const sealed = sealText(encryption, shownBy(identity, token, now.getTime()), contextOf(account, family));
  return `${prefix}.${account}.${encoded(sealed)}`;
}

/** The identity that a proof shows; undefined if it was not made for the session. */
export function openProof(proof: string, { family, encryption }: ProofContext): ShownIdentity | undefined {
  const [head, account = '', sealed = '', ...others] = proof.split('.');
  if (head !== prefix || others.length > 0) return undefined;
  const text = Buffer.from(sealed, 'base64url').toString();
  const shown = openText(encryption, text, contextOf(account, family)) as Partial<ShownIdentity> | undefined;
  // A proof of an earlier release names no issuer.
  return shown?.issuer === undefined ? undefined : (shown as ShownIdentity);
}

const contextOf = (account: string, family: string): string => `link ${family} ${account}`;

const encoded = (text: string): string => Buffer.from(text).toString('base64url');
