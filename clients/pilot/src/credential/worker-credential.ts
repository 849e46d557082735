/** The credential of this pilot's worker: renewed at half of its life, and replaced for each new worker. */
import type { Logger } from '@rhizome/log';
import type { AttemptToken } from '../secrets/attempt-token.js';
import type { Credential, Holder } from './credential-file.js';
import { EnrolmentRefused, renew, tokenOfAttempt, type WorkerToken } from './enrolment-client.js';

interface Held extends WorkerToken {
  readonly renewAt: number;
  readonly endsAt: number;
}

/** Gives the token of the worker to each request. */
export class WorkerCredential {
  readonly #credential: Credential & { readonly enrolmentId: string };
  readonly #log: Logger;
  #held: Held | undefined;
  #renewing: Promise<Held> | undefined;
  /** Set when the credential cannot be had again. */
  #refusal: EnrolmentRefused | undefined;
  /** Registration for which the worker was made: a repeated registration is for the same worker. */
  #registration: string | undefined;

  constructor(credential: Credential & { readonly enrolmentId: string }, log: Logger) {
    this.#credential = credential;
    this.#log = log;
  }

  /** The key or the certificate to which the token is bound. */
  get holder(): Holder {
    return this.#credential;
  }

  /** Makes another worker for a registration, unless it has one. The worker before ends. */
  async startWorker(registration: string): Promise<void> {
    if (this.#registration === registration) return;
    await this.#renew(true);
    this.#registration = registration;
  }

  /** The token. A renewal that fails is repeated by the next request while the token is valid. */
  async token(expired: boolean): Promise<string> {
    const held = this.#held;
    const now = performance.now();
    if (held && !expired && now < held.renewAt) return held.token;
    try {
      return (await this.#renew(false)).token;
    } catch (error) {
      if (!held || expired || now >= held.endsAt) throw error;
      this.#log.warn({ err: error }, 'credential not renewed; retrying');
      return held.token;
    }
  }

  /**
   * Gets another token after the last one was revoked.
   * @throws EnrolmentRefused if the enrolment has ended, or another pilot uses it
   */
  async afterRevocation(): Promise<void> {
    const before = this.#held?.workerId;
    const { workerId } = await this.#renew(false);
    if (before === undefined || workerId === before) return;
    const text = 'Another pilot has started with the same credential file; enrol each pilot by itself';
    throw (this.#refusal = new EnrolmentRefused(text));
  }

  /**
   * A token for the payload of an attempt of this worker.
   * @throws AttemptTokenRefused, EnrolmentRefused; Error if the gateway cannot be reached
   */
  async attemptToken(job: { readonly jobId: string; readonly fence: number }): Promise<AttemptToken> {
    return tokenOfAttempt(this.#credential.url, this.#credential, await this.token(false), job);
  }

  #renew(isNew: boolean): Promise<Held> {
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (this.#renewing && !isNew) return this.#renewing;
    const renewing = this.#fetch(isNew).finally(() => {
      if (this.#renewing === renewing) this.#renewing = undefined;
    });
    return (this.#renewing = renewing);
  }

  async #fetch(isNew: boolean): Promise<Held> {
    const { url, enrolmentId } = this.#credential;
    const sentAt = performance.now();
    const { token } = await renew(url, this.#credential, enrolmentId, isNew);
    if (!token) throw new Error(`Enrolment ${enrolmentId} waits for a decision`);
    const lifeMs = token.expiresInSeconds * 1000;
    this.#held = { ...token, renewAt: sentAt + lifeMs / 2, endsAt: sentAt + lifeMs };
    this.#log.debug({ workerId: token.workerId, isNew }, 'credential renewed');
    return this.#held;
  }
}
