/** Delivers the secrets of an attempt to the worker that holds it, encrypted with a key of that worker. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import type { InputError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { CompactEncrypt, type CryptoKey } from 'jose';
import type { ConsentsService } from '../../consents/consents.service.js';
import type { StoredJobSecret } from '../../jobs/model/job.types.js';
import type { JobWithSecrets } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { RevealedSecret, SecretsService, UnusableSecret } from '../../secrets/secrets.service.js';
import type { JobHolder } from '../reports/job-holder.js';
import { mayActFor } from '../worker-access.js';
import type { AccessCode } from '../worker-errors.js';
import { keyOfRequest, type RequestedAttempt } from './delivery-request.js';

/** Dependencies of {@link SecretDelivery}. */
export interface SecretDeliveryOptions {
  readonly holder: JobHolder;
  readonly jobs: {
    heldWithSecrets(id: string, workerId: string, fence: number): Promise<JobWithSecrets | null>;
  };
  readonly secrets: Pick<SecretsService, 'reveal'>;
  /** Consents of owners, for jobs that services submitted for them. */
  readonly consents: Pick<ConsentsService, 'secretNames'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Request for the secrets of an attempt. */
export interface DeliverySpec extends RequestedAttempt {
  readonly secretIds: readonly string[];
  /** Signed by the key of the worker's credential. */
  readonly request: string;
}

type Code =
  | AccessCode
  | 'JOB_NOT_FOUND'
  | 'FENCE_STALE'
  | 'CREDENTIAL_REQUIRED'
  | 'SECRET_NOT_FOUND'
  | 'SECRET_EXPIRED';
type Problem = InputError<Code>;

/** Encrypted secrets, or the errors because of which none was delivered. */
export interface DeliveryResult {
  readonly sealed: string | null;
  readonly userErrors: readonly Problem[];
}

/** Delivers secrets. A repeated call of the same holder gets the newest versions again. */
export class SecretDelivery {
  readonly #options: SecretDeliveryOptions;

  constructor(options: SecretDeliveryOptions) {
    this.#options = options;
  }

  /** The attempt if the calling worker holds it and its payload receives a token; otherwise null. */
  async withToken(principal: Principal, attempt: RequestedAttempt): Promise<JobWithSecrets | null> {
    const { workerId, jobId, fence } = attempt;
    if (principal.worker !== workerId || principal.keyThumbprint === undefined) return null;
    const held = await this.#options.holder.attemptOf(principal, attempt, 'secret:redeem');
    if ('code' in held) return null;
    const job = await this.#options.jobs.heldWithSecrets(jobId, workerId, fence);
    return job?.payload.token && mayActFor(principal, 'secret:redeem', job.share) ? job : null;
  }

  /** @throws DomainError FORBIDDEN, SERVICE_UNAVAILABLE */
  async deliver(principal: Principal, spec: DeliverySpec): Promise<DeliveryResult> {
    const { holder, clock, log, secrets } = this.#options;
    const { workerId, jobId, fence } = spec;
    const held = await holder.attemptOf(principal, spec, 'secret:redeem');
    if ('code' in held) return refused(held);
    const { keyThumbprint } = principal;
    if (principal.worker !== workerId || keyThumbprint === undefined) return refused(credentialRequired);
    const key = await keyOfRequest(spec.request, { workerId, jobId, fence }, keyThumbprint, clock.now());
    if (!key) return refused(invalidRequest);
    const job = await this.#options.jobs.heldWithSecrets(jobId, workerId, fence);
    if (!job || !mayActFor(principal, 'secret:redeem', job.share)) return refused(ended(spec));
    const wanted = (job.payload.secrets ?? []).filter(({ id }) => spec.secretIds.includes(id));
    const withheld = await this.#withheld(job, wanted);
    const unknown = spec.secretIds.find((id) => withheld.has(id) || !wanted.some((one) => one.id === id));
    if (unknown !== undefined) return refused(unusable({ id: unknown, problem: 'SECRET_NOT_FOUND' }, spec));
    const ids = [...new Set(wanted.map(({ id }) => id))];
    const revealed = await secrets.reveal(ids, job);
    const problems = revealed.flatMap((one) => ('problem' in one ? [unusable(one, spec)] : []));
    if (problems.length > 0) return { sealed: null, userErrors: problems };
    const sealed = await seal(wanted, revealed as readonly RevealedSecret[], spec, key);
    log.info({ workerId, jobId, fence, secretIds: ids }, 'secrets delivered');
    return { sealed, userErrors: [] };
  }

  /** Ids of secrets of the owner that the submitter of its job may no longer use. */
  async #withheld(
    { owner, submittedBy, experiment }: JobWithSecrets,
    wanted: readonly StoredJobSecret[],
  ): Promise<ReadonlySet<string>> {
    const ofOwner = wanted.filter(({ scope }) => scope === 'USER');
    if (submittedBy === undefined || ofOwner.length === 0) return new Set();
    const allowed = await this.#options.consents.secretNames(experiment, owner);
    return new Set(ofOwner.flatMap(({ id, name }) => (allowed.includes(name) ? [] : [id])));
  }
}

/** A JWE of the values; its header names the attempt. */
function seal(
  wanted: readonly StoredJobSecret[],
  revealed: readonly RevealedSecret[],
  { jobId, fence }: DeliverySpec,
  key: CryptoKey,
): Promise<string> {
  const byId = new Map(revealed.map((one) => [one.id, one]));
  const secrets = wanted.flatMap(({ id, as, target }) => {
    const secret = byId.get(id);
    return secret ? [{ id, version: secret.version, as, target, value: secret.value.toString() }] : [];
  });
  const text = Buffer.from(JSON.stringify({ secrets }));
  return new CompactEncrypt(text)
    .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', typ: 'rhizome-secrets', jobId, fence })
    .encrypt(key);
}

const refused = (problem: Problem): DeliveryResult => ({ sealed: null, userErrors: [problem] });

const credentialRequired: Problem = {
  code: 'CREDENTIAL_REQUIRED',
  path: ['workerId'],
  message: 'Secrets are delivered to a worker with a credential of its own only; enrol the pilot.',
};

const invalidRequest: Problem = {
  code: 'INVALID_VALUE',
  path: ['request'],
  message: 'request: is not valid; must be a new request for this attempt, signed by the key of the worker',
};

function ended({ jobId }: RequestedAttempt): Problem {
  const message = `Job ${JSON.stringify(jobId)} is no longer held by this worker.`;
  return { code: 'FENCE_STALE', path: ['fence'], message };
}

function unusable({ id, problem }: UnusableSecret, { secretIds }: DeliverySpec): Problem {
  const what = problem === 'SECRET_EXPIRED' ? 'has expired' : 'not found';
  const path = ['secretIds', String(secretIds.indexOf(id))];
  return { code: problem, path, message: `Secret ${JSON.stringify(id)} ${what}.` };
}
