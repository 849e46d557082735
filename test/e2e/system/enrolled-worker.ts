/** A worker that enrols with a key of its own, without a pilot. */
import { createProofKey, type ProofKey } from '@rhizome/client';
import { apiOf, mutationText } from './api.js';

/** An enrolled worker. */
export interface EnrolledWorker {
  readonly key: ProofKey;
  readonly token: string;
  readonly worker: string;
  readonly enrolment: string;
  /** Invitation code with which it enrolled. */
  readonly code: string;
}

/** Options of {@link enrolWorkerAt}. */
export interface EnrolOptions {
  /** Address of the gateway without path. */
  readonly origin: string;
  /** Token of an administrator, who invites the worker. */
  readonly admin: string;
  readonly queue: string;
  readonly experiments: readonly string[];
}

const enrolmentGrant = 'urn:rhizome:params:oauth:grant-type:enrolment';
const workerGrant = 'urn:rhizome:params:oauth:grant-type:worker';

/** Enrols a worker by an invitation. @throws Error if it is refused */
export async function enrolWorkerAt(options: EnrolOptions): Promise<EnrolledWorker> {
  const { origin, admin, queue, experiments } = options;
  const { inviteWorkers } = await apiOf(`${origin}/graphql`, admin).data<{
    inviteWorkers: { code: string | null; userErrors: object[] };
  }>(mutationText('inviteWorkers', 'code userErrors { message }'), { input: { queue, experiments } });
  const { code } = inviteWorkers;
  if (code === null) throw new Error(JSON.stringify(inviteWorkers));
  const key = createProofKey();
  const address = `${origin}/oauth/token`;
  const response = await fetch(address, {
    method: 'POST',
    headers: { dpop: key.proof({ method: 'POST', url: address }), connection: 'close' },
    body: new URLSearchParams({ grant_type: enrolmentGrant, code, queue, host: 'spoken' }),
  });
  const answer = (await response.json()) as Readonly<Record<string, string>>;
  const { access_token: token, worker_id: worker, enrolment_id: enrolment } = answer;
  if (token === undefined || worker === undefined || enrolment === undefined)
    throw new Error(JSON.stringify(answer));
  return { key, token, worker, enrolment, code };
}

/** A new token of an enrolled worker. @throws Error if it is refused */
export async function renewWorkerToken(
  origin: string,
  { key, enrolment }: Pick<EnrolledWorker, 'key' | 'enrolment'>,
): Promise<string> {
  const address = `${origin}/oauth/token`;
  const response = await fetch(address, {
    method: 'POST',
    headers: { dpop: key.proof({ method: 'POST', url: address }), connection: 'close' },
    body: new URLSearchParams({ grant_type: workerGrant, enrolment_id: enrolment }),
  });
  const text = await response.text();
  const { access_token: token } = JSON.parse(text) as { readonly access_token?: string };
  if (token === undefined) throw new Error(text);
  return token;
}
