/** Enrolment of workers: by an invitation, by an approved request, or by a token of the platform. */
import { randomBytes } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { type Principal, signToken } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { type CodedInputError, DomainError, type InputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import { checkExperiment } from '../experiment-name.js';
import { certificatePrefix } from '../holders.js';
import type { OutsideTokens } from '../issuers/outside-tokens.js';
import type { ProvenKey } from '../proof/proof-verifier.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { KeyEncryption } from '../tokens/key-encryption.js';
import type { SigningKeys } from '../tokens/signing-keys.js';
import { tokenIdOf } from '../tokens/token-id.js';
import type { EnrolmentDocument, InvitationDocument } from './enrolment.document.js';
import type { EnrolmentFilter, EnrolmentsRepository } from './enrolments.repository.js';
import { assertMayEnrolFor, mayEnrolIn, type QueueOwners, queuesToEnrolIn } from './queue-owners.js';

/** Ports of {@link EnrolmentsService}. */
export interface EnrolmentsOptions {
  readonly enrolments: EnrolmentsRepository;
  readonly outside: OutsideTokens;
  readonly keys: SigningKeys;
  readonly revocations: RevocationsService;
  readonly encryption: KeyEncryption;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** An invitation to write. */
export interface InvitationRequest {
  readonly queue: string;
  readonly experiments: readonly string[];
  readonly uses: number;
  readonly ttlSeconds: number;
  readonly netblock: string | null;
}

/** An invitation with its code, which is shown once, or the reasons for the refusal. */
export interface Invited {
  readonly code: string | null;
  readonly invitation: InvitationDocument | null;
  readonly userErrors: readonly InputError<'QUEUE_NOT_FOUND'>[];
}

/** A worker that wants to enrol; its key was proven. */
export interface EnrolmentRequest {
  readonly key: ProvenKey;
  readonly queue: string;
  readonly host: string;
  readonly address: string;
  readonly code: string | null;
  /** Token of the platform on which the worker runs. */
  readonly subjectToken: string | null;
}

/** The credential of a worker. */
export interface WorkerToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly workerId: string;
  readonly enrolment: EnrolmentDocument;
}

/** A decision about a request to enrol. */
export interface DecisionRequest {
  readonly id: string;
  readonly isApproved: boolean;
  /** Experiments whose jobs the worker runs. */
  readonly experiments: readonly string[];
}

/** Reasons to refuse a decision, besides invalid values. */
export type DecisionCode = 'ENROLMENT_NOT_FOUND' | 'ENROLMENT_DECIDED';

/** An enrolment after a decision. `C` are the codes of errors that may occur. */
export interface Decided<C extends string = DecisionCode | 'INVALID_VALUE'> {
  readonly enrolment: EnrolmentDocument | null;
  readonly userErrors: readonly CodedInputError<C>[];
}

/** Lifetime of the token of a worker, in seconds. */
const tokenLifetimeSeconds = 900;
/** Time after which an enrolment ends that was not renewed. */
const enrolledForMs = 30 * 86_400_000;
/** Time for a decision about a request. */
const pendingForMs = 3_600_000;
/** Requests without a decision: of one address, and of all. */
const maxPending = { own: 20, all: 1000 };
const queues = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Enrols workers and renews their credentials. */
export class EnrolmentsService {
  readonly #options: EnrolmentsOptions;

  constructor(options: EnrolmentsOptions) {
    this.#options = options;
  }

  /**
   * Makes a code by which workers of a queue enrol.
   * @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE
   */
  async invite(request: InvitationRequest, principal: Principal, owners: QueueOwners): Promise<Invited> {
    const { queue, experiments, uses, ttlSeconds, netblock } = request;
    assertMayEnrolFor(experiments, principal);
    const errors = new InputErrors<'QUEUE_NOT_FOUND'>();
    errors.form(['queue'], queue, queues, 'the name of a queue');
    checkExperiments(experiments, errors);
    errors.int(['uses'], uses, 1, 10_000);
    errors.int(['ttlSeconds'], ttlSeconds, 60, 7 * 86_400);
    if (netblock !== null && !blockOf(netblock))
      errors.add(['netblock'], netblock, 'an address or a block such as 192.0.2.0/24');
    if (errors.isEmpty && !(await mayEnrolIn(queue, principal, owners)))
      errors.report(
        'QUEUE_NOT_FOUND',
        ['queue'],
        `Queue "${queue}" not found, or you may not enrol its workers.`,
      );
    if (!errors.isEmpty) return { code: null, invitation: null, userErrors: errors.all };
    const { enrolments, encryption, clock, ids } = this.#options;
    const now = clock.now();
    const code = `rhi_${randomBytes(32).toString('base64url')}`;
    const invitation: InvitationDocument = {
      _id: ids.next('inv'),
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      queue,
      experiments,
      codeDigest: encryption.digest(code),
      uses,
      used: 0,
      netblock,
      expiresAt: new Date(now.getTime() + ttlSeconds * 1000),
      createdBy: principal.subject,
    };
    await enrolments.invite(invitation);
    return { code, invitation, userErrors: [] };
  }

  /**
   * Enrols a key in a queue, or answers with the enrolment that it has.
   * @throws DomainError UNAUTHENTICATED, FORBIDDEN, BAD_REQUEST, LIMIT_EXCEEDED
   */
  async enrol(request: EnrolmentRequest): Promise<EnrolmentDocument> {
    const { enrolments } = this.#options;
    const { queue, host } = request;
    const { thumbprint } = request.key;
    if (!queues.test(queue)) throw invalid('queue', queue, 'the name of a queue');
    if (host === '' || host.length > 255 || /\p{Cc}/u.test(host))
      throw invalid('host', host, 'the name of a host');
    const known = await enrolments.byKey(thumbprint, queue);
    if (known) return known;
    const made = await this.#made(request);
    if (await enrolments.insert(made)) return made;
    return (await enrolments.byKey(thumbprint, queue)) ?? made;
  }

  /**
   * A credential for the worker of an enrolment.
   * @param wantsNew lets the worker that it has end, and makes another one
   * @throws DomainError ENROLMENT_PENDING, FORBIDDEN
   */
  async token(id: string, key: ProvenKey, wantsNew: boolean): Promise<WorkerToken> {
    const { enrolments, revocations, clock, ids } = this.#options;
    const found = await enrolments.byId(id);
    if (!found || found.thumbprint !== key.thumbprint)
      throw new DomainError('UNAUTHENTICATED', 'This key has no such enrolment; enrol it first');
    assertApproved(found);
    const now = clock.now();
    if (found.expiresAt <= now)
      throw new DomainError('FORBIDDEN', `Enrolment "${id}" has ended; enrol again`);
    await key.use();
    const isNew = wantsNew || found.workerId === null;
    const workerId = isNew ? ids.next('worker') : (found.workerId ?? '');
    const renewed = await enrolments.renew(found, workerId, new Date(now.getTime() + enrolledForMs), now);
    if (!renewed)
      throw new DomainError('SERVICE_UNAVAILABLE', 'The enrolment changed at the same time; try again');
    if (isNew && found.workerId !== null)
      await revocations.revoke(
        { kind: 'WORKER', value: found.workerId, reason: 'replaced by its pilot' },
        `worker:${workerId}`,
      );
    return this.#sign(renewed, workerId, now);
  }

  /** True if there is an enrolment with this id, whatever its state. */
  async exists(id: string): Promise<boolean> {
    return (await this.#options.enrolments.byId(id)) !== null;
  }

  /** True if an enrolment with this id is of this key, whatever its state. */
  async isOf(id: string, thumbprint: string): Promise<boolean> {
    return (await this.#options.enrolments.byId(id))?.thumbprint === thumbprint;
  }

  /** True if a key has an enrolment in a queue, whatever its state. */
  async isEnrolled(thumbprint: string, queue: string): Promise<boolean> {
    return (await this.#options.enrolments.byKey(thumbprint, queue)) !== null;
  }

  /** True if there is an invitation with this code, whatever its state. */
  async isInvited(code: string): Promise<boolean> {
    const { enrolments, encryption } = this.#options;
    return (await enrolments.invitation(encryption.digest(code))) !== null;
  }

  /**
   * Approves or refuses a request. Only those who may enrol workers for all experiments of its queue decide;
   * for others it does not exist.
   * @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE
   */
  async decide(request: DecisionRequest, by: Principal, owners: QueueOwners): Promise<Decided> {
    const { id, isApproved, experiments } = request;
    assertMayEnrolFor(experiments, by);
    const errors = new InputErrors<DecisionCode>();
    checkExperiments(experiments, errors);
    if (!errors.isEmpty) return { enrolment: null, userErrors: errors.all };
    if (!(await this.#visible(id, by, owners))) return notFound(id);
    const now = this.#options.clock.now();
    const expiresAt = new Date(now.getTime() + (isApproved ? enrolledForMs : pendingForMs));
    const to = isApproved ? 'APPROVED' : 'REFUSED';
    return this.#decide({ id, from: 'PENDING', to, by: by.subject, expiresAt, experiments, now });
  }

  /**
   * Ends an enrolment; its worker's credential is dead at once. The caller needs the same rights as for a
   * decision.
   * @throws DomainError SERVICE_UNAVAILABLE
   */
  async end(id: string, by: Principal, owners: QueueOwners): Promise<Decided<DecisionCode>> {
    const { revocations, clock } = this.#options;
    if (!(await this.#visible(id, by, owners))) return notFound(id);
    const now = clock.now();
    const expiresAt = new Date(now.getTime() + enrolledForMs);
    const decided = await this.#decide({ id, from: 'APPROVED', to: 'ENDED', by: by.subject, expiresAt, now });
    if (!decided.enrolment) return decided;
    await revocations.revoke({ kind: 'FAMILY', value: id, reason: 'enrolment ended' }, by.subject);
    return decided;
  }

  /**
   * A page of the enrolments that the caller may decide about and end, the newest first.
   * @throws DomainError CURSOR_INVALID, SERVICE_UNAVAILABLE
   */
  async page(
    filter: EnrolmentFilter,
    page: { readonly first: number; readonly after: string | null | undefined },
    by: Principal,
    owners: QueueOwners,
  ): Promise<KeysetPage<EnrolmentDocument>> {
    const queues = await queuesToEnrolIn(by, owners);
    return this.#options.enrolments.page(filter, queues, page);
  }

  /** The enrolment if the caller may decide about it; otherwise null, as if there were none. */
  async #visible(id: string, by: Principal, owners: QueueOwners): Promise<EnrolmentDocument | null> {
    const found = await this.#options.enrolments.byId(id);
    return found && (await mayEnrolIn(found.queue, by, owners)) ? found : null;
  }

  async #decide(decision: Parameters<EnrolmentsRepository['decide']>[0]): Promise<Decided<DecisionCode>> {
    const { enrolments } = this.#options;
    const enrolment = await enrolments.decide(decision);
    if (enrolment) return { enrolment, userErrors: [] };
    const { id } = decision;
    const known = await enrolments.byId(id);
    if (!known) return notFound(id);
    const message = `id: enrolment "${id}" is ${known.state}`;
    return { enrolment: null, userErrors: [{ code: 'ENROLMENT_DECIDED', message, path: ['id'] }] };
  }

  async #made(request: EnrolmentRequest): Promise<EnrolmentDocument> {
    const { code, subjectToken, queue, key, host, address } = request;
    const { thumbprint } = key;
    const { clock, ids } = this.#options;
    const now = clock.now();
    const common = {
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      queue,
      thumbprint,
      host,
      address,
    };
    const fresh = { ...common, _id: ids.next('enr'), workerId: null, decidedBy: null };
    const approved = {
      ...fresh,
      state: 'APPROVED',
      expiresAt: new Date(now.getTime() + enrolledForMs),
    } as const;
    if (code !== null) {
      const { _id, experiments, createdBy } = await this.#useInvitation(code, request, now);
      return { ...approved, way: 'INVITATION', evidence: _id, experiments, decidedBy: createdBy };
    }
    if (subjectToken !== null) {
      const { queues: allowed, issuer, subject } = await this.#options.outside.accept(subjectToken);
      if (!allowed.includes(queue))
        throw new DomainError(
          'FORBIDDEN',
          `No rule of issuer "${issuer._id}" lets this token enrol workers of queue "${queue}"`,
        );
      await key.use();
      return {
        ...approved,
        way: 'PLATFORM',
        evidence: `${issuer._id} ${subject}`,
        experiments: issuer.experiments,
      };
    }
    await this.#assertFewPending(address);
    await key.use();
    const expiresAt = new Date(now.getTime() + pendingForMs);
    return { ...fresh, state: 'PENDING', way: 'APPROVAL', evidence: null, experiments: [], expiresAt };
  }

  /** One text for every refusal: a guess learns nothing about codes. */
  async #useInvitation(
    code: string,
    { queue, address, key }: EnrolmentRequest,
    now: Date,
  ): Promise<InvitationDocument> {
    const { enrolments, encryption } = this.#options;
    const found = await enrolments.invitation(encryption.digest(code));
    const isFor =
      found?.queue === queue && (found.netblock === null || blockOf(found.netblock)?.(address) === true);
    if (found && isFor) {
      await key.use();
      if (await enrolments.use(found._id, now)) return found;
    }
    const text = 'The invitation is unknown, used up, has ended, or is for another queue or network';
    throw new DomainError('UNAUTHENTICATED', text);
  }

  async #assertFewPending(address: string): Promise<void> {
    const { own, all } = await this.#options.enrolments.pending(address);
    if (own < maxPending.own && all < maxPending.all) return;
    const text = 'Too many enrolments wait for a decision; try again later, or use an invitation';
    throw new DomainError('LIMIT_EXCEEDED', text, { field: 'enrolments', value: own });
  }

  async #sign(enrolment: EnrolmentDocument, workerId: string, now: Date): Promise<WorkerToken> {
    const { keys, ids } = this.#options;
    const { _id: family, queue, experiments, thumbprint } = enrolment;
    const accessToken = await signToken(
      {
        subject: `worker:${workerId}`,
        kind: 'PILOT',
        tokenKind: 'WORKER',
        grants: experiments.map((experiment) => ({ experiment, roles: ['PILOT'] })),
        queue,
        worker: workerId,
        ...holderOf(thumbprint),
        ttlSeconds: tokenLifetimeSeconds,
        tokenId: tokenIdOf({ issuerName: undefined, family }, ids.next('n').slice(2)),
        issuedAt: now,
      },
      await keys.signer(),
    );
    return { accessToken, expiresInSeconds: tokenLifetimeSeconds, workerId, enrolment };
  }
}

function holderOf(thumbprint: string): { keyThumbprint: string } | { certificateThumbprint: string } {
  return thumbprint.startsWith(certificatePrefix)
    ? { certificateThumbprint: thumbprint.slice(certificatePrefix.length) }
    : { keyThumbprint: thumbprint };
}

function notFound(id: string): Decided<DecisionCode> {
  const message = `Enrolment "${id}" not found, or you may not decide about it.`;
  return { enrolment: null, userErrors: [{ code: 'ENROLMENT_NOT_FOUND', message, path: ['id'] }] };
}

function checkExperiments(experiments: readonly string[], errors: Pick<InputErrors, 'form' | 'list'>): void {
  errors.list(['experiments'], experiments, 200, 1);
  experiments.forEach((name, at) => checkExperiment(['experiments', at], name, errors));
}

function assertApproved({ _id: id, state }: EnrolmentDocument): void {
  if (state === 'APPROVED') return;
  if (state === 'PENDING')
    throw new DomainError('ENROLMENT_PENDING', `Enrolment "${id}" waits for a decision; ask again`);
  throw new DomainError('FORBIDDEN', `Enrolment "${id}" is ${state}; enrol with another key`);
}

/** A test of addresses; undefined for a text that is no block. */
function blockOf(text: string): ((address: string) => boolean) | undefined {
  const [net = '', bits] = text.split('/');
  const version = isIP(net);
  if (version === 0) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const length = bits === undefined ? (version === 4 ? 32 : 128) : Number(bits);
  if (!Number.isInteger(length) || length < 0 || length > (version === 4 ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(net, length, family);
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

function invalid(field: string, value: string, expected: string): DomainError {
  const text = `${field}: ${JSON.stringify(value.slice(0, 100))} is not valid; must be ${expected}`;
  return new DomainError('BAD_REQUEST', text, { field, value: value.slice(0, 100) });
}
