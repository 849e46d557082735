import { randomUUID } from 'node:crypto';
import { type CryptoKey, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose';
import { type Clock, systemClock } from '@rhizome/clock';
import { assertFits, writeGrants } from './claim-forms.js';
import { type ElevationReference, writeElevation } from './elevation.js';
import { loadKey, signingKeyOf } from './key-file.js';
import type { AttemptReference, Grant, PrincipalKind } from './principal.js';
import { accessKindOf, type TokenKind, tokenTypes } from './token-kinds.js';

/** Options of a token issuer that needs nothing else: for playgrounds and tests. */
export interface TokenIssuerOptions {
  /** A private ES256 key as JWK; made, with mode 0600, where there is none. */
  readonly keyFile: string;
  /** The `iss` of the tokens. */
  readonly issuer: string;
  /** Default `rhizome`. */
  readonly audience?: string;
  readonly clock?: Clock;
}

/** Claims of a token; the kind of token follows from the kind of principal unless it is given. */
export interface MintOptions {
  readonly subject: string;
  readonly kind: PrincipalKind;
  readonly grants: readonly Grant[];
  readonly ttlSeconds: number;
  readonly actsFor?: string | undefined;
  /** Of an agent: the grants of its human; without them the agent has no rights. */
  readonly boundedBy?: readonly Grant[] | undefined;
  /** Upper limit of the actions. */
  readonly actions?: readonly string[] | undefined;
  readonly tokenKind?: TokenKind | undefined;
  /** Default: a new one. */
  readonly tokenId?: string | undefined;
  /** Default: now. */
  readonly issuedAt?: Date | undefined;
  /** Default: the issuer's. */
  readonly audience?: string | undefined;
  /** The `client_id` of an access token (RFC 9068); default `rhizome`. */
  readonly clientId?: string | undefined;
  readonly queue?: string | undefined;
  readonly worker?: string | undefined;
  readonly elevation?: ElevationReference | undefined;
  /** True for a token with which no further roles can be taken. */
  readonly limited?: boolean | undefined;
  readonly attempt?: AttemptReference | undefined;
  /** Thumbprint of the holder's key, which then must be proven. */
  readonly keyThumbprint?: string | undefined;
  /** Thumbprint of the holder's client certificate, which each connection then must present. */
  readonly certificateThumbprint?: string | undefined;
}

/** A private key that signs tokens, and how it is named in them. */
export interface TokenSigner {
  readonly issuer: string;
  readonly key: CryptoKey;
  readonly kid: string;
  readonly audience: string;
  readonly clock?: Clock;
}

/**
 * Signs a token of the signer's issuer (ES256).
 * @throws DomainError BAD_REQUEST if the rights do not fit into a request
 */
export async function signToken(options: MintOptions, signer: TokenSigner): Promise<string> {
  const { issuer, key, kid, audience, clock = systemClock } = signer;
  const kind = options.tokenKind ?? accessKindOf(options.kind);
  const issuedAt = Math.floor((options.issuedAt ?? clock.now()).getTime() / 1000);
  const isAccessToken = tokenTypes[kind] === 'at+jwt';
  const client = isAccessToken ? { client_id: options.clientId ?? 'rhizome' } : {};
  const token = await new SignJWT({ ...claimsOf(options), ...client })
    .setProtectedHeader({ alg: 'ES256', kid, typ: tokenTypes[kind] })
    .setIssuer(issuer)
    .setAudience(options.audience ?? audience)
    .setSubject(options.subject)
    .setJti(options.tokenId ?? randomUUID())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + options.ttlSeconds)
    .sign(key);
  return assertFits(token);
}

function claimsOf(options: MintOptions): JWTPayload {
  const { kind, grants, actsFor, boundedBy, actions, queue, worker, attempt } = options;
  const { keyThumbprint, certificateThumbprint, elevation, limited } = options;
  return {
    rhizome: {
      ...{ kind, grants: writeGrants(grants) },
      ...(actsFor !== undefined && { actsFor }),
      ...(boundedBy && { boundedBy: writeGrants(boundedBy) }),
      ...(elevation && { elevation: writeElevation(elevation) }),
      ...(limited && { limited }),
      ...(actions && { actions }),
    },
    ...(queue !== undefined && { queue }),
    ...(worker !== undefined && { wid: worker }),
    ...(attempt && { attempt }),
    ...(keyThumbprint !== undefined && { cnf: { jkt: keyThumbprint } }),
    ...(certificateThumbprint !== undefined && { cnf: { 'x5t#S256': certificateThumbprint } }),
  };
}

/** Mints tokens and publishes the key to check them with. */
export interface TokenIssuer {
  readonly issuer: string;
  /** The public keys. */
  jwks(): JSONWebKeySet;
  /** A signed token that is valid from now on. */
  mint(options: MintOptions): Promise<string>;
}

/**
 * Opens an issuer on its key file.
 *
 * @throws DomainError CONFIG_INVALID when the file is no such key, or others may read it
 */
export async function createTokenIssuer(options: TokenIssuerOptions): Promise<TokenIssuer> {
  const { keyFile, issuer, audience = 'rhizome', clock = systemClock } = options;
  const { key, kid, jwks } = await signingKeyOf(await loadKey(keyFile));
  const signer = { issuer, key, kid, audience, clock };
  return {
    issuer,
    jwks: () => jwks,
    mint: (options) => signToken(options, signer),
  };
}
