/** The gateway's endpoint of enrolments. */
import { Agent, request } from 'undici';
import type { AttemptToken, StorageToken } from '../secrets/attempt-token.js';
import type { Holder } from './credential-file.js';

/** A credential, as the gateway gave it. */
export interface WorkerToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly workerId: string;
  readonly enrolmentId: string;
}

/** The gateway's answer: a credential, or that the request waits for a decision. */
export type EnrolmentAnswer =
  | { readonly token: WorkerToken; readonly pendingId?: never }
  | { readonly pendingId: string; readonly token?: never };

/** A refusal by the gateway: another attempt fails, too. */
export class EnrolmentRefused extends Error {
  override readonly name = 'EnrolmentRefused';
}

/** The gateway gives no token for an attempt. That says nothing about the enrolment. */
export class AttemptTokenRefused extends Error {
  override readonly name = 'AttemptTokenRefused';
}

const grantType = (name: string): string => `urn:rhizome:params:oauth:grant-type:${name}`;
const timeoutMs = 30_000;

interface TokenAnswer {
  readonly access_token?: string;
  readonly expires_in?: number;
  readonly worker_id?: string;
  readonly enrolment_id?: string;
  readonly storage_tokens?: readonly { readonly name?: unknown; readonly token?: unknown }[];
  readonly error?: string;
  readonly error_description?: string;
}

/** Enrols a key. @throws EnrolmentRefused; Error if the gateway cannot be reached */
export function enrol(
  url: string,
  holder: Holder,
  form: Readonly<Record<string, string>>,
): Promise<EnrolmentAnswer> {
  return send(url, holder, { grant_type: grantType('enrolment'), ...form });
}

/**
 * A credential of an enrolment.
 * @param isNew ends the previous worker, and requests another one
 * @throws EnrolmentRefused; Error if the gateway cannot be reached
 */
export function renew(
  url: string,
  holder: Holder,
  enrolmentId: string,
  isNew: boolean,
): Promise<EnrolmentAnswer> {
  const form = { grant_type: grantType('worker'), enrolment_id: enrolmentId };
  return send(url, holder, isNew ? { ...form, worker: 'new' } : form);
}

/**
 * A token for the payload of an attempt.
 * @param token the credential of the worker that holds it
 * @throws AttemptTokenRefused; Error if the gateway cannot be reached
 */
export async function tokenOfAttempt(
  url: string,
  holder: Holder,
  token: string,
  { jobId, fence }: { readonly jobId: string; readonly fence: number },
): Promise<AttemptToken> {
  const form = { grant_type: grantType('attempt'), job_id: jobId, fence: String(fence) };
  const { address, status, answer } = await asked(url, holder, form, token);
  const { access_token: issued, expires_in: expiresInSeconds } = answer;
  if (status === 200 && issued && expiresInSeconds)
    return { token: issued, expiresInSeconds, storages: storagesOf(answer) };
  throw refusalBy({ address, status, answer }, AttemptTokenRefused);
}

/** Their names become names of files. */
const storageNames = /^[a-z][a-z0-9-]{0,62}$/;

function storagesOf({ storage_tokens: found = [] }: TokenAnswer): readonly StorageToken[] {
  return found.flatMap(({ name, token }) =>
    typeof name === 'string' && storageNames.test(name) && typeof token === 'string' ? [{ name, token }] : [],
  );
}

async function send(
  url: string,
  holder: Holder,
  form: Readonly<Record<string, string>>,
): Promise<EnrolmentAnswer> {
  return answerOf(await asked(url, holder, form));
}

interface Asked {
  readonly address: string;
  readonly status: number;
  readonly answer: TokenAnswer;
}

/** @param token sent with the request, if there is one */
async function asked(
  url: string,
  { key, certificate }: Holder,
  form: Readonly<Record<string, string>>,
  token?: string,
): Promise<Asked> {
  const address = new URL('/oauth/token', url).href;
  const agent = certificate && new Agent({ connect: { ...certificate } });
  try {
    const { status, text } = await posted(address, { key, agent, form, token });
    if (status >= 500 || status === 429 || status === 408)
      throw new Error(`${address} answered with status ${status}`);
    return { address, status, answer: parsed(text) };
  } finally {
    await agent?.close();
  }
}

interface Post {
  readonly key: Holder['key'];
  readonly agent: Agent | null;
  readonly form: Readonly<Record<string, string>>;
  readonly token: string | undefined;
}

async function posted(
  address: string,
  { key, agent, form, token }: Post,
): Promise<{ readonly status: number; readonly text: string }> {
  const scheme = key ? 'DPoP' : 'Bearer';
  const response = await request(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(key && { dpop: key.proof({ method: 'POST', url: address, token }) }),
      ...(token === undefined ? {} : { authorization: `${scheme} ${token}` }),
    },
    ...(agent && { dispatcher: agent }),
    body: new URLSearchParams(form).toString(),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return { status: response.statusCode, text: await response.body.text() };
}

function answerOf(asked: Asked): EnrolmentAnswer {
  const { status, answer } = asked;
  const { access_token: token, expires_in: expiresInSeconds, worker_id: workerId, enrolment_id: id } = answer;
  if (status === 200 && token && expiresInSeconds && workerId && id)
    return { token: { token, expiresInSeconds, workerId, enrolmentId: id } };
  if (answer.error === 'authorization_pending' && id) return { pendingId: id };
  throw refusalBy(asked, EnrolmentRefused);
}

/** Form of the error codes of OAuth; `Not Found` of a proxy is none. */
const oauthError = /^[a-z]+(_[a-z]+)+$/;

/** Only an error of OAuth is a refusal: a proxy in between may answer with any status. */
function refusalBy({ address, status, answer }: Asked, Refused: new (message: string) => Error): Error {
  const { error = '', error_description: description = error } = answer;
  return oauthError.test(error)
    ? new Refused(`${address} refused: ${description}`)
    : new Error(`${address} answered with status ${status}, and not as an issuer of tokens`);
}

function parsed(text: string): TokenAnswer {
  try {
    return (JSON.parse(text) as TokenAnswer | null) ?? {};
  } catch {
    return {};
  }
}
