/**
 * Logins of the dashboard: the gateway is the client of the issuer, and keeps the tokens. The browser has a
 * cookie that no script can read.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Identity, LoginPurpose } from '@rhizome/identity';
import { claimedBySession, humanHolder } from '@rhizome/identity/holders';
import type { Logger } from '@rhizome/log';
import {
  assertNotOfOtherSite,
  assertOwnPage,
  cookieOf,
  csrfHeader,
  namedHolder,
  sessionCookie,
} from '../policy/index.js';
import { retryHeaders } from './answers.js';
import type { Attempt, Attempts, Claim } from './attempts.js';

/** Options of {@link WebEndpoints}. */
export interface WebEndpointsOptions {
  readonly identity: Identity;
  readonly attempts: Attempts;
  /** Addresses under which this gateway is reached for a request, without path. */
  readonly originsOf: (request: IncomingMessage) => readonly string[];
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
  elevation: '/auth/elevation',
  endElevation: '/auth/elevation/end',
  link: '/auth/link',
} as const;

/** Routes of the endpoints: method and path. */
export const webRoutes = [
  `GET ${webPaths.session}`,
  `GET ${webPaths.login}`,
  `GET ${webPaths.callback}`,
  `POST ${webPaths.logout}`,
  `GET ${webPaths.elevation}`,
  `POST ${webPaths.endElevation}`,
  `POST ${webPaths.link}`,
] as const;

const loginCookie = '__Host-rhizome-login';
const longestQuery = 8000;
/** Page of the dashboard that shows and links identities. */
const linkPage = '/identities';

/** Serves the endpoints. */
export class WebEndpoints {
  readonly #options: WebEndpointsOptions;
  readonly #attempts: Attempts;
  readonly #originsOf: WebEndpointsOptions['originsOf'];
  readonly #endpoints: ReadonlyMap<string, (attempt: Attempt) => Promise<Page>>;

  constructor(options: WebEndpointsOptions) {
    this.#options = options;
    this.#attempts = options.attempts;
    this.#originsOf = options.originsOf;
    this.#endpoints = new Map<(typeof webRoutes)[number], (attempt: Attempt) => Promise<Page>>([
      [`GET ${webPaths.session}`, (attempt) => this.#session(attempt)],
      [`GET ${webPaths.login}`, (attempt) => this.#login(attempt)],
      [`GET ${webPaths.callback}`, (attempt) => this.#callback(attempt)],
      [`POST ${webPaths.logout}`, (attempt) => this.#logout(attempt)],
      [`GET ${webPaths.elevation}`, (attempt) => this.#elevation(attempt)],
      [`POST ${webPaths.endElevation}`, (attempt) => this.#endElevation(attempt)],
      [`POST ${webPaths.link}`, (attempt) => this.#link(attempt)],
    ]);
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const endpoint = this.#endpoints.get(`${request.method ?? ''} ${path}`);
    if (!endpoint) return false;
    const page = await this.#attempts.run(
      request,
      (attempt) => {
        attempt.client = dashboard;
        return endpoint(attempt);
      },
      (error) => this.#failed(error),
    );
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
  async #session(attempt: Attempt): Promise<Page> {
    const { request } = attempt;
    const { webLogin } = this.#options.identity;
    const id = cookieOf(request, sessionCookie);
    const isOwn = request.headers[csrfHeader] !== undefined;
    let isLoggedIn = false;
    if (id !== undefined && isOwn) isLoggedIn = await this.#isCurrent(id, attempt);
    else this.#attempts.chargePublic(attempt);
    const issuers = (await webLogin.issuers()).map(({ name }) => ({ name }));
    return json({ isLoggedIn, issuers });
  }

  async #isCurrent(id: string, attempt: Attempt): Promise<boolean> {
    await this.#attempts.admit(attempt, this.#claimOf(id));
    const token = await this.#options.identity.webSessions.tokenOf(id).catch(unlessEnded);
    if (token === undefined) this.#attempts.charge(attempt);
    else this.#attempts.succeeded(attempt);
    return token !== undefined;
  }

  /** Everybody may begin a login, so it is charged to the address; pages of other sites may not. */
  async #login(attempt: Attempt): Promise<Page> {
    assertNotOfOtherSite(attempt.request);
    const spent = this.#attempts.charge(attempt);
    if (spent) throw spent;
    const { request } = attempt;
    const to = queryOf(request).get('to') ?? '/';
    const { webSessions } = this.#options.identity;
    const previous = webSessions.idOf(cookieOf(request, sessionCookie) ?? '');
    const { address, loginState } = await this.#begin(attempt, { to, linkTo: null, previous });
    return redirect(address, [loginState]);
  }

  /**
   * Begins a login at a second issuer, whose identity the session's person then links with `linkIdentity`.
   * The answer names the page of the issuer.
   */
  async #link(attempt: Attempt): Promise<Page> {
    const id = await this.#ownSession(attempt);
    attempt.action = 'auth.startLink';
    const { links, webSessions } = this.#options.identity;
    const linkTo = await links.loginOfSession(id);
    const { address, loginState } = await this.#begin(attempt, { to: linkPage, linkTo, previous: null });
    const session = await webSessions.find(id);
    this.#attempts.record(attempt, session ? humanHolder(session.principalId) : null);
    const { headers, ...page } = json({ address });
    return { ...page, headers: { ...headers, 'set-cookie': [loginState] } };
  }

  /** The page of the issuer, and the cookie that the browser keeps meanwhile. */
  async #begin(
    { request }: Attempt,
    purpose: Omit<LoginPurpose, 'redirectUri'>,
  ): Promise<{ readonly address: string; readonly loginState: string }> {
    const issuer = queryOf(request).get('issuer') ?? '';
    const redirectUri = this.#originOf(request) + webPaths.callback;
    const { webLogin } = this.#options.identity;
    const { address, state } = await webLogin.begin(issuer, { ...purpose, redirectUri });
    return { address, loginState: cookie(loginCookie, state, { maxAge: 600, sameSite: 'Lax' }) };
  }

  async #callback(attempt: Attempt): Promise<Page> {
    const { request } = attempt;
    const { webLogin, webSessions, links } = this.#options.identity;
    attempt.action = 'auth.login';
    // Not a guess: the state is in a sealed cookie, and the issuer verifies the code.
    await this.#attempts.admit(attempt, { holder: undefined });
    const { identity, token, to, linkTo, previous } = await webLogin.end(
      cookieOf(request, loginCookie) ?? '',
      queryOf(request).toString(),
    );
    const loggedIn = cookie(loginCookie, '', { maxAge: 0, sameSite: 'Lax' });
    if (linkTo !== null) {
      attempt.action = 'auth.link';
      this.#attempts.succeeded(attempt);
      this.#attempts.record(attempt, humanHolder(identity.principalId));
      // Behind `#`, which no server logs.
      return redirect(`${to}#link=${links.proofFor(linkTo, identity, token)}`, [loggedIn]);
    }
    const id = await webSessions.start(identity);
    // Only now: if no session could be started, the browser keeps the one that it has.
    const replaced = previous === null ? undefined : await webSessions.end(previous);
    if (replaced) this.#attempts.record({ ...attempt, action: 'auth.logout' }, replaced);
    this.#attempts.succeeded(attempt, [claimedBySession(id)]);
    this.#attempts.record(attempt, humanHolder(identity.principalId));
    return redirect(to, [cookie(sessionCookie, id, { maxAge: 8 * 3600, sameSite: 'Strict' }), loggedIn]);
  }

  async #logout(attempt: Attempt): Promise<Page> {
    const { request } = attempt;
    assertOwnPage(request, this.#originsOf(request));
    const id = cookieOf(request, sessionCookie) ?? '';
    await this.#attempts.admit(attempt, this.#claimOf(id));
    const holder = await this.#options.identity.webSessions.end(id);
    if (holder) this.#attempts.record({ ...attempt, action: 'auth.logout' }, holder);
    else this.#attempts.charge(attempt);
    return { ...json({}), headers: clearing };
  }

  /** Reports which roles the person may take for a short time; `startElevation` takes them. */
  async #elevation(attempt: Attempt): Promise<Page> {
    const id = await this.#ownSession(attempt);
    const elevatable = await this.#options.identity.elevations.elevatableIn(id);
    return json({ elevatable });
  }

  /** Ends the elevation of the session, which goes on without it. */
  async #endElevation(attempt: Attempt): Promise<Page> {
    const id = await this.#ownSession(attempt);
    const ended = await this.#options.identity.elevations.endOfSession(id);
    if (ended) {
      const { _id, experiment, principalId } = ended;
      const concerned = { targets: [_id], experiment };
      this.#attempts.record(
        { ...attempt, action: 'auth.endElevation' },
        humanHolder(principalId),
        [],
        concerned,
      );
    }
    return json({});
  }

  /** The id of the session of a request by a page of the gateway. @throws DomainError */
  async #ownSession(attempt: Attempt): Promise<string> {
    const { request } = attempt;
    assertOwnPage(request, this.#originsOf(request));
    const id = cookieOf(request, sessionCookie) ?? '';
    if (await this.#isCurrent(id, attempt)) return id;
    throw new DomainError('UNAUTHENTICATED', 'The session has ended; log in again', { field: 'cookie' });
  }

  #claimOf(id: string): Claim {
    return namedHolder(claimedBySession(id), () => this.#options.identity.webSessions.isKnown(id));
  }

  /** The address under which the browser reaches the gateway: that of its cookies. */
  #originOf(request: IncomingMessage): string {
    return this.#originsOf(request).at(-1) ?? '';
  }

  #failed(error: unknown): Page {
    if (!isDomainError(error)) this.#options.log.error({ err: error }, 'login endpoint failed');
    const status = isDomainError(error) ? error.http : 500;
    const text = isDomainError(error) ? error.message : 'Internal error';
    const body = `${text}\n\nGo back to the dashboard and try again.\n`;
    const retry = isDomainError(error) ? retryHeaders(error) : {};
    return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...retry }, body };
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
