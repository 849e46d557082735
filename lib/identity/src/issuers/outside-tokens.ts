/** Tokens of outside issuers: whose they are, what they are worth, and why. */
import type { Grant, PrincipalKind } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { LoginGrant } from '../principals/principal.document.js';
import { identityId } from '../principals/principals.repository.js';
import type { PrincipalsService } from '../principals/principals.service.js';
import { type Assessment, assess, constrain, type GrantOutcome, grantsOf } from './assess.js';
import type { Claims } from './claims.js';
import type { IssuerDocument } from './issuer.document.js';
import { type IssuerKeys, peek } from './issuer-keys.js';
import type { IssuersRepository } from './issuers.repository.js';

/** The part of a membership, or of a group, in a decision. */
export interface MembershipOutcome extends GrantOutcome {
  readonly expiresAt: Date | null;
}

/** Rights of a token with the reasons. */
export interface Explanation {
  readonly isAccepted: boolean;
  /** Null if the token is accepted. */
  readonly refusal: string | null;
  /** Name of the issuer's record; null if there is none. */
  readonly issuerName: string | null;
  /** Null unless the signature is valid. */
  readonly assessment: Assessment | null;
  /** Null for an account that has not logged in yet. */
  readonly principalId: string | null;
  readonly memberships: readonly MembershipOutcome[];
  /** The rights as a whole. */
  readonly grants: readonly Grant[];
}

/** An outside token that is accepted. */
export interface OutsideIdentity {
  readonly principalId: string;
  readonly kind: PrincipalKind;
  readonly displayName: string | null;
  readonly grants: readonly Grant[];
  readonly queues: readonly string[];
  readonly issuer: IssuerDocument;
  readonly subject: string;
  readonly claims: Claims;
}

/** Ports of {@link OutsideTokens}. */
export interface OutsideTokensOptions {
  readonly issuers: IssuersRepository;
  readonly keys: IssuerKeys;
  readonly principals: PrincipalsService;
  readonly clock: Clock;
}

interface Assessed {
  readonly issuer: IssuerDocument;
  readonly claims: Claims;
  readonly assessment: Assessment;
}

/** Accepts and explains tokens of outside issuers. */
export class OutsideTokens {
  readonly #options: OutsideTokensOptions;

  constructor(options: OutsideTokensOptions) {
    this.#options = options;
  }

  /**
   * The identity of a token; an account that comes for the first time gets a principal.
   * @throws DomainError UNAUTHENTICATED, TOKEN_EXPIRED, SERVICE_UNAVAILABLE
   */
  async accept(token: string): Promise<OutsideIdentity> {
    const { issuer, claims, assessment } = await this.#assess(token);
    const failed = assessment.checks.find(({ passed }) => !passed);
    if (failed) throw refused(`${failed.name}: ${failed.detail}`);
    return this.#identity(issuer, claims, assessment);
  }

  /**
   * The identity of claims that were accepted earlier, by the rules of now. Times are not checked again.
   * @throws DomainError UNAUTHENTICATED if the issuer accepts them no longer, FORBIDDEN for a suspended
   *   principal
   */
  async acceptAgain(issuerName: string, claims: Claims): Promise<OutsideIdentity> {
    const { issuers, clock } = this.#options;
    const issuer = await issuers.byIssuer(issuerName);
    if (!issuer) throw refused('its issuer is not known here any more');
    const assessment = assess(claims, issuer, clock.now());
    const failed = assessment.checks.find(
      ({ name, passed }) => !passed && name !== 'TIME' && name !== 'LIFETIME',
    );
    if (failed) throw refused(`${failed.name}: ${failed.detail}`);
    return this.#identity(issuer, claims, assessment);
  }

  async #identity(issuer: IssuerDocument, claims: Claims, assessment: Assessment): Promise<OutsideIdentity> {
    const { subject, kind, displayName } = assessment;
    const principal = await this.#options.principals.logIn(
      { issuer: issuer.issuer, subject },
      kind,
      displayName,
    );
    const memberships = await this.#memberships(principal._id, issuer);
    const account = identityId({ issuer: issuer.issuer, subject });
    const login = { account, issuer: issuer.issuer, grants: loginGrants(assessment) };
    await this.#options.principals.recordLogin(principal, login);
    return {
      principalId: principal._id,
      kind,
      displayName: principal.displayName,
      grants: grantsOf([...assessment.rules.flatMap(({ grants }) => grants), ...memberships]),
      queues: assessment.queues,
      issuer,
      subject,
      claims,
    };
  }

  /** Explains a token. One that is not genuine is explained by its refusal alone, without the rules. */
  async explain(token: string): Promise<Explanation> {
    try {
      const { issuer, assessment } = await this.#assess(token);
      const account = { issuer: issuer.issuer, subject: assessment.subject };
      const principalId = await this.#options.principals.principalIdOf(account);
      const memberships = principalId === null ? [] : await this.#memberships(principalId, issuer);
      const failed = assessment.checks.filter(({ passed }) => !passed);
      const granted = [...assessment.rules.flatMap(({ grants }) => grants), ...memberships];
      return {
        isAccepted: assessment.isAccepted,
        refusal:
          failed.length === 0 ? null : failed.map(({ name, detail }) => `${name}: ${detail}`).join('; '),
        issuerName: issuer._id,
        assessment,
        principalId,
        memberships,
        grants: assessment.isAccepted ? grantsOf(granted) : [],
      };
    } catch (error) {
      if (!isDomainError(error)) throw error;
      return { ...unexplained, refusal: error.message };
    }
  }

  async #assess(token: string): Promise<Assessed> {
    const { issuers, keys, clock } = this.#options;
    const { issuer: named } = peek(token);
    const issuer = await issuers.byIssuer(named);
    if (!issuer) throw refused(`its issuer ${JSON.stringify(named.slice(0, 200))} is not known here`);
    const claims = await keys.claims(token, issuer);
    return { issuer, claims, assessment: assess(claims, issuer, clock.now()) };
  }

  async #memberships(principalId: string, issuer: IssuerDocument): Promise<readonly MembershipOutcome[]> {
    const found = await this.#options.principals.rolesOf(principalId);
    return found.flatMap(({ experiment, roles, expiresAt }) =>
      constrain([{ experiment, roles }], issuer).map((outcome) => ({ ...outcome, expiresAt })),
    );
  }
}

/** The roles that each rule gave. */
function loginGrants({ rules }: Assessment): readonly LoginGrant[] {
  return rules.flatMap(({ rule, grants }) =>
    grants.filter(({ isGranted }) => isGranted).map(({ experiment, role }) => ({ rule, experiment, role })),
  );
}

const unexplained: Explanation = {
  isAccepted: false,
  refusal: null,
  issuerName: null,
  assessment: null,
  principalId: null,
  memberships: [],
  grants: [],
};

function refused(why: string): DomainError {
  return new DomainError('UNAUTHENTICATED', `The token is not accepted: ${why}`);
}
