/**
 * Logins of the dashboard: the gateway is the client of the issuer, and keeps the tokens. The browser has a
 * cookie that no script can read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDomainError } from '@rhizome/errors';
import type { Identity } from '@rhizome/identity';
import { humanHolder } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import { assertOwnPage, cookieOf, csrfHeader, sessionCookie } from '../policy/index.js';
import { Attempts, type AttemptsOptions } from './attempts.js';
import { originsOf } from './origins.js';

/** Options of {@link WebEndpoints}. */
export interface WebEndpointsOptions extends Omit<AttemptsOptions, 'issuer'> {
  readonly identity: Identity;
  readonly log: Logger;
}

interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string;
}

/** Paths of the endpoints. */
export const webPaths = {
  session: '/auth/session',
  login: '/auth/login',
  callback: '/auth/callback',
  logout: '/auth/logout',
} as const;

/** Routes of the endpoints: method and path. */
export const webRoutes = [
  `GET ${webPaths.session}`,
  `GET ${webPaths.login}`,
  `GET ${webPaths.callback}`,
  `POST ${webPaths.logout}`,
] as const;

const loginCookie = '__Host-rhizome-login';
const longestQuery = 8000;

/** Serves the endpoints. */
export class WebEndpoints {
  readonly #options: WebEndpointsOptions;
  readonly #attempts: Attempts;
  readonly #originsOf: ReturnType<typeof originsOf>;
  readonly #endpoints: ReadonlyMap<string, (request: IncomingMessage) => Promise<Page>>;

  constructor(options: WebEndpointsOptions) {
    this.#options = options;
    const { issuer } = options.identity.trusted;
    this.#attempts = new Attempts({ ...options, issuer });
    this.#originsOf = originsOf(issuer);
    this.#endpoints = new Map<(typeof webRoutes)[number], (request: IncomingMessage) => Promise<Page>>([
      [`GET ${webPaths.session}`, (request) => this.#session(request)],
      [`GET ${webPaths.login}`, (request) => this.#login(request)],
      [`GET ${webPaths.callback}`, (request) => this.#callback(request)],
      [`POST ${webPaths.logout}`, (request) => this.#logout(request)],
    ]);
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const endpoint = this.#endpoints.get(`${request.method ?? ''} ${path}`);
    if (!endpoint) return false;
    const page = await endpoint(request).catch((error: unknown) => this.#failed(path, request, error));
    response.writeHead(page.status, {
      'content-length': Buffer.byteLength(page.body),
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      ...page.headers,
    });
    response.end(page.body);
    return true;
  }

  /** Reports to the page whether somebody is logged in, and where one can log in. */
  async #session(request: IncomingMessage): Promise<Page> {
    const { webSessions, webLogin } = this.#options.identity;
    const id = cookieOf(request, sessionCookie);
    const isOwn = request.headers[csrfHeader] !== undefined;
    const token = id === undefined || !isOwn ? undefined : await webSessions.tokenOf(id).catch(unlessEnded);
    const issuers = (await webLogin.issuers()).map(({ name }) => ({ name }));
    return json({ isLoggedIn: token !== undefined, issuers });
  }

  async #login(request: IncomingMessage): Promise<Page> {
    const query = queryOf(request);
    const redirectUri = this.#originOf(request) + webPaths.callback;
    const { address, state } = await this.#options.identity.webLogin.begin(
      query.get('issuer') ?? '',
      query.get('to') ?? '/',
      redirectUri,
    );
    return redirect(address, [cookie(loginCookie, state, { maxAge: 600, sameSite: 'Lax' })]);
  }

  async #callback(request: IncomingMessage): Promise<Page> {
    const { webLogin, webSessions } = this.#options.identity;
    const attempt = { ...this.#attempts.begin(request), action: 'auth.login', client: dashboard };
    const { identity, to } = await webLogin.end(
      cookieOf(request, loginCookie) ?? '',
      queryOf(request).toString(),
    );
    this.#attempts.chargeHolder(identity.principalId);
    const previous = cookieOf(request, sessionCookie);
    if (previous !== undefined) await webSessions.end(previous);
    const id = await webSessions.start(identity);
    this.#attempts.record(attempt, humanHolder(identity.principalId));
    return redirect(to, [
      cookie(sessionCookie, id, { maxAge: 8 * 3600, sameSite: 'Strict' }),
      cookie(loginCookie, '', { maxAge: 0, sameSite: 'Lax' }),
    ]);
  }

  async #logout(request: IncomingMessage): Promise<Page> {
    assertOwnPage(request, this.#originsOf(request));
    const holder = await this.#options.identity.webSessions.end(cookieOf(request, sessionCookie) ?? '');
    const attempt = { ...this.#attempts.begin(request), action: 'auth.logout', client: dashboard };
    if (holder) this.#attempts.record(attempt, holder);
    return { ...json({}), headers: clearing };
  }

  /** The address under which the browser reaches the gateway: that of its cookies. */
  #originOf(request: IncomingMessage): string {
    return this.#originsOf(request).at(-1) ?? '';
  }

  #failed(path: string, request: IncomingMessage, thrown: unknown): Page {
    const attempt = { ...this.#attempts.begin(request), client: dashboard };
    if (path === webPaths.callback) attempt.action = 'auth.login';
    const error = this.#attempts.refused(thrown, attempt);
    if (!isDomainError(error)) this.#options.log.error({ err: error }, 'login endpoint failed');
    const status = isDomainError(error) ? error.http : 500;
    const text = isDomainError(error) ? error.message : 'Internal error';
    const body = `${text}\n\nGo back to the dashboard and try again.\n`;
    return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
  }
}

const dashboard = { name: 'rhizome-dashboard', version: '' };

interface CookieOptions {
  /** Seconds. */
  readonly maxAge: number;
  readonly sameSite: 'Lax' | 'Strict';
}

/** The prefix `__Host-` has the browser accept the cookie from this host over a secure connection alone. */
function cookie(name: string, value: string, { maxAge, sameSite }: CookieOptions): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; Secure; HttpOnly; SameSite=${sameSite}`;
}

const clearing = {
  'content-type': 'application/json; charset=utf-8',
  'set-cookie': [cookie(sessionCookie, '', { maxAge: 0, sameSite: 'Strict' })],
};

function json(body: object): Page {
  return {
    status: 200,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  };
}

function redirect(location: string, cookies: readonly string[]): Page {
  return { status: 303, headers: { location, 'set-cookie': cookies }, body: '' };
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1, at + 1 + longestQuery));
}

function unlessEnded(error: unknown): undefined {
  if (isDomainError(error) && error.http < 500) return undefined;
  throw error;
}
