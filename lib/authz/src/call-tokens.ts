/** Call tokens: the gateway signs them for one subgraph, which accepts nothing else from the network. */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from '@rhizome/clock';
import { LRUCache } from 'lru-cache';
import { type JSONWebKeySet, SignJWT } from 'jose';
import { assertFits, writeGrants } from './claim-forms.js';
import { writeElevation } from './elevation.js';
import { loadKey, newKey, type SigningKey, signingKeyOf } from './key-file.js';
import type { TrustedIssuer } from './keys.js';
import { authorisationScope } from './permissions.js';
import { createPrincipal, createSharedPrincipal, type Grant, never, type Principal } from './principal.js';
import { tokenTypes } from './token-kinds.js';
import { createVerifier, type Verifier } from './verifier.js';

/** The `iss` of call tokens unless it is configured. */
export const gatewayIssuer = 'urn:rhizome:gateway';

/** Path at the gateway where the keys of call tokens are published. */
export const callKeysPath = '/.well-known/rhizome-call-keys.json';

/** The `aud` of call tokens for a subgraph. */
export function callAudience(subgraph: string): string {
  return `urn:rhizome:subgraph:${subgraph}`;
}

/**
 * The caller as a subgraph sees it: without its token, and for an experiment's subgraph with the grants in
 * that experiment only, and without its groups and linked identities. It does not expire: the gateway ends
 * streams when the caller's own token ends.
 *
 * @param experiment the experiment that the subgraph belongs to; undefined for subgraphs of the deployment
 */
export function narrowPrincipal(principal: Principal, experiment?: string): Principal {
  const narrowed = (grants: readonly Grant[]): readonly Grant[] =>
    experiment === undefined ? grants : narrowGrants(grants, experiment);
  const { boundedBy, elevation } = principal;
  const isSeen = experiment === undefined || elevation?.experiment === experiment;
  const rights = {
    grants: narrowed(principal.grants),
    ...(boundedBy && { boundedBy: narrowed(boundedBy) }),
    elevation: isSeen ? elevation : undefined,
    groups: experiment === undefined ? principal.groups : undefined,
    linked: experiment === undefined ? principal.linked : undefined,
    expiresAt: never,
  };
  return principal.shared
    ? createSharedPrincipal({ ...principal, ...rights })
    : createPrincipal({ ...principal, ...rights });
}

/** A grant in all experiments becomes one in the experiment. */
function narrowGrants(grants: readonly Grant[], experiment: string): Grant[] {
  const roles = grants
    .filter((grant) => grant.experiment === '*' || grant.experiment === experiment)
    .flatMap((grant) => grant.roles);
  return roles.length === 0 ? [] : [{ experiment, roles: [...new Set(roles)] }];
}

/** The principal that stands for everybody with the rights of the given one; see `createSharedPrincipal`. */
export function sharePrincipal(principal: Principal): Principal {
  return createSharedPrincipal({ ...principal, expiresAt: never });
}

/** Options of {@link createCallSigner}. */
export interface CallSignerOptions {
  /**
   * A private ES256 key as JWK; created with mode 0600 if there is none. Processes that serve one graph share
   * it. Without one, the key lives as long as the process.
   */
  readonly keyFile?: string | undefined;
  /** Default {@link gatewayIssuer}. */
  readonly issuer?: string | undefined;
  readonly clock?: Clock;
}

/** Signs call tokens. */
export interface CallSigner {
  readonly issuer: string;
  /** The public keys. */
  jwks(): JSONWebKeySet;
  /**
   * A token that names the principal to the subgraph; signed again after half of its life: 30 s, or 450 s for
   * that of a worker. A promise only if it must be signed first.
   */
  tokenFor(principal: Principal, subgraph: string): string | Promise<string>;
}

const lifetimeSeconds = 60;
/**
 * As the credential of a worker: thousands of workers are signed for when it is renewed, not for each call.
 */
const workerLifetimeSeconds = 900;
/** More than the workers of a large grid: what is forgotten is signed and verified again for each call. */
const remembered = 200_000;
const rememberedBytes = 512 * 1024 * 1024;

function lifetimeOf({ worker, attempt, shared }: Principal): number {
  return worker === undefined || attempt !== undefined || shared ? lifetimeSeconds : workerLifetimeSeconds;
}

/** Creates the signer of a gateway. @throws DomainError CONFIG_INVALID if the key file cannot be used */
export async function createCallSigner(options: CallSignerOptions = {}): Promise<CallSigner> {
  const { keyFile, issuer = gatewayIssuer, clock = systemClock } = options;
  const jwk = keyFile === undefined ? await newKey() : await loadKey(keyFile);
  return new Signer({ issuer, clock, ...(await signingKeyOf(jwk)) });
}

interface SignerParts extends SigningKey {
  readonly issuer: string;
  readonly clock: Clock;
}

interface SignedToken {
  token: string | Promise<string>;
  readonly signedAt: number;
}

class Signer implements CallSigner {
  readonly issuer: string;
  readonly #parts: SignerParts;
  readonly #signed = new LRUCache<string, SignedToken>({ max: remembered });

  constructor(parts: SignerParts) {
    this.issuer = parts.issuer;
    this.#parts = parts;
  }

  jwks(): JSONWebKeySet {
    return this.#parts.jwks;
  }

  tokenFor(principal: Principal, subgraph: string): string | Promise<string> {
    const key = `${subgraph}\n${identityOf(principal)}`;
    const now = this.#parts.clock.monotonicMs();
    const known = this.#signed.get(key);
    if (known && now - known.signedAt < lifetimeOf(principal) * 500) return known.token;
    const signing = this.#sign(principal, subgraph);
    const signed: SignedToken = { token: signing, signedAt: now };
    this.#signed.set(key, signed);
    signing.then(
      (token) => (signed.token = token),
      () => this.#signed.delete(key),
    );
    return signing;
  }

  /** @throws DomainError BAD_REQUEST if the rights do not fit into a request */
  async #sign(principal: Principal, subgraph: string): Promise<string> {
    const { issuer, key, kid, clock } = this.#parts;
    const now = Math.floor(clock.now().getTime() / 1000);
    const token = await new SignJWT(claimsOf(principal))
      .setProtectedHeader({ alg: 'ES256', kid, typ: tokenTypes.CALL })
      .setIssuer(issuer)
      .setAudience(callAudience(subgraph))
      .setSubject(principal.shared ? 'scope' : principal.subject)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + lifetimeOf(principal))
      .sign(key);
    return assertFits(token);
  }
}

const identities = new WeakMap<Principal, string>();

/** Text that differs for principals whose call tokens differ. */
function identityOf(principal: Principal): string {
  let identity = identities.get(principal);
  if (identity === undefined) {
    const { shared, kind, actsFor, queue, service, worker, attempt, gateway, tokenId } = principal;
    const { keyThumbprint, certificateThumbprint } = principal;
    const subject = shared ? null : principal.subject;
    const { groups, linked } = shared ? {} : principal;
    const keys = [keyThumbprint, certificateThumbprint];
    const holder = [queue, service, worker, attempt, gateway, ...keys, groups, linked];
    const facts = [kind, subject, actsFor, ...holder, tokenId];
    identity = `${authorisationScope(principal)} ${JSON.stringify(facts.map((fact) => fact ?? null))}`;
    identities.set(principal, identity);
  }
  return identity;
}

function claimsOf(principal: Principal): Record<string, unknown> {
  const {
    kind,
    grants,
    boundedBy,
    actions,
    actsFor,
    shared,
    queue,
    service,
    worker,
    attempt,
    gateway,
    keyThumbprint,
    certificateThumbprint,
  } = principal;
  const { issuer: iss, tokenId: jti, issuedAt, tokenKind, elevation, groups, linked } = principal;
  const iat = issuedAt && Math.floor(issuedAt.getTime() / 1000);
  const origin = { iss, jti, iat, kind: tokenKind };
  const call = shared ? { shared, service } : { service, gateway, groups, linked, origin };
  // Values that are undefined are left out by JSON.
  return {
    queue,
    wid: worker,
    attempt,
    ...(keyThumbprint === undefined ? {} : { cnf: { jkt: keyThumbprint } }),
    ...(certificateThumbprint === undefined ? {} : { cnf: { 'x5t#S256': certificateThumbprint } }),
    rhizome: {
      ...{ kind, grants: writeGrants(grants), actions, actsFor, call },
      boundedBy: boundedBy && writeGrants(boundedBy),
      elevation: elevation && writeElevation(elevation),
    },
  };
}

/** Keys of the gateway, as a subgraph is configured with them. */
export interface CallVerifierOptions extends Pick<TrustedIssuer, 'jwks' | 'jwksUri' | 'insecureTransport'> {
  /** Name of the subgraph, which tokens must be for. */
  readonly subgraph: string;
  /** Default {@link gatewayIssuer}. */
  readonly issuer?: string | undefined;
  readonly clock?: Clock;
}

/** A verifier for a subgraph: it accepts the gateway's call tokens for this subgraph and nothing else. */
export function createCallVerifier(options: CallVerifierOptions): Verifier {
  const { subgraph, issuer = gatewayIssuer, clock, ...keys } = options;
  return createVerifier({
    issuers: [{ issuer, ...keys, kinds: ['CALL'], maxLifetimeSeconds: workerLifetimeSeconds }],
    kinds: ['CALL'],
    audience: callAudience(subgraph),
    cacheSize: remembered,
    cacheBytes: rememberedBytes,
    ...(clock ? { clock } : {}),
  });
}
