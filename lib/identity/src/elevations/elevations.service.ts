/** Rules of elevations: elevatable roles of a membership, taken for a short time and with a reason. */
import {
  can,
  covers,
  createPrincipal,
  describePrincipal,
  type Grant,
  type PersonRights,
  type Principal,
  type Role,
} from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type CodedInputError, DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { KeysetPage } from '@rhizome/mongo';
import { checkExperiment } from '../experiment-name.js';
import { checkRoles } from '../grantable-roles.js';
import type { People } from '../principals/people.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import { readTokenId } from '../tokens/token-id.js';
import type { WebSessionDocument } from '../sessions/web-session.document.js';
import type { WebSessions } from '../sessions/web-sessions.js';
import type { TokenService } from '../tokens/token.service.js';
import { visibleTo } from '../visible-experiments.js';
import type { ElevationDocument } from './elevation.document.js';
import type { ElevationsRepository } from './elevations.repository.js';

/** Roles that a person wants to take. */
export interface ElevationRequest {
  readonly experiment: string;
  readonly roles: readonly Role[];
  readonly reason: string;
  readonly minutes: number;
}

/** Reasons to refuse an elevation, besides invalid values. */
export type ElevationCode = 'NOT_ELEVATABLE' | 'TOO_MANY_ELEVATIONS';

/** An elevation with its token, or the reasons for the refusal. */
export interface Elevated {
  readonly elevation: ElevationDocument | null;
  /** Null for the session of a browser, whose next tokens have the roles. */
  readonly accessToken: string | null;
  readonly userErrors: readonly InputError<ElevationCode>[];
}

/** An elevation that was ended, or the reason why not. */
export interface ElevationEnded {
  readonly elevation: ElevationDocument | null;
  readonly userErrors: readonly CodedInputError<'ELEVATION_NOT_FOUND'>[];
}

/** Ports of {@link ElevationsService}. */
export interface ElevationsOptions {
  readonly elevations: ElevationsRepository;
  readonly people: Pick<People, 'rightsOf'>;
  readonly tokens: Pick<TokenService, 'issueElevated'>;
  readonly sessions: Pick<WebSessions, 'ofPrincipal' | 'elevate' | 'find'>;
  readonly revocations: Pick<RevocationsService, 'revoke' | 'refresh' | 'isRevoked'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Longest elevation, in minutes. */
const maxMinutes = 60;
/** Shortest reason, in characters. */
const minReason = 10;
/** Elevations of a person that have not ended. */
const maxActive = 5;

/** Starts, ends and lists elevations. */
export class ElevationsService {
  readonly #options: ElevationsOptions;

  constructor(options: ElevationsOptions) {
    this.#options = options;
  }

  /**
   * Takes elevatable roles of a membership of the caller. They are in the returned token only, or in the
   * browser's session that makes the call, so that other programs of the caller, and its agents, do not get
   * them.
   * @throws DomainError FORBIDDEN for all but people with a token of a login that has all their rights, or
   *   with the session of a browser
   */
  async start(request: ElevationRequest, by: Principal): Promise<Elevated> {
    const { experiment, roles, reason } = request;
    const { people, sessions, clock, log } = this.#options;
    // Rights that were read before now may lack a membership that was given just before.
    const rights = await people.rightsOf(by.subject, clock.now());
    const session = by.limited ? await sessions.ofPrincipal(by) : undefined;
    assertMayElevate(by, rights, session !== undefined);
    const errors = await this.#check(request, by, rights);
    if (!errors.isEmpty) return { elevation: null, accessToken: null, userErrors: errors.all };
    const elevation = await this.#insert(this.#made(request, by), by);
    const accessToken = await this.#apply(elevation, by, session);
    log.warn(
      { elevation: elevation._id, principal: by.subject, experiment, roles, reason },
      'roles elevated',
    );
    return { elevation, accessToken, userErrors: [] };
  }

  /** Ends the elevation of a browser's session, and returns it; undefined if the session has none. */
  async endOfSession(sessionId: string): Promise<ElevationDocument | undefined> {
    const session = await this.#options.sessions.find(sessionId);
    if (!session?.elevation) return undefined;
    const { principalId: subject, expiresAt, elevation } = session;
    const person = createPrincipal({ kind: 'HUMAN', subject, grants: [], expiresAt });
    return (await this.end(elevation.id, person)).elevation ?? undefined;
  }

  /** Roles that the person of a browser's session may take now; none for a session that has ended. */
  async elevatableIn(sessionId: string): Promise<readonly Grant[]> {
    const { sessions, people, clock } = this.#options;
    const session = await sessions.find(sessionId);
    return session ? ((await people.rightsOf(session.principalId, clock.now())).ready ?? []) : [];
  }

  /**
   * Ends an elevation of the caller, or one in an experiment whose memberships the caller may set. Its token
   * is refused everywhere within two seconds.
   */
  async end(id: string, by: Principal): Promise<ElevationEnded> {
    const { elevations, revocations, clock, log } = this.#options;
    const found = await elevations.elevation(id);
    const now = clock.now();
    const mayEnd = found && (found.principalId === by.subject || can(by, 'membership:set', found.experiment));
    const isOpen = found?.endedAt === null && found.expiresAt > now && mayEnd;
    // The revocation first: an elevation that has ended is not found again.
    if (isOpen)
      await revocations.revoke({ kind: 'FAMILY', value: id, reason: 'elevation ended' }, by.subject);
    const ended = isOpen ? await elevations.end(id, by.subject, now) : null;
    if (!ended) {
      const message = `Elevation "${id}" not found, or it has ended, or you may not end it.`;
      return { elevation: null, userErrors: [{ code: 'ELEVATION_NOT_FOUND', path: ['id'], message }] };
    }
    log.warn({ elevation: id, endedBy: by.subject }, 'elevation ended');
    return { elevation: ended, userErrors: [] };
  }

  /** Elevations of the caller, and those of experiments whose identities it may read; the newest first. */
  page(
    first: number,
    after: string | null | undefined,
    by: Principal,
  ): Promise<KeysetPage<ElevationDocument>> {
    return this.#options.elevations.page(visibleTo(by), by.subject, first, after);
  }

  async #check(
    { experiment, roles, reason, minutes }: ElevationRequest,
    by: Principal,
    { ready = [] }: PersonRights,
  ): Promise<InputErrors<ElevationCode>> {
    const errors = new InputErrors<ElevationCode>();
    checkExperiment(['experiment'], experiment, errors);
    checkRoles('roles', roles, errors);
    errors.list(['roles'], roles, Infinity, 1);
    errors.text(['reason'], reason, minReason, 1000);
    errors.int(['minutes'], minutes, 1, maxMinutes);
    if (!errors.isEmpty) return errors;
    for (const role of roles)
      if (!covers(ready, [{ experiment, roles: [role] }])) {
        const message = `roles: none of your memberships lets you take ${role} in "${experiment}" (elevatableRoles)`;
        errors.report('NOT_ELEVATABLE', ['roles'], message);
      }
    const { elevations, clock } = this.#options;
    if (errors.isEmpty && (await elevations.activeOf(by.subject, clock.now())) >= maxActive) {
      const message = `You have ${maxActive} elevations already; end one of them first`;
      errors.report('TOO_MANY_ELEVATIONS', ['roles'], message);
    }
    return errors;
  }

  /**
   * Puts an elevation into effect. Returns its token; null if a session has it.
   * @throws DomainError UNAUTHENTICATED for a session that has ended or was elevated at the same time
   */
  async #apply(
    elevation: ElevationDocument,
    by: Principal,
    session: WebSessionDocument | undefined,
  ): Promise<string | null> {
    const { elevations, sessions, tokens, clock } = this.#options;
    const { _id: id, experiment, roles, expiresAt: until } = elevation;
    const reference = { id, experiment, roles, until };
    if (!session) return (await tokens.issueElevated(by, reference)).accessToken;
    if (await sessions.elevate(session, reference)) return null;
    await elevations.end(id, by.subject, clock.now());
    throw new DomainError('UNAUTHENTICATED', 'The session has ended or changed; try again');
  }

  /**
   * Inserts an elevation.
   * @throws DomainError TOKEN_REVOKED if the login of the caller ends at this moment
   */
  async #insert(elevation: ElevationDocument, by: Principal): Promise<ElevationDocument> {
    const { elevations, revocations, clock } = this.#options;
    await elevations.insert(elevation);
    await revocations.refresh();
    if (!revocations.isRevoked(by)) return elevation;
    await elevations.end(elevation._id, by.subject, clock.now());
    throw new DomainError('TOKEN_REVOKED', 'The token was revoked; log in again');
  }

  #made({ experiment, roles, reason, minutes }: ElevationRequest, by: Principal): ElevationDocument {
    const { clock, ids } = this.#options;
    const now = clock.now();
    // Tokens have whole seconds; both end at the same time.
    const start = Math.floor(now.getTime() / 1000) * 1000;
    return {
      _id: ids.next('elv'),
      ...{ schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
      ...{ principalId: by.subject, experiment, roles, reason },
      login: readTokenId(by.tokenId)?.family ?? null,
      expiresAt: new Date(start + minutes * 60_000),
      ...{ endedAt: null, endedBy: null },
    };
  }
}

/**
 * A token with less than its holder has, or of somebody else, must not become one with more. That of a
 * browser's session never leaves the gateway, and has all rights of the person.
 */
function assertMayElevate(by: Principal, { grants = [] }: PersonRights, isSession: boolean): void {
  const { kind, attempt, actions, elevation, limited } = by;
  const isWhole = kind === 'HUMAN' && !attempt && !actions && (!limited || isSession);
  if (isWhole && !elevation && covers(by.grants, grants)) return;
  const why = elevation
    ? 'its token has elevated roles already'
    : isWhole
      ? 'its token has fewer roles than the person; log in again'
      : 'only people may, with a token of a login that has all their rights and the usual lifetime';
  throw new DomainError('FORBIDDEN', `${describePrincipal(by)} may not take further roles: ${why}`);
}
