/** The gateway's endpoint of enrolments. */
import { Agent, request } from 'undici';
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

const grantType = (name: string): string => `urn:rhizome:params:oauth:grant-type:${name}`;
const timeoutMs = 30_000;

interface TokenAnswer {
  readonly access_token?: string;
  readonly expires_in?: number;
  readonly worker_id?: string;
  readonly enrolment_id?: string;
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

async function send(
  url: string,
  holder: Holder,
  form: Readonly<Record<string, string>>,
): Promise<EnrolmentAnswer> {
  const address = new URL('/oauth/token', url).href;
  const { key, certificate } = holder;
  const agent = certificate && new Agent({ connect: { ...certificate } });
  try {
    const { status, text } = await posted(address, { key, agent, form });
    if (status >= 500 || status === 429) throw new Error(`${address} answered with status ${status}`);
    return answerOf(address, status, parsed(text));
  } finally {
    await agent?.close();
  }
}

interface Post {
  readonly key: Holder['key'];
  readonly agent: Agent | null;
  readonly form: Readonly<Record<string, string>>;
}

async function posted(
  address: string,
  { key, agent, form }: Post,
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await request(address, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      ...(key && { dpop: key.proof({ method: 'POST', url: address }) }),
    },
    ...(agent && { dispatcher: agent }),
    body: new URLSearchParams(form).toString(),
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return { status: response.statusCode, text: await response.body.text() };
}

function answerOf(address: string, status: number, answer: TokenAnswer): EnrolmentAnswer {
  const { access_token: token, expires_in: expiresInSeconds, worker_id: workerId, enrolment_id: id } = answer;
  if (status === 200 && token && expiresInSeconds && workerId && id)
    return { token: { token, expiresInSeconds, workerId, enrolmentId: id } };
  if (answer.error === 'authorization_pending' && id) return { pendingId: id };
  const why = answer.error_description ?? `status ${status}, and no answer of an issuer of tokens`;
  throw new EnrolmentRefused(`${address} refused: ${why}`);
}

function parsed(text: string): TokenAnswer {
  try {
    return JSON.parse(text) as TokenAnswer;
  } catch {
    return {};
  }
}
