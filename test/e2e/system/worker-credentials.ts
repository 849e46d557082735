/** Workers that enrol: each has a key of its own, and a credential for one worker. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import { type EnrolledKey, enrolKey, WorkerCredential } from '@rhizome/pilot';
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
}

/** Code by which one worker enrols in a queue. */
export async function invitation({ url, token }: WorkerPlace, queue: string): Promise<string> {
  const { inviteWorkers } = await apiOf(url, token).data<{
    inviteWorkers: { code: string | null; userErrors: readonly object[] };
  }>(
    'mutation ($input: InviteWorkersInput!) { inviteWorkers(input: $input) { code userErrors { message } } }',
    { input: { queue, experiments: ['*'] } },
  );
  if (inviteWorkers.code === null) throw new Error(JSON.stringify(inviteWorkers.userErrors));
  return inviteWorkers.code;
}

/**
 * Enrols a worker of this name.
 * @param credentialFile file for its key; by default one with the files of the system
 */
export async function enrolled(
  place: WorkerPlace,
  { name, queue }: EnrolledName,
  credentialFile = join(place.data, 'pilots', `${queue}-${name}.json`),
): Promise<EnrolledKey & { readonly credentialFile: string }> {
  const code = await invitation(place, queue);
  return {
    ...(await enrolKey({ url: place.url, queue, host: name, code, credentialFile })),
    credentialFile,
  };
}

/** The credential of a worker that a story speaks for. */
export interface SpokenCredential {
  /** Makes another worker, which a registration needs; the one before ends. */
  startWorker(): Promise<void>;
  /** The present token, and the key that proves it. */
  readonly source: Pick<WorkerCredential, 'holder' | 'token'>;
  /**
   * Calls with the token and a new proof each, at any gateway.
   * @param via address to send to, such as that of a balancer; default: the gateway's
   */
  apiAt(url: string, via?: string): Api;
}

/** Enrols a worker that a story speaks for. */
export async function spokenCredential(place: WorkerPlace, worker: EnrolledName): Promise<SpokenCredential> {
  const { credential } = await enrolled(place, worker);
  const source = new WorkerCredential(credential, silentLogger());
  const headersFor = async (url: string): Promise<Record<string, string>> => {
    const token = await source.token(false);
    const proof = credential.key?.proof({ method: 'POST', url, token }) ?? '';
    return { authorization: `DPoP ${token}`, dpop: proof };
  };
  return {
    source,
    startWorker: () => source.startWorker(randomUUID()),
    apiAt: (url, via = url) => apiOf(via, undefined, () => headersFor(url)),
  };
}
