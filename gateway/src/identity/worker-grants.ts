/** Grants of the token endpoint for workers: enrolment, renewal, and tokens for the payloads of attempts. */
import type { IncomingMessage } from 'node:http';
import type { Principal } from '@rhizome/authz';
import { digestOfText } from '@rhizome/digest';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Identity, ProvenKey } from '@rhizome/identity';
import { certificatePrefix } from '@rhizome/identity/holders';
import { LRUCache } from 'lru-cache';
import { actorOf } from '../audit/index.js';
import type { Identity as Callers } from '../policy/index.js';
import { type Answer, issuedAnswer } from './answers.js';
import type { Attempt, Attempts } from './attempts.js';
import { claimedByKey, claimOfToken, claimOfWorker, enrolmentInToken } from './claimed-holder.js';
import type { HeldAttempts } from './held-attempts.js';
import { provenKey } from './proven-key.js';

/** Ports of {@link WorkerGrants}. */
export interface WorkerGrantsOptions {
  readonly identity: Identity;
  readonly attempts: Attempts;
  /** Authenticates the worker that asks for the token of an attempt. */
  readonly callers: Pick<Callers, 'ofRequest'>;
  readonly heldAttempts: HeldAttempts;
  /** Addresses under which this gateway is reached for a request, without path. */
  readonly originsOf: (request: IncomingMessage) => readonly string[];
}

/** Attempts that are remembered for the audit log. */
const recordedKept = 100_000;

/** An answer to a worker. */
interface TokenAnswer {
  readonly answer: Answer;
  /** Undefined while the enrolment waits for a decision. */
  readonly workerId: string | undefined;
}

/** An attempt that received its first tokens. */
interface RecordedAttempt {
  readonly jobId: string;
  readonly fence: number;
  readonly experiment: string;
  /** Names of the storages for which it received tokens. */
  readonly storages: readonly string[];
}

/** Serves the grants. */
export class WorkerGrants {
  readonly #options: WorkerGrantsOptions;
  /** Attempts whose token is in the audit log. */
  readonly #recorded = new LRUCache<string, true>({ max: recordedKept });

  constructor(options: WorkerGrantsOptions) {
    this.#options = options;
  }

  /** Enrols the key that signed the proof; answers with a credential, or that the request waits. */
  async enrol(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const { identity, attempts } = this.#options;
    const [code, subjectToken] = [form.get('code'), form.get('subject_token')];
    const holder = await claimedByKey(attempt.request);
    await attempts.admit(attempt, {
      holder,
      isGuess: code !== null || subjectToken !== null,
      find: () => this.#findEnrolling(form, holder),
    });
    const key = await provenKey(attempt.request, this.#options);
    const queue = form.get('queue') ?? '';
    const host = form.get('host') ?? '';
    const { _id } = await identity.enrolments.enrol({
      key,
      queue,
      host,
      // The network of an IPv6 address stands for it.
      address: attempt.address.replace(/\/64$/, ''),
      code,
      subjectToken,
    });
    const { answer, workerId } = await this.#workerToken(_id, key, true, attempt);
    this.#recordEnrolment(attempt, workerId, [_id, queue, host, key.thumbprint]);
    return answer;
  }

  /** The part of a request that the store has: the enrolled key, the code, or the account of the token. */
  async #findEnrolling(form: URLSearchParams, key: string | undefined): Promise<string | undefined> {
    const { identity } = this.#options;
    const { enrolments, invitations } = identity;
    const [code, subjectToken] = [form.get('code'), form.get('subject_token')];
    if (key !== undefined && (await enrolments.isEnrolled(key, form.get('queue') ?? ''))) return key;
    // Failures count for the code: somebody who has one could make any number of keys.
    if (code !== null) return (await invitations.isKnown(code)) ? `code:${digestOfText(code)}` : undefined;
    return subjectToken === null ? undefined : claimOfToken(subjectToken, identity).find?.();
  }

  #recordEnrolment(attempt: Attempt, worker: string | undefined, targets: readonly string[]): void {
    const { attempts, identity } = this.#options;
    if (worker === undefined)
      return attempts.recordAs(attempt, {
        actor: null,
        codes: ['ENROLMENT_PENDING'],
        isPending: true,
        targets,
      });
    const { issuer } = identity.trusted;
    const facts = { issuer, worker, human: null, tokenId: null, tokenKind: 'WORKER' } as const;
    const actor = { kind: 'PILOT', subject: `worker:${worker}`, ...facts } as const;
    attempts.recordAs(attempt, { actor, codes: [], targets });
  }

  /** Renews the credential of a worker, or makes another worker. */
  async renew(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const { attempts, identity } = this.#options;
    const id = form.get('enrolment_id') ?? '';
    await attempts.admit(attempt, await claimOfWorker(attempt.request, id, identity));
    const key = await provenKey(attempt.request, this.#options);
    const { answer } = await this.#workerToken(id, key, form.get('worker') === 'new', attempt);
    return answer;
  }

  /** A token for the payload of an attempt that the calling worker holds. */
  async ofAttempt(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const { attempts, callers, heldAttempts, identity } = this.#options;
    const { request } = attempt;
    await attempts.admit(attempt, await claimOfWorker(request, enrolmentInToken(request), identity));
    const principal = await callers.ofRequest(attempt.request);
    const { worker } = principal ?? {};
    const holder = principal?.keyThumbprint ?? principal?.certificateThumbprint;
    if (!principal || worker === undefined || holder === undefined)
      throw new DomainError('FORBIDDEN', 'Only a worker with a credential of its own gets such a token');
    const jobId = form.get('job_id') ?? '';
    const fence = Number(form.get('fence'));
    const held = await heldAttempts.find(principal, { workerId: worker, jobId, fence });
    if (!held) {
      const text = `Job ${JSON.stringify(jobId.slice(0, 100))} is not held by this worker, or needs no token`;
      throw new DomainError('FORBIDDEN', text, { field: 'job_id' });
    }
    const found = { ...held, jobId, fence };
    const issued = await identity.tokens.issueAttempt(found);
    const storages = await identity.storageTokens.ofAttempt(found, issued.expiresInSeconds);
    attempts.succeeded(attempt);
    this.#recordFirst(attempt, principal, { ...found, storages: storages.map(({ name }) => name) });
    const tokens = storages.map(({ name, audience, accessToken: token }) => ({ name, audience, token }));
    return issuedAnswer(issued, tokens.length > 0 ? { storage_tokens: tokens } : {});
  }

  /** Records the first token of an attempt: renewals follow every few minutes. */
  #recordFirst(
    attempt: Attempt,
    principal: Principal,
    { jobId, fence, experiment, storages }: RecordedAttempt,
  ): void {
    const key = `${jobId} ${fence}`;
    if (this.#recorded.has(key)) return;
    this.#recorded.set(key, true);
    const targets = [jobId, ...storages];
    this.#options.attempts.recordAs(attempt, { actor: actorOf(principal), codes: [], targets, experiment });
  }

  async #workerToken(id: string, key: ProvenKey, wantsNew: boolean, attempt: Attempt): Promise<TokenAnswer> {
    const { identity, attempts } = this.#options;
    const { thumbprint } = key;
    try {
      const { accessToken, expiresInSeconds, workerId, enrolment } = await identity.workerTokens.issue(
        id,
        key,
        wantsNew,
      );
      attempts.succeeded(attempt);
      const body = {
        access_token: accessToken,
        token_type: thumbprint.startsWith(certificatePrefix) ? 'Bearer' : 'DPoP',
        expires_in: expiresInSeconds,
        enrolment_id: id,
        thumbprint,
        worker_id: workerId,
        queue: enrolment.queue,
      };
      return { answer: { status: 200, body }, workerId };
    } catch (error) {
      if (!isDomainError(error) || error.code !== 'ENROLMENT_PENDING') throw error;
      // Anybody can ask for an enrolment.
      attempts.charge(attempt);
      const { code, message } = error;
      const body = {
        error: 'authorization_pending',
        error_description: message,
        code,
        enrolment_id: id,
        thumbprint,
      };
      return { answer: { status: 400, body }, workerId: undefined };
    }
  }
}
