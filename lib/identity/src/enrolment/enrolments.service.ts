/** Enrolment of workers: by an invitation, by an approved request, or by a token of the platform. */
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { OutsideTokens } from '../issuers/outside-tokens.js';
import type { EnrolmentDocument } from './enrolment.document.js';
import { enrolledForMs, pendingForMs, queueName } from './enrolment-rules.js';
import type { EnrolmentsRepository } from './enrolments.repository.js';
import type { InvitedWorker, Invitations } from './invitations.js';

/** Ports of {@link EnrolmentsService}. */
export interface EnrolmentsOptions {
  readonly enrolments: EnrolmentsRepository;
  readonly invitations: Pick<Invitations, 'use'>;
  readonly outside: OutsideTokens;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** A worker that wants to enrol; its key was proven. */
export interface EnrolmentRequest extends InvitedWorker {
  readonly host: string;
  readonly code: string | null;
  /** Token of the platform on which the worker runs. */
  readonly subjectToken: string | null;
}

/** Requests without a decision: of one address, and of all. */
const maxPending = { own: 20, all: 1000 };

/** Enrols the keys of workers. */
export class EnrolmentsService {
  readonly #options: EnrolmentsOptions;

  constructor(options: EnrolmentsOptions) {
    this.#options = options;
  }

  /**
   * Enrols a key in a queue, or answers with the enrolment that it has.
   * @throws DomainError UNAUTHENTICATED, FORBIDDEN, BAD_REQUEST, LIMIT_EXCEEDED
   */
  async enrol(request: EnrolmentRequest): Promise<EnrolmentDocument> {
    const { enrolments } = this.#options;
    const { queue, host } = request;
    const { thumbprint } = request.key;
    if (!queueName.test(queue)) throw invalid('queue', queue, 'the name of a queue');
    if (host === '' || host.length > 255 || /\p{Cc}/u.test(host))
      throw invalid('host', host, 'the name of a host');
    const known = await enrolments.byKey(thumbprint, queue);
    if (known) return known;
    const made = await this.#made(request);
    if (await enrolments.insert(made)) return made;
    return (await enrolments.byKey(thumbprint, queue)) ?? made;
  }

  /** True if an enrolment with this id is of this key, whatever its state. */
  async isOf(id: string, thumbprint: string): Promise<boolean> {
    return (await this.#options.enrolments.byId(id))?.thumbprint === thumbprint;
  }

  /** True if a key has an enrolment in a queue, whatever its state. */
  async isEnrolled(thumbprint: string, queue: string): Promise<boolean> {
    return (await this.#options.enrolments.byKey(thumbprint, queue)) !== null;
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
      const { _id, experiments, createdBy } = await this.#options.invitations.use(code, request);
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

  async #assertFewPending(address: string): Promise<void> {
    const { own, all } = await this.#options.enrolments.pending(address);
    if (own < maxPending.own && all < maxPending.all) return;
    const text = 'Too many enrolments wait for a decision; try again later, or use an invitation';
    throw new DomainError('LIMIT_EXCEEDED', text, { field: 'enrolments', value: own });
  }
}

function invalid(field: string, value: string, expected: string): DomainError {
  const text = `${field}: ${JSON.stringify(value.slice(0, 100))} is not valid; must be ${expected}`;
  return new DomainError('BAD_REQUEST', text, { field, value: value.slice(0, 100) });
}
