/** HTTP endpoints of tokens, next to GraphQL: they work for callers that have no Rhizome token yet. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Identity, IssuedToken } from '@rhizome/identity';
import { certificatePrefix } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import { certificateThumbprint, type Identity as Callers } from '../policy/index.js';
import { type Attempt, Attempts, type AttemptsOptions } from './attempts.js';
import type { HeldAttempts } from './held-attempts.js';
import { readForm } from './form.js';
import { originsOf } from './origins.js';
import { sendJson } from './send-json.js';
import {
  authorizationServer,
  grantTypes,
  paths,
  protectedResource,
  resourceOf,
  type tokenRoutes,
  tokenTypes,
} from './metadata.js';

/** Options of {@link TokenEndpoints}. */
export interface TokenEndpointsOptions extends Omit<AttemptsOptions, 'issuer'> {
  readonly identity: Identity;
  /** Authenticates the worker that asks for the token of an attempt. */
  readonly callers: Pick<Callers, 'ofRequest'>;
  readonly heldAttempts: HeldAttempts;
  readonly log: Logger;
}

/** An answer of an endpoint. */
interface Answer {
  readonly status: number;
  readonly body: object | null;
  readonly headers?: Readonly<Record<string, string>>;
}

type Endpoint = (request: IncomingMessage, attempt: Attempt) => Promise<Answer> | Answer;
type Grant = (form: URLSearchParams, attempt: Attempt) => Promise<Answer>;

/** Time for which verifiers may keep the keys and the metadata, in seconds. */
const publicForSeconds = 300;

/** Serves the endpoints. */
export class TokenEndpoints {
  readonly #options: TokenEndpointsOptions;
  readonly #attempts: Attempts;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #grants: ReadonlyMap<string, Grant>;
  readonly #originsOf: ReturnType<typeof originsOf>;

  constructor(options: TokenEndpointsOptions) {
    this.#options = options;
    const { trusted, keys } = options.identity;
    this.#originsOf = originsOf(trusted.issuer);
    this.#attempts = new Attempts({ ...options, issuer: trusted.issuer });
    this.#grants = new Map<string, Grant>([
      [grantTypes.exchange, (form, attempt) => this.#exchange(form, attempt)],
      [grantTypes.refresh, (form) => this.#refresh(form)],
      [grantTypes.enrolment, (form, attempt) => this.#enrol(form, attempt)],
      [grantTypes.worker, (form, attempt) => this.#worker(form, attempt)],
      [grantTypes.attempt, (form, attempt) => this.#tokenOfAttempt(form, attempt)],
    ]);
    this.#endpoints = new Map<(typeof tokenRoutes)[number], Endpoint>([
      [`POST ${paths.token}`, (request, attempt) => this.#token(request, attempt)],
      [`POST ${paths.revoke}`, (request, attempt) => this.#revoke(request, attempt)],
      [`POST ${paths.explain}`, (request, attempt) => this.#explain(request, attempt)],
      [`GET ${paths.jwks}`, () => published(keys.jwks())],
      [`GET ${paths.authorizationServer}`, () => this.#metadata()],
      [`GET ${paths.protectedResource}`, () => published(protectedResource(trusted.issuer))],
      [`GET ${paths.protectedResource}/graphql`, () => published(protectedResource(trusted.issuer))],
    ]);
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const endpoint = this.#endpoints.get(`${request.method ?? ''} ${path}`);
    if (!endpoint) return false;
    const attempt = this.#attempts.begin(request);
    try {
      send(response, await endpoint(request, attempt));
    } catch (error) {
      send(response, this.#failure(this.#attempts.refused(error, attempt)));
    }
    return true;
  }

  async #token(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    const form = await readForm(request);
    const name = form.get('grant_type') ?? '';
    const grant = this.#grants.get(name);
    this.#attempts.name(attempt, form);
    if (grant) return grant(form, attempt);
    const text = `grant_type: ${JSON.stringify(name.slice(0, 100))} is not supported; must be one of ${[...this.#grants.keys()].join(', ')}`;
    return { status: 400, body: { error: 'unsupported_grant_type', error_description: text } };
  }

  async #exchange(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const type = form.get('subject_token_type') ?? '';
    if (!tokenTypes.subject.includes(type)) throw invalid('subject_token_type', type, tokenTypes.subject);
    const requested = form.get('requested_token_type') ?? tokenTypes.accessToken;
    if (requested !== tokenTypes.accessToken && requested !== tokenTypes.jwt)
      throw invalid('requested_token_type', requested, [tokenTypes.accessToken, tokenTypes.jwt]);
    if (form.has('actor_token')) throw invalid('actor_token', '…', ['absent; name the software by "agent"']);
    this.#checkTarget(form);
    const issued = await this.#options.identity.tokens.exchange({
      subjectToken: form.get('subject_token') ?? '',
      scope: form.get('scope'),
      agent: form.get('agent'),
      lifetimeSeconds: secondsOf(form.get('requested_lifetime')),
      clientId: form.get('client_id'),
    });
    this.#attempts.chargeHolder(issued.holder.subject);
    this.#attempts.record(attempt, issued.holder);
    return issuedAnswer(issued, { issued_token_type: tokenTypes.accessToken });
  }

  /** Tokens of this issuer are for the API alone. @throws DomainError BAD_REQUEST for another target */
  #checkTarget(form: URLSearchParams): void {
    const { trusted, audience } = this.#options.identity;
    const own = { audience: [audience, trusted.issuer], resource: [resourceOf(trusted.issuer)] };
    for (const field of ['audience', 'resource'] as const) {
      const value = form.get(field);
      if (value !== null && !own[field].includes(value)) throw invalid(field, value, own[field]);
    }
  }

  /** The metadata of the issuer, with the issuers at which callers can log in. */
  async #metadata(): Promise<Answer> {
    const { trusted, issuers } = this.#options.identity;
    return published(authorizationServer(trusted.issuer, await issuers.offers()));
  }

  async #refresh(form: URLSearchParams): Promise<Answer> {
    const { tokens } = this.#options.identity;
    const issued = await tokens.refresh(form.get('refresh_token') ?? '', form.get('scope'));
    this.#attempts.chargeHolder(issued.holder.subject);
    return issuedAnswer(issued);
  }

  /** Enrols the key that signed the proof; answers with a credential, or that the request waits. */
  async #enrol(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const { identity } = this.#options;
    const thumbprint = await this.#keyOf(attempt.request);
    this.#attempts.chargeHolder(thumbprint);
    const { _id } = await identity.enrolments.enrol({
      thumbprint,
      queue: form.get('queue') ?? '',
      host: form.get('host') ?? '',
      // The network of an IPv6 address stands for it.
      address: attempt.address.replace(/\/64$/, ''),
      code: form.get('code'),
      subjectToken: form.get('subject_token'),
    });
    const answer = await this.#workerToken(_id, thumbprint, true);
    this.#attempts.record(attempt, null);
    return answer;
  }

  async #worker(form: URLSearchParams, { request }: Attempt): Promise<Answer> {
    const thumbprint = await this.#keyOf(request);
    this.#attempts.chargeHolder(thumbprint);
    return this.#workerToken(form.get('enrolment_id') ?? '', thumbprint, form.get('worker') === 'new');
  }

  /** A token for the payload of an attempt that the calling worker holds. */
  async #tokenOfAttempt(form: URLSearchParams, { request }: Attempt): Promise<Answer> {
    const { callers, heldAttempts, identity } = this.#options;
    const principal = await callers.ofRequest(request);
    const { worker, keyThumbprint } = principal ?? {};
    if (!principal || worker === undefined || keyThumbprint === undefined)
      throw new DomainError('FORBIDDEN', 'Only a worker with a credential of its own gets such a token');
    this.#attempts.chargeHolder(keyThumbprint);
    const jobId = form.get('job_id') ?? '';
    const fence = Number(form.get('fence'));
    const held = await heldAttempts.find(principal, { workerId: worker, jobId, fence });
    if (!held) {
      const text = `Job ${JSON.stringify(jobId.slice(0, 100))} is not held by this worker, or needs no token`;
      throw new DomainError('FORBIDDEN', text, { field: 'job_id' });
    }
    return issuedAnswer(await identity.tokens.issueAttempt({ ...held, jobId, fence }));
  }

  async #workerToken(id: string, thumbprint: string, wantsNew: boolean): Promise<Answer> {
    try {
      const { accessToken, expiresInSeconds, workerId, enrolment } =
        await this.#options.identity.enrolments.token(id, thumbprint, wantsNew);
      const body = {
        access_token: accessToken,
        token_type: thumbprint.startsWith(certificatePrefix) ? 'Bearer' : 'DPoP',
        expires_in: expiresInSeconds,
        enrolment_id: id,
        worker_id: workerId,
        queue: enrolment.queue,
      };
      return { status: 200, body };
    } catch (error) {
      if (!isDomainError(error) || error.code !== 'ENROLMENT_PENDING') throw error;
      const { code, message } = error;
      const body = {
        error: 'authorization_pending',
        error_description: message,
        code,
        enrolment_id: id,
        thumbprint,
      };
      return { status: 400, body };
    }
  }

  /** The thumbprint of the key with which the request was signed, or of the client's certificate. */
  async #keyOf(request: IncomingMessage): Promise<string> {
    const { proofs } = this.#options.identity;
    const proof = request.headers['dpop'];
    const certificate = certificateThumbprint(request);
    if (proof === undefined && certificate !== undefined) return certificatePrefix + certificate;
    if (typeof proof !== 'string')
      throw new DomainError(
        'BAD_REQUEST',
        'dpop: a proof of possession is required, or a client certificate where this gateway asks for one',
        { field: 'dpop' },
      );
    const urls = this.#originsOf(request).map((origin) => origin + paths.token);
    return proofs.verify(proof, { method: 'POST', urls });
  }

  async #revoke(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    const form = await readForm(request);
    const holder = await this.#options.identity.tokens.revoke(form.get('token') ?? '');
    if (holder) this.#attempts.record({ ...attempt, action: 'oauth.revoke' }, holder);
    else this.#attempts.chargeAddress(attempt);
    return { status: 200, body: null };
  }

  /** Everybody may ask, so it is charged to the address. */
  async #explain(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    this.#attempts.chargeAddress(attempt);
    const form = await readForm(request);
    return { status: 200, body: await this.#options.identity.outside.explain(form.get('token') ?? '') };
  }

  /** An error in the form of RFC 6749, section 5.2. */
  #failure(error: unknown): Answer {
    if (!isDomainError(error)) {
      this.#options.log.error({ err: error }, 'token endpoint failed');
      return { status: 500, body: { error: 'server_error', error_description: 'Internal error' } };
    }
    const { http, message, code, details } = error;
    const status = http === 401 || http === 403 ? 400 : http;
    const { retryAfterSeconds } = details as { readonly retryAfterSeconds?: number };
    const headers: Record<string, string> = {};
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds);
    const body = { error: nameOf(code, http, details.field), error_description: message, code };
    return { status, body, headers };
  }
}

/** Codes of requests that could not be read. */
const requestCodes: ReadonlySet<string> = new Set(['BAD_REQUEST', 'REQUEST_TOO_LARGE', 'REQUEST_TIMEOUT']);

function nameOf(code: string, http: number, field: unknown): string {
  if (http >= 500 || http === 429) return 'temporarily_unavailable';
  if (field === 'audience' || field === 'resource') return 'invalid_target';
  if (field === 'scope' || code === 'FORBIDDEN') return 'invalid_scope';
  return requestCodes.has(code) ? 'invalid_request' : 'invalid_grant';
}

function issuedAnswer(issued: IssuedToken, more: object = {}): Answer {
  const { accessToken, expiresInSeconds, scope, refreshToken } = issued;
  const body = {
    access_token: accessToken,
    token_type: 'Bearer',
    expires_in: expiresInSeconds,
    scope,
    ...more,
    ...(refreshToken !== null && { refresh_token: refreshToken }),
  };
  return { status: 200, body, headers: { pragma: 'no-cache' } };
}

function published(body: object): Answer {
  return { status: 200, body, headers: { 'cache-control': `public, max-age=${publicForSeconds}` } };
}

function secondsOf(text: string | null): number | null {
  if (text === null) return null;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1) return seconds;
  throw invalid('requested_lifetime', text, ['a number of seconds, at least 1']);
}

function invalid(field: string, value: string, expected: readonly string[]): DomainError {
  const text = `${field}: ${JSON.stringify(value.slice(0, 200))} is not valid; must be ${expected.join(' or ')}`;
  return new DomainError('BAD_REQUEST', text, { field, value: value.slice(0, 200) });
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  sendJson(response, status, body === null ? '' : JSON.stringify(body), headers);
}
