import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { assertCan, callKeysPath } from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { type Identity, pathOf, refusal, requestIdOf } from '../policy/index.js';
import type { HttpHandler } from './http.js';
import type { GatewayMetrics } from './metrics.js';
import { sendDashboard, sendGraphiql, StaticFiles, wantsPage } from './pages.js';
import type { WebSocketHandler } from './ws.js';

/** Reasons why the gateway is not ready, by component; empty when ready. */
export type ReadinessProblems = Readonly<Record<string, string>>;

/** Endpoints next to GraphQL. */
export interface Endpoints {
  /** Answers a request. Returns false if the path is none of its own. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/** Handlers and sources behind the router. */
export interface RouterOptions {
  readonly http: HttpHandler;
  readonly sockets: WebSocketHandler;
  readonly metrics: GatewayMetrics;
  readonly identity: Identity;
  readonly log: Logger;
  readonly readinessProblems: () => ReadinessProblems;
  /** True if clients reach the gateway by TLS only. */
  readonly isHttps: boolean;
  /** Keys by which subgraphs verify the tokens of calls; undefined: the gateway signs none. */
  readonly callKeys?: object | undefined;
  /** Serves `/metrics` without a token. */
  readonly openMetrics: boolean;
  /** Folder of built pages; undefined: none are served. */
  readonly staticRoot: string | undefined;
  /** Folder of the built dashboard; undefined: none is served. */
  readonly dashboardRoot: string | undefined;
  /** Origins of storages from which the dashboard may read files. */
  readonly fileOrigins: readonly string[];
  /** Endpoints of tokens, rights and logins; without those of logins the dashboard takes a pasted token. */
  readonly endpoints: readonly Endpoints[];
}

/** Routes of the router itself, next to `/graphql` and the pages. HEAD works as GET does. */
export const ownRoutes = ['GET /healthz', 'GET /readyz', 'GET /metrics', `GET ${callKeysPath}`] as const;

/** Finds the handler of a request. */
export class Router {
  readonly #options: RouterOptions;
  readonly #files: StaticFiles | undefined;
  readonly #dashboard: StaticFiles | undefined;
  readonly #own: ReadonlyMap<string, (request: IncomingMessage, response: ServerResponse) => unknown>;

  constructor(parts: RouterOptions) {
    this.#options = parts;
    this.#files = parts.staticRoot === undefined ? undefined : new StaticFiles(parts.staticRoot);
    this.#dashboard = parts.dashboardRoot === undefined ? undefined : new StaticFiles(parts.dashboardRoot);
    this.#own = new Map<(typeof ownRoutes)[number], (of: IncomingMessage, to: ServerResponse) => unknown>([
      ['GET /healthz', (of, to) => sendJson(of, to, 200, { status: 'ok' })],
      ['GET /readyz', (of, to) => this.#ready(of, to)],
      ['GET /metrics', (of, to) => this.#metrics(of, to)],
      [`GET ${callKeysPath}`, (of, to) => this.#callKeys(of, to)],
    ]);
  }

  /** Answers an HTTP request. Never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const path = pathOf(request);
    if (this.#options.isHttps) response.setHeader('strict-transport-security', 'max-age=31536000');
    if (path === '/graphql') void this.#options.http.handle(request, response);
    else
      void this.#other(path, request, response).catch((error: unknown) =>
        this.#failed(error, request, response),
      );
  }

  /** Takes over an upgraded connection. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (pathOf(request) === '/graphql') this.#options.sockets.upgrade(request, socket, head);
    else socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  }

  async #other(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const endpoints of this.#options.endpoints)
      if (await endpoints.handle(path, request, response)) return;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendJson(
        request,
        response,
        405,
        { message: 'Method not allowed; use GET' },
        { allow: 'GET, HEAD' },
      );
    }
    const own = this.#own.get(`GET ${path}`);
    if (own) return void (await own(request, response));
    if (await this.#page(path, request, response)) return;
    sendNotFound(path, request, response);
  }

  #callKeys(request: IncomingMessage, response: ServerResponse): void {
    const { callKeys } = this.#options;
    if (callKeys) sendJson(request, response, 200, callKeys);
    else sendNotFound(callKeysPath, request, response);
  }

  /** Serves pages and their files. Returns false if there is none. */
  async #page(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { staticRoot, dashboardRoot, fileOrigins } = this.#options;
    if (staticRoot !== undefined && /^\/graphiql\/?(index\.html)?$/.test(path)) {
      await sendGraphiql(request, response, staticRoot);
      return true;
    }
    if (dashboardRoot !== undefined && (path === '/' || path === '/index.html')) {
      await sendDashboard(request, response, { root: dashboardRoot, fileOrigins });
      return true;
    }
    if (staticRoot !== undefined && path === '/') {
      response.writeHead(302, { location: '/graphiql', 'content-length': 0 }).end();
      return true;
    }
    if (await this.#files?.send(request, response, path)) return true;
    if (await this.#dashboard?.send(request, response, path)) return true;
    if (dashboardRoot === undefined || !wantsPage(request, path)) return false;
    await sendDashboard(request, response, { root: dashboardRoot, fileOrigins });
    return true;
  }

  #ready(request: IncomingMessage, response: ServerResponse): void {
    const checks = this.#options.readinessProblems();
    const ready = Object.keys(checks).length === 0;
    sendJson(request, response, ready ? 200 : 503, { ready, checks });
  }

  async #metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#options.openMetrics) {
      const principal = await this.#options.identity.ofRequest(request);
      if (principal) assertCan(principal, 'metrics:scrape');
    }
    const { registry } = this.#options.metrics;
    const text = await registry.metrics();
    response.writeHead(200, {
      'content-type': registry.contentType,
      'content-length': Buffer.byteLength(text),
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  #failed(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (response.headersSent) return void response.destroy();
    const requestId = requestIdOf(request.headers['x-request-id']);
    const answer = refusal(error, requestId, this.#options.log);
    const status = isDomainError(error) ? error.http : 500;
    const headers: Record<string, string> = { 'x-request-id': requestId };
    if (status === 401) headers['www-authenticate'] = 'Bearer';
    send(request, response, status, answer.text, headers);
  }
}

function sendNotFound(path: string, request: IncomingMessage, response: ServerResponse): void {
  sendJson(request, response, 404, { message: `Path "${path.slice(0, 200)}" not found.` });
}

function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  send(request, response, status, JSON.stringify(body), headers);
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string>,
): void {
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
