/** HTTP endpoints of tokens, next to GraphQL: they work for callers that have no Rhizome token yet. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '@rhizome/identity';
import { claimedByToken } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import { type Answer, failureAnswer, invalid, issuedAnswer, published, send } from './answers.js';
import type { Attempt, Attempts } from './attempts.js';
import { claimOfToken } from './claimed-holder.js';
import { lifetimeOf, readForm } from './form.js';
import {
  authorizationServer,
  grantTypes,
  paths,
  protectedResource,
  resourceOf,
  type tokenRoutes,
  tokenTypes,
} from './metadata.js';
import { robotGrant } from './robot-grant.js';
import { WorkerGrants, type WorkerGrantsOptions } from './worker-grants.js';

/** Options of {@link TokenEndpoints}. */
export interface TokenEndpointsOptions extends WorkerGrantsOptions {
  readonly identity: Identity;
  readonly attempts: Attempts;
  readonly log: Logger;
  /** Further addresses of this gateway that have tokens of their own. */
  readonly resources?: readonly string[];
}

type Endpoint = (request: IncomingMessage, attempt: Attempt) => Promise<Answer> | Answer;
type Grant = (form: URLSearchParams, attempt: Attempt) => Promise<Answer>;

/** Serves the endpoints. */
export class TokenEndpoints {
  readonly #options: TokenEndpointsOptions;
  readonly #attempts: Attempts;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;
  readonly #grants: ReadonlyMap<string, Grant>;

  constructor(options: TokenEndpointsOptions) {
    this.#options = options;
    const { trusted, keys } = options.identity;
    this.#attempts = options.attempts;
    const workers = new WorkerGrants(options);
    this.#grants = new Map<string, Grant>([
      [grantTypes.exchange, (form, attempt) => this.#exchange(form, attempt)],
      [grantTypes.refresh, (form, attempt) => this.#refresh(form, attempt)],
      [grantTypes.robot, (form, attempt) => robotGrant(form, attempt, options)],
      [grantTypes.enrolment, (form, attempt) => workers.enrol(form, attempt)],
      [grantTypes.worker, (form, attempt) => workers.renew(form, attempt)],
      [grantTypes.attempt, (form, attempt) => workers.ofAttempt(form, attempt)],
    ]);
    const resource = this.#document(() => published(protectedResource(trusted.issuer)));
    this.#endpoints = new Map<(typeof tokenRoutes)[number], Endpoint>([
      [`POST ${paths.token}`, (request, attempt) => this.#token(request, attempt)],
      [`POST ${paths.revoke}`, (request, attempt) => this.#revoke(request, attempt)],
      [`POST ${paths.explain}`, (request, attempt) => this.#explain(request, attempt)],
      [`GET ${paths.jwks}`, this.#document(() => published(keys.jwks()))],
      [`GET ${paths.authorizationServer}`, this.#document(() => this.#metadata())],
      [`GET ${paths.protectedResource}`, resource],
      [`GET ${paths.protectedResource}/graphql`, resource],
    ]);
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const endpoint = this.#endpoints.get(`${request.method ?? ''} ${path}`);
    if (!endpoint) return false;
    const answer = await this.#attempts.run(
      request,
      (attempt) => endpoint(request, attempt),
      (error) => failureAnswer(error, this.#options.log),
    );
    send(response, answer);
    return true;
  }

  /** An endpoint with a document for everybody. */
  #document(read: () => Promise<Answer> | Answer): Endpoint {
    return (_request, attempt) => {
      this.#attempts.chargePublic(attempt);
      return read();
    };
  }

  async #token(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    const form = await readForm(request);
    const name = form.get('grant_type') ?? '';
    const grant = this.#grants.get(name);
    this.#attempts.name(attempt, form);
    if (name === grantTypes.refresh || name === grantTypes.robot) this.#refuseTarget(form);
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
    const audience = this.#targetOf(form);
    const lifetimeSeconds = lifetimeOf(form);
    const subjectToken = form.get('subject_token') ?? '';
    await this.#attempts.admit(attempt, {
      ...claimOfToken(subjectToken, this.#options.identity),
      isGuess: true,
    });
    const issued = await this.#options.identity.tokens.exchange({
      subjectToken,
      scope: form.get('scope'),
      agent: form.get('agent'),
      lifetimeSeconds,
      clientId: form.get('client_id'),
      audience,
    });
    this.#attempts.succeeded(attempt, [claimedByToken(issued.refreshToken ?? '')]);
    this.#attempts.record(attempt, issued.holder);
    return issuedAnswer(issued, { issued_token_type: tokenTypes.accessToken });
  }

  /**
   * The other service for which a token is asked; null for the API itself.
   * @throws DomainError BAD_REQUEST for a service that is not known here
   */
  #targetOf(form: URLSearchParams): string | null {
    const { resources = [], identity } = this.#options;
    const { trusted, audience, otherAudiences } = identity;
    const own = { audience: [audience, trusted.issuer], resource: [resourceOf(trusted.issuer)] };
    const known = {
      audience: [...own.audience, ...otherAudiences, ...resources],
      resource: [...own.resource, ...resources],
    };
    for (const field of ['audience', 'resource'] as const) {
      const value = form.get(field);
      if (value !== null && !known[field].includes(value)) throw invalid(field, value, known[field]);
    }
    const resource = form.get('resource');
    if (resource !== null && resources.includes(resource)) return resource;
    const named = form.get('audience');
    return named === null || own.audience.includes(named) ? null : named;
  }

  /**
   * Refreshes and robots get tokens for the API only, which would have more rights than was asked for here.
   * @throws DomainError BAD_REQUEST
   */
  #refuseTarget(form: URLSearchParams): void {
    const target = this.#targetOf(form);
    if (target === null) return;
    const field = form.get('resource') === target ? 'resource' : 'audience';
    throw invalid(field, target, ['absent; a token for another service comes from a token exchange']);
  }

  /** The metadata of the issuer, with the issuers at which callers can log in. */
  async #metadata(): Promise<Answer> {
    const { trusted, issuers } = this.#options.identity;
    return published(authorizationServer(trusted.issuer, await issuers.offers()));
  }

  async #refresh(form: URLSearchParams, attempt: Attempt): Promise<Answer> {
    const { identity } = this.#options;
    const token = form.get('refresh_token') ?? '';
    await this.#attempts.admit(attempt, { ...claimOfToken(token, identity), isGuess: true });
    const issued = await identity.tokens.refresh(token, form.get('scope'));
    this.#attempts.succeeded(attempt);
    return issuedAnswer(issued);
  }

  async #revoke(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    const form = await readForm(request);
    const token = form.get('token') ?? '';
    await this.#attempts.admit(attempt, claimOfToken(token, this.#options.identity));
    const { resources = [], identity } = this.#options;
    const audiences = [...identity.otherAudiences, ...resources];
    const holder = await identity.tokens.revoke(token, audiences);
    if (holder) {
      this.#attempts.succeeded(attempt);
      this.#attempts.record({ ...attempt, action: 'oauth.revoke' }, holder);
    } else this.#attempts.charge(attempt);
    return { status: 200, body: null };
  }

  /** Everybody may ask; questions about tokens that are not accepted are charged. */
  async #explain(request: IncomingMessage, attempt: Attempt): Promise<Answer> {
    const form = await readForm(request);
    const token = form.get('token') ?? '';
    await this.#attempts.admit(attempt, claimOfToken(token, this.#options.identity));
    const explanation = await this.#options.identity.outside.explain(token);
    if (explanation.isAccepted) this.#attempts.succeeded(attempt);
    else this.#attempts.charge(attempt);
    return { status: 200, body: explanation };
  }
}
