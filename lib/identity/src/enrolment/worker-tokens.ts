/** Credentials of workers that are enrolled. */
import { signToken } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import { certificatePrefix } from '../holders.js';
import type { ProvenKey } from '../proof/proof-verifier.js';
import type { RevocationsService } from '../revocations/revocations.service.js';
import type { SigningKeys } from '../tokens/signing-keys.js';
import { tokenIdOf } from '../tokens/token-id.js';
import type { EnrolmentDocument } from './enrolment.document.js';
import { enrolledForMs } from './enrolment-rules.js';
import type { EnrolmentsRepository } from './enrolments.repository.js';

/** Ports of {@link WorkerTokens}. */
export interface WorkerTokensOptions {
  readonly enrolments: Pick<EnrolmentsRepository, 'byId' | 'renew'>;
  readonly keys: SigningKeys;
  readonly revocations: RevocationsService;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** The credential of a worker. */
export interface WorkerToken {
  readonly accessToken: string;
  readonly expiresInSeconds: number;
  readonly workerId: string;
  readonly enrolment: EnrolmentDocument;
}

/** Lifetime of the token of a worker, in seconds. */
const tokenLifetimeSeconds = 900;

/** Issues and renews credentials. */
export class WorkerTokens {
  readonly #options: WorkerTokensOptions;

  constructor(options: WorkerTokensOptions) {
    this.#options = options;
  }

  /**
   * A credential for the worker of an enrolment.
   * @param wantsNew lets the worker that it has end, and makes another one
   * @throws DomainError ENROLMENT_PENDING, FORBIDDEN
   */
  async issue(id: string, key: ProvenKey, wantsNew: boolean): Promise<WorkerToken> {
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

function assertApproved({ _id: id, state }: EnrolmentDocument): void {
  if (state === 'APPROVED') return;
  if (state === 'PENDING')
    throw new DomainError('ENROLMENT_PENDING', `Enrolment "${id}" waits for a decision; ask again`);
  throw new DomainError('FORBIDDEN', `Enrolment "${id}" is ${state}; enrol with another key`);
}
