/** Workers that enrol: each has a key of its own, and a credential for one worker. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { ProofKey } from '@rhizome/client';
import { silentLogger } from '@rhizome/log';
import { type Credential, type EnrolledKey, enrolKey, WorkerCredential } from '@rhizome/pilot';
import { type Api, apiOf } from './api.js';

/** Where a worker works. */
export interface WorkerPlace {
  readonly url: string;
  readonly data: string;
  /** Token of an administrator, who invites workers. */
  readonly token: string;
}

/** A worker that enrols. */
export interface EnrolledName {
  readonly name: string;
  readonly queue: string;
  /** Experiments whose jobs it may run; all by default. */
  readonly experiments?: readonly string[];
}

/** Code by which one worker enrols in a queue. */
export async function invitation(
  { url, token }: Pick<WorkerPlace, 'url' | 'token'>,
  queue: string,
  experiments: readonly string[] = ['*'],
): Promise<string> {
  const input = { queue, experiments };
  return (await apiOf(url, token).change<{ code: string }>('inviteWorkers', input, 'code')).code;
}

/** A key that is enrolled. */
export interface Enrolled extends Pick<EnrolledKey, 'credential'> {
  readonly credentialFile: string;
  /** Code of the invitation by which it was enrolled. */
  readonly code: string;
}

/**
 * Enrols a worker of this name.
 * @param credentialFile file for its key; by default one with the files of the system
 */
export async function enrolled(
  place: WorkerPlace,
  { name, queue, experiments }: EnrolledName,
  credentialFile = join(place.data, 'pilots', `${queue}-${name}.json`),
): Promise<Enrolled> {
  const code = await invitation(place, queue, experiments);
  const { credential } = await enrolKey({ url: place.url, queue, host: name, code, credentialFile });
  return { credential, credentialFile, code };
}

/** Headers of a call with a token that is bound to a key, and with a new proof. */
export const proofHeaders = (
  key: ProofKey,
  token: string,
  url: string,
  method = 'POST',
): { readonly authorization: string; readonly dpop: string } => ({
  authorization: `DPoP ${token}`,
  dpop: key.proof({ method, url, token }),
});

/** The credential of a worker that a test speaks for. */
export class SpokenCredential {
  readonly enrolmentId: string;
  readonly key: ProofKey;
  readonly #source: WorkerCredential;

  constructor({ enrolmentId, ...credential }: Credential) {
    if (enrolmentId === null || credential.key === null) throw new Error('no key is enrolled');
    this.enrolmentId = enrolmentId;
    this.key = credential.key;
    this.#source = new WorkerCredential({ ...credential, enrolmentId }, silentLogger());
  }

  /** The present token. @param isExpired true for another one than the last */
  token(isExpired = false): Promise<string> {
    return this.#source.token(isExpired);
  }

  /** Makes another worker, which a registration needs; the one before ends. */
  startWorker(): Promise<void> {
    return this.#source.startWorker(randomUUID());
  }

  /**
   * Calls with the token and a new proof each, at any gateway.
   * @param via address to send to, such as that of a balancer; default: the gateway's
   */
  apiAt(url: string, via = url): Api {
    return apiOf(via, undefined, async () => proofHeaders(this.key, await this.token(), url));
  }
}

/** Enrols a worker that a test speaks for. */
export async function spokenCredential(place: WorkerPlace, worker: EnrolledName): Promise<SpokenCredential> {
  return new SpokenCredential((await enrolled(place, worker)).credential);
}
