/** Rhizome's own issuer: exchanges outside tokens for tokens of a kind, narrows and revokes its own. */
import {
  assertCan,
  type AttemptReference,
  createVerifier,
  type ElevationReference,
  type Principal,
  signToken,
  type Verifier,
} from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError, isDomainError } from '@rhizome/errors';
import { accountIn } from '../claimed-holders.js';
import { humanHolder, type TokenHolder } from '../holders.js';
import { mergedGrants } from '../issuers/assess.js';
import type { Claims } from '../issuers/claims.js';
import { peek } from '../issuers/issuer-keys.js';
import type { OutsideIdentity, OutsideTokens } from '../issuers/outside-tokens.js';
import type { PrincipalsService } from '../principals/principals.service.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import { clientOf, type ExchangeRequest } from './exchange-request.js';
import type { Login, RefreshTokens } from './refresh-tokens.js';
import { grantsOfRobot } from '../robots/robot-roles.js';
import { narrow, readScope, type RequestedScope, type Rights, scopeText } from './scopes.js';
import type { SigningKeys } from './signing-keys.js';
import { readTokenId, type TokenIdParts, tokenIdOf } from './token-id.js';

/** Ports of {@link TokenService}. */
export interface TokenServiceOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: SigningKeys;
  readonly outside: OutsideTokens;
  readonly principals: PrincipalsService;
  readonly refreshTokens: RefreshTokens;
  readonly revocations: RevocationsService;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Lifetime of the tokens of attempts, in seconds; default 1,200. */
  readonly attemptSeconds?: number | undefined;
}

/** An attempt whose holder is known, with the facts of its job. */
export interface AttemptOfJob extends AttemptReference {
  readonly owner: string;
  readonly experiment: string;
}

/** An access token, and a refresh token if one was asked for. */
export interface IssuedToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly scope: string;
  readonly refreshToken: string | null;
  /** The holder of the token, as its claims name it. */
  readonly holder: TokenHolder;
}

/** A robot that is known by one of its keys. */
export interface RobotLogin {
  readonly robotId: string;
  /** The key; its end is the end of the token. */
  readonly family: string;
  readonly until: Date;
  readonly scope: string | null;
  readonly lifetimeSeconds: number | null;
  readonly keyThumbprint: string | undefined;
}

/** A login that the gateway keeps for a browser. */
export interface KeptLogin {
  readonly family: string;
  /** The `iss` of the token with which it began. */
  readonly issuer: string;
  readonly claims: Claims;
  readonly until: Date;
  /** Roles that its principal took for a short time. */
  readonly elevation?: ElevationReference | undefined;
}

type UserKind = TokenHolder['kind'];

/** Lifetimes of access tokens, in seconds. */
const lifetimes: Readonly<Record<UserKind, number>> = { HUMAN: 1800, SERVICE: 3600, AGENT: 900 };
/** Longest lifetime of a token for another service, which does not see revocations, in seconds. */
const foreignSeconds = 900;
const agentNames = /^[a-z][a-z0-9-]{1,62}$/;

/** Everything that an access token says. */
interface Issue extends Rights {
  readonly kind: UserKind;
  readonly subject: string;
  readonly actsFor?: string | undefined;
  readonly keyThumbprint?: string | undefined;
  readonly id: TokenIdParts;
  readonly clientId: string;
  readonly lifetimeSeconds: number | null;
  /** End of the token or the elevation that it follows from. */
  readonly until?: Date;
  /** True for a token that is passed on or kept, or has less than a login gives: it cannot be elevated. */
  readonly limited?: boolean;
  /** Its token is valid as long as the elevation. */
  readonly elevation?: ElevationReference;
  /** Service for which the token is; default: Rhizome itself. */
  readonly audience?: string | undefined;
}

/** Issues, refreshes and revokes tokens. */
export class TokenService {
  readonly #options: TokenServiceOptions;
  readonly #verifier: Verifier;

  constructor(options: TokenServiceOptions) {
    this.#options = options;
    this.#verifier = this.#verifierFor([], 100);
  }

  /** A verifier of own tokens for the API, and for these other audiences. */
  #verifierFor(audiences: readonly string[], cacheSize: number): Verifier {
    const { issuer, audience, keys, revocations, clock } = this.#options;
    return createVerifier({
      issuers: [{ issuer, jwks: () => keys.jwks() }],
      audience: [audience, ...audiences],
      revocations,
      clock,
      cacheSize,
    });
  }

  /**
   * True if the store has the login of a refresh token, or the principal of the account that another token
   * names. Nothing else of the token is verified.
   */
  async isHolderKnown(token: string): Promise<boolean> {
    const { issuer, principals, refreshTokens } = this.#options;
    if (token.startsWith('rhr_')) return refreshTokens.isKnown(token);
    const account = accountIn(token);
    if (!account) return false;
    if (account.issuer === issuer) return principals.exists(account.subject);
    return (await principals.principalIdOf(account)) !== null;
  }

  /**
   * Exchanges a token of an outside issuer, or one of Rhizome for one with fewer rights.
   * @throws DomainError UNAUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED, FORBIDDEN, BAD_REQUEST
   */
  exchange(request: ExchangeRequest): Promise<IssuedToken> {
    const isOwn = peek(request.subjectToken).issuer === this.#options.issuer;
    return isOwn ? this.#narrowOwn(request) : this.#exchangeOutside(request);
  }

  /**
   * A new access token of a login, with the rights that it has now.
   * @throws DomainError as {@link exchange}
   */
  async refresh(token: string, scope: string | null): Promise<IssuedToken> {
    const { refreshTokens, outside } = this.#options;
    const login = await refreshTokens.read(token);
    const identity = await outside.acceptAgain(login.issuer, login.claims);
    // Rights that were lost in the meantime are left out; more than the login asked for is refused.
    const held = narrow({ grants: identity.grants }, readScope(login.scope), () => undefined);
    const rights = scope === null ? held : narrow(held, readScope(scope));
    const { token: refreshToken } = await refreshTokens.rotate(token);
    const id = { issuerName: identity.issuer._id, family: login.family };
    const issue = {
      ...rights,
      kind: kindOf(identity),
      subject: identity.principalId,
      id,
      clientId: login.clientId,
      lifetimeSeconds: login.lifetimeSeconds,
      limited: isDelegated(login) || isLimited(readScope(login.scope), login) || isLimited(readScope(scope)),
    };
    return this.#issue(issue, refreshToken);
  }

  /**
   * An access token of a login that the gateway keeps, with the rights that its principal has now.
   * @throws DomainError UNAUTHENTICATED, FORBIDDEN
   */
  async ofLogin({ family, issuer, claims, until, elevation }: KeptLogin): Promise<IssuedToken> {
    const identity = await this.#options.outside.acceptAgain(issuer, claims);
    const issuerName = identity.issuer._id;
    const issue = {
      grants: identity.grants,
      kind: kindOf(identity),
      subject: identity.principalId,
      id: { issuerName, family },
      clientId: 'rhizome-dashboard',
      lifetimeSeconds: null,
      limited: true,
      until,
    };
    if (!elevation) return this.#issue(issue, null);
    // The name of the elevation, by which it is revoked, and its end.
    const { id, experiment, roles } = elevation;
    const grants = mergedGrants([...identity.grants, { experiment, roles }]);
    const end = new Date(Math.min(until.getTime(), elevation.until.getTime()));
    return this.#issue({ ...issue, grants, id: { issuerName, family: id }, until: end, elevation }, null);
  }

  /**
   * Revokes a refresh token with its login, or an access token for the API or one of `audiences`. Unknown
   * tokens are ignored (RFC 7009).
   * @returns the holder; undefined for an unknown token
   */
  async revoke(token: string, audiences: readonly string[] = []): Promise<TokenHolder | undefined> {
    const { refreshTokens, revocations } = this.#options;
    if (token.startsWith('rhr_')) {
      const ended = await refreshTokens.end(token);
      return ended === undefined ? undefined : humanHolder(ended);
    }
    // Only here: a token for another audience is never exchanged for one for the API.
    const verifier = audiences.length === 0 ? this.#verifier : this.#verifierFor(audiences, 1);
    const principal = await verifier.verify(token).catch((error: unknown) => {
      if (isDomainError(error) && error.http < 500) return undefined;
      throw error;
    });
    if (principal?.tokenId === undefined) return undefined;
    const { tokenId, subject, kind, actsFor = null } = principal;
    await revocations.revoke({ kind: 'TOKEN', value: tokenId, reason: 'revoked by its holder' }, subject);
    return kind === 'PILOT' ? undefined : { kind, subject, actsFor, tokenId };
  }

  /**
   * Suspends a principal and ends everything it holds; null if there is none.
   * @throws DomainError FORBIDDEN
   */
  async suspend(id: string, isSuspended: boolean, by: Principal) {
    const { principals, refreshTokens, revocations } = this.#options;
    const found = await principals.suspend(id, isSuspended, by);
    if (!found || !isSuspended) return found;
    await refreshTokens.endAllOf(id);
    await revocations.revoke({ kind: 'PRINCIPAL', value: id, reason: 'suspended' }, by.subject);
    return found;
  }

  /**
   * Replaces the signing key. A key that is removed at once takes all tokens of this issuer with it: any of
   * them may be forged. Returns false if there is no such key.
   * @throws DomainError FORBIDDEN
   */
  async rotateKey(removed: string | null, by: Principal): Promise<boolean> {
    assertCan(by, 'token:revoke', '*');
    const { keys, revocations, issuer } = this.#options;
    if (removed === null) {
      await keys.rotate();
      return true;
    }
    if (!(await keys.remove(removed))) return false;
    const reason = `signing key ${removed} was removed`;
    await revocations.revoke({ kind: 'ISSUER', value: issuer, reason }, by.subject);
    return true;
  }

  /**
   * A token for the payload of an attempt: it belongs to the owner of the job and reads that job, while the
   * fence counts. The caller has checked who holds the attempt.
   */
  async issueAttempt({ owner, experiment, ...attempt }: AttemptOfJob): Promise<IssuedToken> {
    const { keys, clock, ids, attemptSeconds: ttlSeconds = 1200 } = this.#options;
    const issue = {
      subject: owner,
      kind: /^(experiment:|svc_)/.test(owner) ? ('SERVICE' as const) : ('HUMAN' as const),
      tokenKind: 'ATTEMPT' as const,
      grants: [{ experiment, roles: ['READER' as const] }],
      actions: ['job:read'],
      attempt,
      ttlSeconds,
      tokenId: tokenIdOf({ issuerName: undefined, family: ids.next('tok') }, ids.next('n').slice(2)),
      issuedAt: clock.now(),
    };
    const accessToken = await signToken(issue, await keys.signer());
    const { grants, actions, kind, subject, tokenId } = issue;
    return {
      accessToken,
      expiresInSeconds: ttlSeconds,
      scope: scopeText({ grants, actions }),
      refreshToken: null,
      holder: { kind, subject, actsFor: null, tokenId },
    };
  }

  /**
   * A token with the rights of the caller and the roles of an elevation, which ends with it. Other tokens of
   * the caller stay as they are.
   */
  async issueElevated(by: Principal, elevation: ElevationReference): Promise<IssuedToken> {
    const { subject, grants, keyThumbprint, tokenId } = by;
    const { id: family, experiment, roles, until } = elevation;
    const id = { issuerName: readTokenId(tokenId)?.issuerName, family };
    const all = mergedGrants([...grants, { experiment, roles }]);
    const holder = { kind: 'HUMAN', subject, keyThumbprint, clientId: 'rhizome' } as const;
    return this.#issue({ ...holder, grants: all, id, lifetimeSeconds: null, until, elevation }, null);
  }

  /** A token for a robot, with the rights that it has now. @throws DomainError BAD_REQUEST, FORBIDDEN */
  async issueRobot({ robotId, family, scope, ...rest }: RobotLogin): Promise<IssuedToken> {
    const grants = grantsOfRobot(await this.#options.principals.rolesOf(robotId));
    const rights = narrow({ grants }, readScope(scope));
    const id = { issuerName: undefined, family };
    return this.#issue(
      { ...rights, ...rest, kind: 'SERVICE', subject: robotId, id, clientId: robotId },
      null,
    );
  }

  async #exchangeOutside(request: ExchangeRequest): Promise<IssuedToken> {
    const { outside, refreshTokens, ids } = this.#options;
    const asked = readScope(request.scope);
    const identity = await outside.accept(request.subjectToken);
    const rights = narrow({ grants: identity.grants }, asked);
    const { principalId, issuer, claims } = identity;
    const issuerName = issuer._id;
    const clientId = clientOf(request);
    if (request.agent !== null) {
      const id = { issuerName, family: ids.next('tok') };
      return this.#issueAgent(request, {
        ...rights,
        kind: kindOf(identity),
        subject: principalId,
        id,
        clientId,
        audience: request.audience ?? undefined,
      });
    }
    const { lifetimeSeconds, audience = null } = request;
    const isLasting = asked.isOffline && identity.kind === 'HUMAN' && audience === null;
    const account = { principalId, issuer: issuer.issuer, claims, scope: request.scope ?? '' };
    const login = { ...account, clientId, lifetimeSeconds };
    const started = isLasting ? await refreshTokens.start(login) : undefined;
    const id = { issuerName, family: started?.family ?? ids.next('tok') };
    const issue = { ...rights, kind: kindOf(identity), subject: principalId, id, clientId, lifetimeSeconds };
    const limited = isDelegated(identity) || audience !== null || isLimited(asked, request);
    return this.#issue({ ...issue, limited, audience: audience ?? undefined }, started?.token ?? null);
  }

  async #narrowOwn(request: ExchangeRequest): Promise<IssuedToken> {
    const principal = await this.#verifier.verify(request.subjectToken);
    const { kind, subject, actsFor, grants, actions, expiresAt, keyThumbprint, tokenId } = principal;
    const rights = narrow({ grants, actions }, readScope(request.scope));
    const id = readTokenId(tokenId);
    if (kind === 'PILOT' || !id) throw new DomainError('FORBIDDEN', 'This token cannot be exchanged');
    if (principal.elevation)
      throw new DomainError('FORBIDDEN', 'A token with elevated roles cannot be exchanged');
    const { lifetimeSeconds } = request;
    const clientId = clientOf(request);
    const audience = request.audience ?? undefined;
    const held = { ...rights, kind, subject, id, clientId, until: expiresAt, keyThumbprint, audience };
    if (request.agent !== null) return this.#issueAgent(request, held);
    return this.#issue({ ...held, actsFor, lifetimeSeconds, limited: true }, null);
  }

  /** A token for software that acts for a person: its rights are the person's, and later at most its own. */
  async #issueAgent(
    { agent, lifetimeSeconds }: ExchangeRequest,
    { kind, subject, ...held }: Omit<Issue, 'lifetimeSeconds'>,
  ): Promise<IssuedToken> {
    if (kind !== 'HUMAN') throw new DomainError('FORBIDDEN', 'agent: only a person may have an agent');
    if (agent === null || !agentNames.test(agent)) {
      const text = `agent: ${JSON.stringify(agent)} is not valid; must be 2 to 63 lower-case letters, digits and "-"`;
      throw new DomainError('BAD_REQUEST', text, { field: 'agent' });
    }
    const account = { issuer: this.#options.issuer, subject: `${subject} ${agent}` };
    const { _id } = await this.#options.principals.logIn(account, 'AGENT', agent, subject);
    return this.#issue({ ...held, kind: 'AGENT', subject: _id, actsFor: subject, lifetimeSeconds }, null);
  }

  async #issue(
    { id, clientId, lifetimeSeconds, until, ...rest }: Issue,
    refreshToken: string | null,
  ): Promise<IssuedToken> {
    const { keys, clock, ids } = this.#options;
    const now = clock.now();
    const left = until ? secondsOf(until) - secondsOf(now) : Infinity;
    const own = rest.elevation ? Infinity : lifetimes[rest.kind];
    const most = rest.audience === undefined ? own : Math.min(own, foreignSeconds);
    const ttlSeconds = Math.max(1, Math.min(most, lifetimeSeconds ?? Infinity, left));
    const tokenId = tokenIdOf(id, ids.next('n').slice(2));
    const claims = { ...rest, clientId, ttlSeconds, tokenId, issuedAt: now };
    const { kind, subject, actsFor = null } = rest;
    const holder = { kind, subject, actsFor, tokenId };
    const accessToken = await signToken(claims, await keys.signer());
    return { accessToken, expiresInSeconds: ttlSeconds, scope: scopeText(rest), refreshToken, holder };
  }
}

/** True if a token gets less than all rights, or less than the usual lifetime. */
function isLimited(
  { rights, actions }: RequestedScope,
  { lifetimeSeconds }: Pick<Login, 'lifetimeSeconds'> = { lifetimeSeconds: null },
): boolean {
  return rights.length + actions.length > 0 || (lifetimeSeconds ?? Infinity) < lifetimes.HUMAN;
}

/** True for claims of a token that its issuer has delegated to software (RFC 8693). */
function isDelegated({ claims }: Pick<OutsideIdentity, 'claims'>): boolean {
  return claims['act'] !== undefined;
}

/** Whole seconds since 1970, as in tokens. */
const secondsOf = (time: Date): number => Math.floor(time.getTime() / 1000);

function kindOf({ kind }: OutsideIdentity): UserKind {
  return kind === 'SERVICE' ? 'SERVICE' : 'HUMAN';
}
