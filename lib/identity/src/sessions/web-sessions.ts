/** Sessions of browsers: an opaque id for the browser, and access tokens that never leave the gateway. */
import { randomBytes } from 'node:crypto';
import { createPrincipal, type ElevationReference, type Principal, type Revocable } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import { humanHolder, type TokenHolder } from '../holders.js';
import type { Claims } from '../issuers/claims.js';
import type { OutsideIdentity } from '../issuers/outside-tokens.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import { readTokenId, tokenIdOf } from '../tokens/token-id.js';
import type { TokenService } from '../tokens/token.service.js';
import type { WebSessionDocument } from './web-session.document.js';
import type { WebSessionsRepository } from './web-sessions.repository.js';

/** Lifetime of a session, in seconds. */
export const sessionSeconds = 8 * 3600;
/** Time before its end at which an access token is replaced, in milliseconds. */
const renewBeforeMs = 60_000;
/** Sessions whose access token is kept. */
const kept = 10_000;
const form = /^[\w-]{43}$/;

/** Ports of {@link WebSessions}. */
export interface WebSessionsOptions {
  readonly sessions: WebSessionsRepository;
  readonly encryption: KeyEncryption;
  readonly tokens: TokenService;
  readonly revocations: RevocationsService;
  readonly clock: Clock;
  readonly ids: Ids;
}

interface CurrentToken {
  readonly accessToken: string;
  /** Milliseconds since 1970. */
  readonly renewAt: number;
  /** Facts by which it can be revoked. */
  readonly facts: Revocable;
}

/** Starts and ends sessions, and gets their access tokens. */
export class WebSessions {
  readonly #options: WebSessionsOptions;
  readonly #tokens = new LRUCache<string, Promise<CurrentToken>>({ max: kept });

  constructor(options: WebSessionsOptions) {
    this.#options = options;
  }

  /** Starts a session. Returns its id, which only the browser keeps. */
  async start({ principalId, issuer, claims }: OutsideIdentity): Promise<string> {
    const { sessions, encryption, clock, ids } = this.#options;
    const id = randomBytes(32).toString('base64url');
    const now = clock.now();
    const family = ids.next('login');
    await sessions.insert({
      _id: encryption.digest(id),
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      family,
      principalId,
      issuer: issuer.issuer,
      claims: encryption.seal(JSON.stringify(claims), family),
      expiresAt: new Date(now.getTime() + sessionSeconds * 1000),
    });
    return id;
  }

  /**
   * An access token of a session, with the rights that its principal has now.
   * @throws DomainError UNAUTHENTICATED for a session that is unknown or has ended, FORBIDDEN for a suspended
   *   principal
   * @param beforeRead called before a session is read from the store
   */
  async tokenOf(id: string, beforeRead?: () => Promise<void>): Promise<string> {
    const { encryption, revocations, clock } = this.#options;
    const digest = form.test(id) ? encryption.digest(id) : undefined;
    if (digest === undefined) throw sessionEnded();
    const now = clock.now().getTime();
    const known = await this.#tokens.get(digest);
    if (known && now < known.renewAt && !revocations.isRevoked(known.facts)) return known.accessToken;
    const issuing = beforeRead ? beforeRead().then(() => this.#issue(digest)) : this.#issue(digest);
    this.#tokens.set(digest, issuing);
    // Requests that come meanwhile share the new token; a failure is not kept.
    issuing.catch(() => this.#tokens.delete(digest));
    return (await issuing).accessToken;
  }

  /** The text if it has the form of a session's id, or null. */
  idOf(text: string): string | null {
    return form.test(text) ? text : null;
  }

  /** True if there is a session with this id, which may have ended. */
  async isKnown(id: string): Promise<boolean> {
    const { sessions, encryption } = this.#options;
    return form.test(id) && (await sessions.byId(encryption.digest(id))) !== null;
  }

  /** The session with an id, if it has not ended. */
  async find(id: string): Promise<WebSessionDocument | undefined> {
    const { sessions, encryption, clock } = this.#options;
    const session = form.test(id) ? await sessions.byId(encryption.digest(id)) : null;
    return session && this.#isOpen(session, clock.now()) ? session : undefined;
  }

  /** The session to which the token of a principal belongs; undefined for a token of another kind. */
  async ofPrincipal({ subject, tokenId }: Principal): Promise<WebSessionDocument | undefined> {
    const family = readTokenId(tokenId)?.family;
    const session = family === undefined ? null : await this.#options.sessions.byFamily(family);
    return session?.principalId === subject ? session : undefined;
  }

  /**
   * True if the token of a principal was made for a session of a browser, also while the session has further
   * roles: the token then belongs to their elevation.
   */
  async isOfSession(principal: Principal): Promise<boolean> {
    if (await this.ofPrincipal(principal)) return true;
    const { subject, elevation } = principal;
    const session = elevation && (await this.#options.sessions.byElevation(subject, elevation.id));
    return session != null;
  }

  /**
   * The elevation of a session. Undefined also for one that was ended: the session goes on without its roles.
   */
  currentElevation({ elevation }: WebSessionDocument, now: Date): ElevationReference | undefined {
    if (elevation === undefined || elevation.until <= now) return undefined;
    const tokenId = tokenIdOf({ issuerName: undefined, family: elevation.id }, 'session');
    return this.#options.revocations.isRevoked({ tokenId, subject: '' }) ? undefined : elevation;
  }

  /** Gives the next tokens of a session further roles; false if it changed meanwhile, or has ended. */
  async elevate(session: WebSessionDocument, elevation: ElevationReference): Promise<boolean> {
    const { sessions, clock } = this.#options;
    const isElevated = await sessions.elevate(session, elevation, clock.now());
    this.#tokens.delete(session._id);
    return isElevated;
  }

  /** Reads sessions again before their next token is used; undefined: all of them. */
  forget(changed: readonly string[] | undefined): void {
    if (changed === undefined) this.#tokens.clear();
    else for (const id of changed) this.#tokens.delete(id);
  }

  /** Ends a session with all its tokens, also in open streams. Returns its holder; undefined if unknown. */
  async end(id: string): Promise<TokenHolder | undefined> {
    const { sessions, encryption, revocations } = this.#options;
    if (!form.test(id)) return undefined;
    const digest = encryption.digest(id);
    this.#tokens.delete(digest);
    const session = await sessions.remove(digest);
    if (!session) return undefined;
    const { family, principalId: subject } = session;
    await revocations.revoke({ kind: 'FAMILY', value: family, reason: 'logout' }, subject);
    return humanHolder(subject);
  }

  async #issue(digest: string): Promise<CurrentToken> {
    const { sessions, encryption, tokens, clock } = this.#options;
    const session = await sessions.byId(digest);
    const now = clock.now();
    if (!session || !this.#isOpen(session, now)) throw sessionEnded();
    const { family, issuer, claims, expiresAt } = session;
    const opened = JSON.parse(encryption.open(claims, family)) as Claims;
    const elevation = this.currentElevation(session, now);
    const issued = await tokens.ofLogin({ family, issuer, claims: opened, until: expiresAt, elevation });
    const { subject, tokenId } = issued.holder;
    const lifetimeMs = issued.expiresInSeconds * 1000;
    const endsAt = now.getTime() + lifetimeMs;
    return {
      accessToken: issued.accessToken,
      renewAt: endsAt - Math.min(renewBeforeMs, lifetimeMs / 4),
      facts: { subject, tokenId: tokenId ?? undefined, issuedAt: now },
    };
  }

  #isOpen(session: WebSessionDocument, now: Date): boolean {
    return session.expiresAt > now && !this.#isRevoked(session);
  }

  /** A session ends when the tokens are revoked that were issued when it began. */
  #isRevoked({ family, principalId, createdAt, expiresAt, issuer }: WebSessionDocument): boolean {
    const tokenId = tokenIdOf({ issuerName: undefined, family }, 'session');
    const start = { kind: 'HUMAN', subject: principalId, grants: [], expiresAt, issuer } as const;
    return this.#options.revocations.isRevoked(createPrincipal({ ...start, tokenId, issuedAt: createdAt }));
  }
}

/** The error for a session that is unknown or has ended. */
export function sessionEnded(): DomainError {
  return new DomainError('UNAUTHENTICATED', 'The session has ended; log in again', { field: 'cookie' });
}
