/** Rules of links: a person shows that two identities are its own, and owns the jobs of both. */
import { can, describePrincipal, maxIdentities, owns, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import {
  type CodedInputError,
  DomainError,
  type InputError,
  InputErrors,
  isDomainError,
} from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { IssuersRepository } from '../issuers/issuers.repository.js';
import type { OutsideIdentity, OutsideTokens } from '../issuers/outside-tokens.js';
import type { IdentityDocument, PrincipalDocument } from '../principals/principal.document.js';
import type { PrincipalsRepository } from '../principals/principals.repository.js';
import type { PrincipalsService } from '../principals/principals.service.js';
import { sessionEnded, type WebSessions } from '../sessions/web-sessions.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import { openProof, sealProof, type ShownIdentity, shownBy } from './link-proofs.js';
import { type LinksRepository, proofSeconds } from './links.repository.js';

/** Reasons to refuse a link, besides invalid values. */
export type LinkCode =
  | 'TOKEN_NOT_ACCEPTED'
  | 'TOKEN_TOO_OLD'
  | 'TOKEN_USED'
  | 'NOT_A_PERSON'
  | 'SAME_IDENTITY'
  | 'ALREADY_LINKED'
  | 'TOO_MANY_IDENTITIES';

/** The identity that was linked, or the reasons for the refusal. */
export interface Linked {
  readonly identity: PrincipalDocument | null;
  readonly userErrors: readonly InputError<LinkCode>[];
}

/** The identity whose links were removed, or the reason why not. */
export interface Unlinked {
  readonly identity: PrincipalDocument | null;
  readonly userErrors: readonly CodedInputError<'LINK_NOT_FOUND'>[];
}

/** Ports of {@link LinksService}. */
export interface LinksOptions {
  readonly links: LinksRepository;
  readonly principals: Pick<PrincipalsRepository, 'principal' | 'identitiesOf' | 'identitiesOfPeople'>;
  readonly visiblePrincipals: Pick<PrincipalsService, 'principal' | 'identitiesOf'>;
  readonly issuers: Pick<IssuersRepository, 'byIssuer'>;
  readonly outside: Pick<OutsideTokens, 'accept'>;
  readonly sessions: Pick<WebSessions, 'ofPrincipal' | 'find' | 'currentElevation'>;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

const personSubject = /^usr_[0-9A-Z]{26}$/;

const faults = {
  SUSPENDED: ['TOKEN_NOT_ACCEPTED', 'token: its identity or yours is suspended'],
  PROOF_USED: ['TOKEN_USED', 'token: it was used for a link before; log in with the second identity again'],
  PROOF_OUTDATED: [
    'TOKEN_TOO_OLD',
    'token: it is from before the end of a link of its identity or yours; log in with the second identity again',
  ],
  ALREADY_LINKED: [
    'ALREADY_LINKED',
    'token: its identity is linked to identities other than yours; end that link first',
  ],
  TOO_MANY_IDENTITIES: [
    'TOO_MANY_IDENTITIES',
    `You have ${maxIdentities} linked identities; end a link first`,
  ],
} as const;

/** Links, unlinks and lists identities of one person. */
export class LinksService {
  readonly #options: LinksOptions;

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /**
   * Links the identity of a new token of an outside issuer to that of the caller. Each keeps its own roles:
   * the person owns what both own.
   * @param token issued to the second identity within the last 10 minutes, for the session of a browser the
   *   proof of such a token that was made for this session; it can be used once
   * @throws DomainError FORBIDDEN for all but people with a token of a login, or the session of a browser
   */
  async link(token: string, by: Principal): Promise<Linked> {
    const { links, principals, sessions, clock, ids, log } = this.#options;
    const family = by.limited ? (await sessions.ofPrincipal(by))?.family : undefined;
    assertMayLink(by, family !== undefined);
    const errors = new InputErrors<LinkCode>();
    const identity = await this.#proven(token, { by, family }, errors);
    if (!identity) return { identity: null, userErrors: errors.all };
    const { principalId: otherId, tokenDigest } = identity;
    const now = clock.now();
    const proofId = `link ${tokenDigest}`;
    const shownAt = new Date(identity.shownAt);
    const request = { principalId: by.subject, otherId, personId: ids.next('person'), proofId, shownAt };
    const fault = await links.link(request, now);
    if (fault) {
      const [code, message] = faults[fault];
      errors.report(code, ['token'], message);
      return { identity: null, userErrors: errors.all };
    }
    log.warn({ principal: by.subject, linked: otherId }, 'identities linked');
    return { identity: await principals.principal(otherId), userErrors: [] };
  }

  /**
   * The login of a browser's session that may link identities.
   * @throws DomainError UNAUTHENTICATED for a session that has ended, FORBIDDEN for one with elevated roles
   */
  async loginOfSession(sessionId: string): Promise<string> {
    const { sessions, clock } = this.#options;
    const session = await sessions.find(sessionId);
    if (!session) throw sessionEnded();
    if (sessions.currentElevation(session, clock.now()))
      throw new DomainError('FORBIDDEN', 'End the elevation of the session first: it cannot link identities');
    return session.family;
  }

  /**
   * The proof of a second identity for the session with a login; {@link link} takes it from this session
   * only.
   */
  proofFor(family: string, identity: OutsideIdentity, token: string): string {
    const { encryption, clock } = this.#options;
    return sealProof(identity, token, { family, encryption, now: clock.now() });
  }

  /** The identity that a token proves; undefined with an error if it cannot be linked. */
  async #proven(
    token: string,
    { by, family }: { readonly by: Principal; readonly family: string | undefined },
    errors: InputErrors<LinkCode>,
  ): Promise<ShownIdentity | undefined> {
    const refuse = (code: LinkCode, message: string): undefined => {
      errors.report(code, ['token'], message);
    };
    // Anybody could pass a token to the page in an address: a session takes only what was proven to itself.
    const identity = family === undefined ? await this.#ofToken(token) : await this.#ofSession(token, family);
    if (isDomainError(identity)) return refuse('TOKEN_NOT_ACCEPTED', `token: ${identity.message}`);
    if (identity.kind !== 'HUMAN')
      return refuse('NOT_A_PERSON', `token: it belongs to a ${identity.kind}; only people are linked`);
    if (identity.principalId === by.subject)
      return refuse('SAME_IDENTITY', 'token: it is of the identity that you use; log in with another one');
    const age = Math.round(this.#options.clock.now().getTime() / 1000 - identity.issuedAt);
    if (age > proofSeconds) {
      const why = `it was issued ${age} s ago; must be at most ${proofSeconds} s: log in again`;
      return refuse('TOKEN_TOO_OLD', `token: ${why}`);
    }
    return identity;
  }

  async #ofToken(token: string): Promise<ShownIdentity | DomainError> {
    try {
      return shownBy(await this.#options.outside.accept(token), token);
    } catch (error) {
      if (isDomainError(error) && error.http < 500) return error;
      throw error;
    }
  }

  async #ofSession(proof: string, family: string): Promise<ShownIdentity | DomainError> {
    const { principals, issuers, encryption } = this.#options;
    const shown = openProof(proof, { family, encryption });
    if (!shown)
      return new DomainError('UNAUTHENTICATED', 'it is no proof for this session; start the link again');
    // The issuer may have been disabled since, because others can make tokens in its name.
    if (!(await issuers.byIssuer(shown.issuer))?.isEnabled)
      return new DomainError('FORBIDDEN', `the issuer ${shown.issuer} is disabled`);
    const found = await principals.principal(shown.principalId);
    if (found && !found.isSuspended) return shown;
    return new DomainError('FORBIDDEN', `Principal "${shown.principalId}" is suspended`);
  }

  /**
   * Removes an identity of the caller's person from its links, or that of any person for a caller with
   * `membership:set` in all experiments. What the person owns through it ends within two seconds.
   * @throws DomainError FORBIDDEN for a caller with elevated roles and an identity of its own
   */
  async unlink(principalId: string, by: Principal): Promise<Unlinked> {
    const { links, principals, clock, log } = this.#options;
    const found = await principals.principal(principalId);
    const mayUnlink = found && (can(by, 'membership:set', '*') || (await this.#isOwn(found, by)));
    if (mayUnlink && by.elevation && (owns(by, principalId) || (await this.#isOwn(found, by)))) {
      const why = 'the roles of an elevation end with it';
      throw new DomainError('FORBIDDEN', `${describePrincipal(by)} may not change its own links: ${why}`);
    }
    const identity = mayUnlink ? await links.unlink(principalId, clock.now()) : null;
    if (identity) {
      log.warn({ identity: principalId, unlinkedBy: by.subject }, 'identity unlinked');
      return { identity, userErrors: [] };
    }
    const message = `Linked identity "${principalId}" not found, or you may not end its links.`;
    return { identity: null, userErrors: [{ code: 'LINK_NOT_FOUND', path: ['principalId'], message }] };
  }

  async #isOwn({ personId }: PrincipalDocument, by: Principal): Promise<boolean> {
    if (personId === undefined || !isWholePerson(by)) return false;
    return (await this.#options.principals.principal(by.subject))?.personId === personId;
  }

  /** Identities of the caller's person; none without links, or for a caller that is no person. */
  async ofCaller(by: Principal): Promise<readonly PrincipalDocument[]> {
    if (by.kind !== 'HUMAN' || by.attempt) return [];
    return this.#identities(await this.#options.principals.principal(by.subject));
  }

  /** The other identities of a principal's person that the caller may read. */
  async othersOf(principal: PrincipalDocument, by: Principal): Promise<readonly PrincipalDocument[]> {
    const others = (await this.#identities(principal)).filter(({ _id }) => _id !== principal._id);
    const seen = others.map(({ _id }) => this.#options.visiblePrincipals.principal(_id, by));
    return (await Promise.all(seen)).filter((one) => one !== null);
  }

  /** Accounts of an identity at issuers: all of the caller's own, else those at issuers that it sees. */
  async accountsOf(identity: PrincipalDocument, by: Principal): Promise<readonly IdentityDocument[]> {
    const { principals, visiblePrincipals } = this.#options;
    const { _id: id } = identity;
    // A shared read, as of principals by administrators, has no caller.
    const isOwn = !by.shared && (owns(by, id) || (await this.#isOwn(identity, by)));
    return isOwn ? principals.identitiesOf(id) : visiblePrincipals.identitiesOf(id, by);
  }

  async #identities(of: PrincipalDocument | null): Promise<readonly PrincipalDocument[]> {
    return of?.personId === undefined ? [] : this.#options.principals.identitiesOfPeople([of.personId]);
  }
}

/** True for a person with a token of a login, which is not limited to some actions or an attempt. */
function isWholePerson({ kind, attempt, actions }: Principal): boolean {
  return kind === 'HUMAN' && !attempt && !actions;
}

/** A token that was passed on, or that is limited in time or rights, must not have a lasting effect. */
function assertMayLink(by: Principal, isSession: boolean): void {
  const { elevation, limited, subject } = by;
  const isLogin = !limited || isSession;
  if (isWholePerson(by) && !elevation && isLogin && personSubject.test(subject)) return;
  const why = elevation
    ? 'its token has elevated roles'
    : 'only people may, with a token of a login that has all their rights and the usual lifetime';
  throw new DomainError('FORBIDDEN', `${describePrincipal(by)} may not link identities: ${why}`);
}
