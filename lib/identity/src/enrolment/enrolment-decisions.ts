/** Decisions about enrolments, and their end. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type CodedInputError, InputErrors } from '@rhizome/errors';
import type { KeysetPage } from '@rhizome/mongo';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { EnrolmentDocument } from './enrolment.document.js';
import { checkExperiments, enrolledForMs, pendingForMs } from './enrolment-rules.js';
import type { Decision, EnrolmentFilter, EnrolmentsRepository } from './enrolments.repository.js';
import { assertMayEnrolFor, mayEnrolIn, type QueueOwners, queuesToEnrolIn } from './queue-owners.js';

/** Ports of {@link EnrolmentDecisions}. */
export interface EnrolmentDecisionsOptions {
  readonly enrolments: Pick<EnrolmentsRepository, 'byId' | 'decide' | 'page'>;
  readonly revocations: RevocationsService;
  readonly clock: Clock;
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

/** Lists, decides and ends enrolments for those who may enrol workers in the queue. */
export class EnrolmentDecisions {
  readonly #options: EnrolmentDecisionsOptions;

  constructor(options: EnrolmentDecisionsOptions) {
    this.#options = options;
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
    const found = await this.#visible(id, by, owners);
    if (!found) return notFound(id);
    // The revocation first: an enrolment that has ended does not end again.
    if (found.state === 'APPROVED')
      await revocations.revoke({ kind: 'FAMILY', value: id, reason: 'enrolment ended' }, by.subject);
    const now = clock.now();
    const expiresAt = new Date(now.getTime() + enrolledForMs);
    return this.#decide({ id, from: 'APPROVED', to: 'ENDED', by: by.subject, expiresAt, now });
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

  async #decide(decision: Decision): Promise<Decided<DecisionCode>> {
    const { enrolments } = this.#options;
    const enrolment = await enrolments.decide(decision);
    if (enrolment) return { enrolment, userErrors: [] };
    const { id } = decision;
    const known = await enrolments.byId(id);
    if (!known) return notFound(id);
    const message = `id: enrolment "${id}" is ${known.state}`;
    return { enrolment: null, userErrors: [{ code: 'ENROLMENT_DECIDED', message, path: ['id'] }] };
  }
}

function notFound(id: string): Decided<DecisionCode> {
  const message = `Enrolment "${id}" not found, or you may not decide about it.`;
  return { enrolment: null, userErrors: [{ code: 'ENROLMENT_NOT_FOUND', message, path: ['id'] }] };
}
