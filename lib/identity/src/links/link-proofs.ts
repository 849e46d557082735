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
  /** Time at which its issuer issued the token, in seconds since 1970. */
  readonly issuedAt: number;
  /** Digest of the token, which counts once. */
  readonly tokenDigest: string;
}

const prefix = 'link';

/** The identity of a token that was accepted. */
export function shownBy({ principalId, kind, claims }: OutsideIdentity, token: string): ShownIdentity {
  // What the signature covers: other bytes in its own place do not make another proof.
  const tokenDigest = digestOfText(token.slice(0, token.lastIndexOf('.')));
  return { principalId, kind, issuedAt: Number(claims['iat']), tokenDigest };
}

/**
 * The proof for a session. It has the parts of a JWT, and names the account in plain text like a token does:
 * the audit log reads it there.
 * @param family the login of the session
 */
export function sealProof(
  identity: OutsideIdentity,
  token: string,
  { family, encryption }: { readonly family: string; readonly encryption: KeyEncryption },
): string {
  const { displayName: name, subject: sub } = identity;
  const account = encoded(
    JSON.stringify({ iss: identity.issuer.issuer, sub, ...(name !== null && { name }) }),
  );
  const sealed = sealText(encryption, shownBy(identity, token), contextOf(account, family));
  return `${prefix}.${account}.${encoded(sealed)}`;
}

/** The identity that a proof shows; undefined if it was not made for the session. */
export function openProof(
  proof: string,
  { family, encryption }: { readonly family: string; readonly encryption: KeyEncryption },
): ShownIdentity | undefined {
  const [head, account = '', sealed = '', ...others] = proof.split('.');
  if (head !== prefix || others.length > 0) return undefined;
  const text = Buffer.from(sealed, 'base64url').toString();
  return openText(encryption, text, contextOf(account, family)) as ShownIdentity | undefined;
}

const contextOf = (account: string, family: string): string => `link ${family} ${account}`;

const encoded = (text: string): string => Buffer.from(text).toString('base64url');
