/** Robots: services and scripts that authenticate with a key pair of their own. */
import { assertCan, can, type Principal, type Role } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type CodedInputError, DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { claimedAssertionKey } from '../claimed-holders.js';
import { checkExperiment } from '../experiment-name.js';
import type { PrincipalDocument, RobotDocument } from '../principals/principal.document.js';
import type { PrincipalsRepository } from '../principals/principals.repository.js';
import type { ProvenKey, UsedProofs } from '../proof/proof-verifier.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { IssuedToken, TokenService } from '../tokens/token.service.js';
import { visibleTo } from '../visible-experiments.js';
import { publicKeyForm, readPublicKey } from './public-key.js';
import { noSuchRobot, robotInAssertion, thumbprintOf, verifyAssertion } from './robot-assertion.js';
import type { RobotKeyDocument } from './robot-key.document.js';
import type { RobotKeysRepository } from './robot-keys.repository.js';
import { checkRolesOfRobot, robotRoles } from './robot-roles.js';

/** A key to register. */
export interface KeyRequest {
  readonly publicKey: string;
  readonly expiresAt: Date;
}

/** A robot to register. */
export interface RobotRequest extends KeyRequest {
  readonly experiment: string;
  readonly name: string;
  readonly roles: readonly Role[];
}

/** Reasons to refuse a robot, besides invalid values. */
export type RobotCode = 'ROBOT_EXISTS' | 'KEY_IN_USE';
/** Reasons to refuse a key, besides invalid values. */
export type RobotKeyCode = 'ROBOT_NOT_FOUND' | 'KEY_IN_USE' | 'TOO_MANY_KEYS';

/** A robot, or the reasons for the refusal. */
export interface RobotChanged<C extends string> {
  readonly robot: RobotDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** A key that was ended, or the reason for the refusal. */
export interface KeyEnded {
  readonly key: RobotKeyDocument | null;
  readonly userErrors: readonly CodedInputError<'ROBOT_KEY_NOT_FOUND'>[];
}

/** A request of a robot for a token. */
export interface RobotTokenRequest {
  readonly assertion: string;
  /** Accepted values of its `aud`. */
  readonly audiences: readonly string[];
  readonly scope: string | null;
  readonly lifetimeSeconds: number | null;
  /** Key to which the token is bound; undefined for a token without a key. */
  readonly key: ProvenKey | undefined;
}

/** Ports of {@link RobotsService}. */
export interface RobotsOptions {
  readonly principals: PrincipalsRepository;
  readonly robotKeys: RobotKeysRepository;
  readonly usedProofs: UsedProofs;
  readonly revocations: RevocationsService;
  readonly tokens: TokenService;
  /** The `iss` of Rhizome's own tokens. */
  readonly issuer: string;
  readonly clock: Clock;
  readonly ids: Ids;
}

const names = /^[a-z][a-z0-9-]{1,62}$/;
const dayMs = 86_400_000;
const maxKeyDays = 400;
/** Keys at once: enough for a rotation on several hosts. */
const maxKeys = 5;

/** Registers robots and their keys, and gives them tokens. */
export class RobotsService {
  readonly #options: RobotsOptions;

  constructor(options: RobotsOptions) {
    this.#options = options;
  }

  /**
   * Registers a robot with its roles in an experiment and its first key.
   * @throws DomainError FORBIDDEN
   */
  async register(request: RobotRequest, by: Principal): Promise<RobotChanged<RobotCode>> {
    const { experiment, name, roles } = request;
    assertCan(by, 'membership:set', experiment);
    assertLasting(by);
    const errors = new InputErrors<RobotCode>();
    checkExperiment(['experiment'], experiment, errors);
    errors.form(['name'], name, names, '2 to 63 lower-case letters, digits and "-", beginning with a letter');
    errors.distinct(['roles'], roles);
    errors.list(['roles'], roles, robotRoles.length, 1);
    checkRolesOfRobot(roles, errors);
    const key = await this.#readKey(request, errors, ['keyExpiresAt']);
    if (!key) return { robot: null, userErrors: errors.all };
    const { principals, clock } = this.#options;
    const robot = await this.#insert(request, by);
    if (!robot) errors.report('ROBOT_EXISTS', ['name'], `Robot "${name}" exists in "${experiment}" already.`);
    else if (await this.#addKey(robot, key, by))
      // The robot stays without a key: a key of its own can be added.
      errors.report('KEY_IN_USE', ['publicKey'], keyInUse);
    if (!robot || !errors.isEmpty) return { robot: null, userErrors: errors.all };
    const rest = { expiresAt: null, reason: null, updatedBy: by.subject };
    await principals.setMembership({ principalId: robot._id, experiment, roles, ...rest }, clock.now());
    return { robot, userErrors: [] };
  }

  /**
   * Adds a key to a robot. A robot whose experiment the caller may not manage is not found.
   * @throws DomainError FORBIDDEN
   */
  async addKey(robotId: string, request: KeyRequest, by: Principal): Promise<RobotChanged<RobotKeyCode>> {
    assertLasting(by);
    const errors = new InputErrors<RobotKeyCode>();
    const key = await this.#readKey(request, errors, ['expiresAt']);
    const robot = await this.#manageable(robotId, by);
    if (!robot) {
      const message = `Robot "${robotId}" not found, or you may not manage it.`;
      errors.report('ROBOT_NOT_FOUND', ['robotId'], message);
    }
    const refusal = robot && key && (await this.#addKey(robot, key, by));
    if (refusal === 'TOO_MANY_KEYS')
      errors.report(refusal, ['robotId'], `The robot has ${maxKeys} keys; end one of them first.`);
    if (refusal === 'KEY_IN_USE') errors.report(refusal, ['publicKey'], keyInUse);
    return { robot: errors.isEmpty ? robot : null, userErrors: errors.all };
  }

  /** Ends a key with all tokens that followed from it. */
  async endKey(id: string, by: Principal): Promise<KeyEnded> {
    const { robotKeys, revocations, clock } = this.#options;
    const found = await robotKeys.key(id);
    const robot = found && (await this.#manageable(found.robotId, by));
    const isOpen = robot !== null && found?.endedAt === null;
    const reason = 'the key of the robot ended';
    // The revocation first: a key that has ended is not found again.
    if (isOpen) await revocations.revoke({ kind: 'FAMILY', value: id, reason }, by.subject);
    const key = isOpen ? await robotKeys.end(id, by.subject, clock.now()) : null;
    if (!key) {
      const message = `Key "${id}" not found or ended, or you may not end it.`;
      return { key: null, userErrors: [{ code: 'ROBOT_KEY_NOT_FOUND', path: ['id'], message }] };
    }
    return { key, userErrors: [] };
  }

  /** Robots of the experiments whose identities the caller may read, the newest first. */
  page(first: number, after: string | null | undefined, by: Principal): Promise<KeysetPage<RobotDocument>> {
    return this.#options.principals.robots(visibleTo(by), first, after);
  }

  /** Keys of a robot, also those that have ended lately; the newest first. */
  keysOf(robotId: string): Promise<readonly RobotKeyDocument[]> {
    return this.#options.robotKeys.keysOf(robotId);
  }

  /** True if there is a robot that the assertion names, with the key that it names; nothing is verified. */
  async isKnown(assertion: string): Promise<boolean> {
    const { principals, robotKeys, clock } = this.#options;
    const id = robotInAssertion(assertion);
    if (id === undefined) return false;
    const key = await claimedAssertionKey(assertion);
    if (key === undefined) return (await principals.principal(id))?.robot !== undefined;
    return (await robotKeys.usable(id, clock.now())).some(({ thumbprint }) => thumbprint === key);
  }

  /**
   * A token for the robot that signed an assertion, with the rights that it has now.
   * @throws DomainError UNAUTHENTICATED, FORBIDDEN, BAD_REQUEST
   */
  async token(request: RobotTokenRequest): Promise<IssuedToken> {
    const { principals, robotKeys, usedProofs: used, tokens, clock } = this.#options;
    const id = robotInAssertion(request.assertion);
    if (id === undefined) throw noSuchRobot();
    const [robot, keys] = await Promise.all([principals.principal(id), robotKeys.usable(id, clock.now())]);
    if (!robot?.robot || robot.isSuspended || keys.length === 0) throw noSuchRobot();
    const { assertion, audiences, scope, lifetimeSeconds, key: boundTo } = request;
    const { _id: family, expiresAt: until } = await verifyAssertion(assertion, {
      keys,
      audiences,
      used,
      clock,
    });
    await boundTo?.use();
    if (!(await robotKeys.recordUse(family, clock.now()))) throw noSuchRobot();
    const keyThumbprint = boundTo?.thumbprint;
    return tokens.issueRobot({ robotId: id, family, until, scope, lifetimeSeconds, keyThumbprint });
  }

  /** The robot if the caller may manage it; otherwise null, as if there were none. */
  async #manageable(id: string, by: Principal): Promise<RobotDocument | null> {
    const found = await this.#options.principals.principal(id);
    return isRobot(found) && can(by, 'membership:set', found.robot.experiment) ? found : null;
  }

  async #readKey(
    { publicKey, expiresAt }: KeyRequest,
    errors: Pick<InputErrors, 'add' | 'isEmpty'>,
    endPath: readonly string[],
  ): Promise<Pick<RobotKeyDocument, 'publicKey' | 'thumbprint' | 'expiresAt'> | undefined> {
    const leftMs = expiresAt.getTime() - this.#options.clock.now().getTime();
    if (!(leftMs > 0 && leftMs <= maxKeyDays * dayMs))
      errors.add(endPath, expiresAt, `in the future, and within ${maxKeyDays} days`);
    const read = readPublicKey(publicKey);
    // The text may be a private key by mistake: it does not belong in an answer.
    if (!read) errors.add(['publicKey'], `${publicKey.length} characters`, publicKeyForm);
    if (!read || !errors.isEmpty) return undefined;
    return { publicKey: read, thumbprint: await thumbprintOf(read), expiresAt };
  }

  async #insert({ experiment, name }: RobotRequest, by: Principal): Promise<RobotDocument | undefined> {
    const { principals, clock, ids, issuer } = this.#options;
    const now = clock.now();
    const robot: RobotDocument = {
      ...{ _id: ids.next('svc'), schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
      ...{ kind: 'SERVICE', displayName: name, isSuspended: false, actsFor: null },
      robot: { experiment, registeredBy: by.subject },
    };
    const account = { issuer, subject: `robot:${experiment}/${name}` };
    if (await principals.insert(robot, account)) return robot;
    // A process may have died between an account and its principal.
    const known = await principals.identity(account);
    if (!known || (await principals.principal(known.principalId))) return undefined;
    const restored = await principals.ensure({ ...robot, _id: known.principalId });
    return isRobot(restored) ? restored : undefined;
  }

  #addKey(
    { _id: robotId }: RobotDocument,
    key: Pick<RobotKeyDocument, 'publicKey' | 'thumbprint' | 'expiresAt'>,
    by: Principal,
  ): ReturnType<RobotKeysRepository['add']> {
    const { robotKeys, clock, ids } = this.#options;
    const now = clock.now();
    const made: RobotKeyDocument = {
      ...{ _id: ids.next('rbk'), schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now },
      ...{ ...key, robotId, endedAt: null, endedBy: null, lastUsedAt: null, createdBy: by.subject },
    };
    return robotKeys.add(made, maxKeys);
  }
}

const keyInUse =
  'publicKey: this key was registered before; make another one for each robot and each rotation';

const isRobot = (found: PrincipalDocument | null): found is RobotDocument => found?.robot !== undefined;

/** @throws DomainError FORBIDDEN: a robot would keep the roles of an elevation */
function assertLasting({ elevation }: Principal): void {
  if (!elevation) return;
  throw new DomainError(
    'FORBIDDEN',
    'Elevated roles do not register robots or keys, which would outlast them',
  );
}
