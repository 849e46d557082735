/** Refresh tokens: opaque, stored as digests, replaced at each use; a reuse ends the login. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { Claims } from '../issuers/claims.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { KeyEncryption } from './key-encryption.js';
import type { RefreshFamiliesRepository } from './refresh-families.repository.js';
import type { RefreshFamilyDocument } from './refresh-family.document.js';

/** Lifetime of a login, in milliseconds. */
const loginLifetimeMs = 30 * 86_400_000;
const form = /^rhr_(login_[0-9A-Z]{26})_([\w-]{43})$/;
/** Concurrent uses of one token that are waited for. */
const maxTurns = 5;

/** Ports of {@link RefreshTokens}. */
export interface RefreshTokensOptions {
  readonly families: RefreshFamiliesRepository;
  readonly encryption: KeyEncryption;
  readonly revocations: RevocationsService;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** A login that starts. */
export interface Login {
  readonly principalId: string;
  readonly issuer: string;
  readonly claims: Claims;
  readonly scope: string;
  readonly clientId: string;
  readonly lifetimeSeconds: number | null;
}

/** A login with its next refresh token. */
export interface Refreshed {
  readonly family: string;
  readonly token: string;
}

/** The claims and the scope of a login that goes on. */
export interface LoginState extends Login {
  readonly family: string;
}

/** Starts, continues and ends logins. */
export class RefreshTokens {
  readonly #options: RefreshTokensOptions;

  constructor(options: RefreshTokensOptions) {
    this.#options = options;
  }

  /** Starts a login. */
  async start({ principalId, issuer, claims, scope, clientId, lifetimeSeconds }: Login): Promise<Refreshed> {
    const { families, encryption, clock, ids } = this.#options;
    const now = clock.now();
    const family = ids.next('login');
    const secret = newSecret();
    await families.insert({
      _id: family,
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      principalId,
      issuer,
      claims: encryption.seal(JSON.stringify(claims), family),
      scope,
      clientId,
      lifetimeSeconds,
      current: encryption.digest(secret),
      previous: null,
      isGraceUsed: false,
      used: [],
      expiresAt: new Date(now.getTime() + loginLifetimeMs),
    });
    return { family, token: tokenOf(family, secret) };
  }

  /**
   * The login of a token, which stays usable.
   * @throws DomainError UNAUTHENTICATED for a token that is unknown, has ended or was used before
   */
  async read(token: string): Promise<LoginState> {
    const { family } = await this.#find(token);
    const { _id, principalId, issuer, claims, scope, clientId, lifetimeSeconds } = family;
    const opened = JSON.parse(this.#options.encryption.open(claims, _id)) as Claims;
    return { family: _id, principalId, issuer, claims: opened, scope, clientId, lifetimeSeconds };
  }

  /** Replaces a token. @throws DomainError UNAUTHENTICATED as {@link read} */
  async rotate(token: string): Promise<Refreshed> {
    const { families, encryption, clock } = this.#options;
    for (let turn = 0; turn < maxTurns; turn++) {
      const { family, presented, isGrace } = await this.#find(token);
      const secret = newSecret();
      const { _id: id, revision } = family;
      const rotation = {
        id,
        revision,
        next: encryption.digest(secret),
        presented,
        isGrace,
        now: clock.now(),
      };
      if (await families.rotate(rotation)) return { family: id, token: tokenOf(id, secret) };
    }
    throw new DomainError('SERVICE_UNAVAILABLE', 'The refresh token is used by too many requests at once');
  }

  /** True if a token is, or was, one of a login that has not ended. */
  async isKnown(token: string): Promise<boolean> {
    return (await this.#familyOf(token)) !== undefined;
  }

  /**
   * Ends the login of a token with all its access tokens.
   * @returns the principal; undefined for an unknown token
   */
  async end(token: string): Promise<string | undefined> {
    const family = await this.#familyOf(token);
    if (!family) return undefined;
    await this.#end(family._id, 'logout', family.principalId);
    return family.principalId;
  }

  /** Ends all logins of a principal; its access tokens are revoked elsewhere. */
  endAllOf(principalId: string): Promise<void> {
    return this.#options.families.removeOf(principalId);
  }

  /** The login of a token, also of one that was used before. */
  async #familyOf(token: string): Promise<RefreshFamilyDocument | undefined> {
    const { families, encryption } = this.#options;
    const [, id, secret = ''] = form.exec(token) ?? [];
    const family = id === undefined ? null : await families.byId(id);
    if (!family) return undefined;
    const digest = encryption.digest(secret);
    const all = [family.current, family.previous, ...family.used];
    return all.some((one) => one !== null && isSame(one, digest)) ? family : undefined;
  }

  async #find(token: string): Promise<{
    readonly family: RefreshFamilyDocument;
    readonly presented: string;
    readonly isGrace: boolean;
  }> {
    const { families, encryption, clock, log } = this.#options;
    const [, id = '', secret = ''] = form.exec(token) ?? [];
    const family = id === '' ? null : await families.byId(id);
    if (!family || family.expiresAt <= clock.now()) throw unknown();
    const presented = encryption.digest(secret);
    if (isSame(family.current, presented)) return { family, presented, isGrace: false };
    const isPrevious = family.previous !== null && isSame(family.previous, presented);
    if (isPrevious && !family.isGraceUsed) return { family, presented, isGrace: true };
    // A guess is none of the earlier secrets: the id of a login alone is not enough to end it.
    if (isPrevious || family.used.some((one) => isSame(one, presented))) {
      log.warn({ login: id, principalId: family.principalId }, 'refresh token used again; login ended');
      await this.#end(id, 'a refresh token was used again', 'rhizome');
      throw unknown({ reusedBy: family.principalId });
    }
    throw unknown();
  }

  async #end(id: string, reason: string, by: string): Promise<void> {
    const { families, revocations } = this.#options;
    await families.remove(id);
    await revocations.revoke({ kind: 'FAMILY', value: id, reason }, by);
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function tokenOf(family: string, secret: string): string {
  return `rhr_${family}_${secret}`;
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** @param details never leave the gateway */
function unknown(details: Readonly<Record<string, string>> = {}): DomainError {
  return new DomainError(
    'UNAUTHENTICATED',
    'The refresh token is unknown, has ended or was used before; log in again',
    details,
  );
}
