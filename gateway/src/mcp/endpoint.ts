/** `/mcp`: the tools of the graph for assistants, by the Model Context Protocol over HTTP. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import { Cancellation } from '@rhizome/federation';
import type { Logger } from '@rhizome/log';
import type { JsonBodies } from '@rhizome/subgraph';
import { Histogram, type Registry } from 'prom-client';
import type { AgentMeter } from '../agents/index.js';
import type { AuditRecorder } from '../audit/index.js';
import { type Endpoints, type Inbox, type Operations, passedOn } from '../handlers/index.js';
import { sendJson } from '../identity/send-json.js';
import {
  assertLocalCaller,
  type CallerEnd,
  type ClientAddress,
  type Expiries,
  type GatewayLimits,
  type Identity,
  type RateLimiter,
  requestIdOf,
} from '../policy/index.js';
import { clientIdentity } from '../registry/index.js';
import { McpCall } from './call.js';
import { Catalogues, type CatalogueOptions } from './catalogue.js';
import { Listeners } from './listeners.js';
import {
  assertJsonBody,
  assertOwnHost,
  listenMethod,
  McpRefusal,
  messageOf,
  onlyOwnNotifications,
  refusalOf,
} from './message.js';
import type { McpProtocol } from './protocol.js';
import { mcpMetadataPath, mcpPath, type McpSettings } from './settings.js';

/** Ports of {@link McpEndpoint}. */
export interface McpEndpointOptions extends Pick<CatalogueOptions, 'engine' | 'offered' | 'limitsOf'> {
  readonly settings: McpSettings;
  readonly operations: Operations;
  /** Authenticates by tokens for this endpoint. */
  readonly identity: Identity;
  readonly limits: GatewayLimits;
  readonly bodies: JsonBodies;
  readonly inbox: Inbox;
  readonly rates: RateLimiter | undefined;
  /** Counts what agents use. */
  readonly meter: Pick<AgentMeter, 'assertRunning' | 'call' | 'answer'>;
  readonly expiries: Expiries;
  readonly addressOf: ClientAddress;
  readonly audit: Pick<AuditRecorder, 'refused'> | undefined;
  /** Registry of the gateway's metrics. */
  readonly metrics: Registry;
  readonly log: Logger;
  readonly isClosing: () => boolean;
}

/** Largest body, in bytes. */
const mostBytes = 256 * 1024;

/** Serves the endpoint and its metadata. */
export class McpEndpoint implements Endpoints {
  readonly #options: McpEndpointOptions;
  readonly #catalogues: Catalogues;
  readonly #listeners: Listeners;
  readonly #seconds: Histogram;
  /** Requests that are running, by their ends. */
  readonly #running = new Map<Cancellation, Principal>();
  #protocol: Promise<McpProtocol> | undefined;

  constructor(options: McpEndpointOptions) {
    this.#options = options;
    const { engine, offered, limits, rates, log, settings, expiries, metrics, limitsOf } = options;
    const runsQueries = settings.runsQueries ?? true;
    this.#catalogues = new Catalogues({ engine, offered, limits, rates, limitsOf, runsQueries, log });
    this.#listeners = new Listeners(expiries);
    this.#seconds = new Histogram({
      name: 'rhizome_gateway_tool_seconds',
      help: 'Duration of calls of tools, by tool and outcome',
      labelNames: ['tool', 'outcome'],
      buckets: [0.01, 0.05, 0.25, 1, 5, 30],
      registers: [metrics],
    });
  }

  /** Answers a request. Returns false if the path is none of its own. */
  async handle(path: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (path === mcpMetadataPath && (request.method === 'GET' || request.method === 'HEAD')) {
      sendJson(response, 200, JSON.stringify(this.#metadata()), { 'cache-control': 'public, max-age=300' });
      return true;
    }
    if (path !== mcpPath) return false;
    const requestId = requestIdOf(request.headers['x-request-id']);
    response.setHeader('x-request-id', requestId);
    try {
      await this.#answer(request, response, requestId);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else this.#refuse(request, response, error, requestId);
    }
    return true;
  }

  /** Ends running requests of some callers, streams included. */
  endOf({ concerns, error }: CallerEnd): void {
    for (const [gone, principal] of this.#running) if (concerns(principal)) gone.cancel(error());
  }

  /** Says that the graph has changed: the tools may be others now. */
  graphChanged(): void {
    // A module that cannot be loaded fails the requests that need it.
    void this.#protocol?.then((protocol) => protocol.toolsChanged()).catch(() => undefined);
  }

  /** Ends open streams. */
  async close(): Promise<void> {
    await this.#protocol?.then((protocol) => protocol.close()).catch(() => undefined);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    const { isClosing, settings, identity, inbox, addressOf, meter } = this.#options;
    if (isClosing()) throw new DomainError('SHUTTING_DOWN', 'The gateway is shutting down; try again');
    if (identity.required) assertOwnHost(request, settings.url, settings.origins ?? []);
    else assertLocalCaller(request.headers);
    if (request.method !== 'POST') {
      response.setHeader('allow', 'POST');
      throw new McpRefusal(405, 405, `${request.method ?? ''} is not supported; use POST`);
    }
    assertJsonBody(request);
    const address = addressOf(request);
    const gone = new Cancellation();
    // Before the first wait: a client may disconnect during it.
    response.once('close', () => {
      this.#running.delete(gone);
      if (!response.writableFinished)
        gone.cancel(new DomainError('REQUEST_CANCELLED', 'The client disconnected'));
    });
    const principal = withoutToken(await identity.ofRequest(request));
    if (response.closed) return;
    if (principal) this.#running.set(gone, principal);
    await inbox.turn(principal?.subject ?? address);
    const bytes = Number(request.headers['content-length'] ?? mostBytes) || 0;
    this.#charge(principal, address, bytes);
    await meter.assertRunning(principal);
    await this.#serve({ request, response, principal, address, gone, bytes, requestId });
  }

  async #serve(received: Received): Promise<void> {
    const { request, response, principal, address, gone, bytes, requestId } = received;
    const { bodies, operations, rates } = this.#options;
    const subject = principal?.subject ?? '';
    let message = messageOf(await bodies.read(request, { maxBytes: mostBytes, subject }));
    if (message.method === listenMethod) {
      this.#listeners.admit(principal, address, response);
      const limited = principal && rates?.use(principal, { streams: 1 });
      if (limited) throw limited;
      gone.onCancel(() => void response.destroy());
      message = onlyOwnNotifications(message);
    }
    const headers = passedOn(request.headers);
    const call = new McpCall({
      ...{ operations, principal, address, requestId, bytes, headers },
      cancellation: gone,
    });
    const protocol = await (this.#protocol ??= this.#load());
    await protocol.handle(request, response, message, call);
  }

  async #load(): Promise<McpProtocol> {
    const [{ McpProtocol }, { Resources }] = await Promise.all([
      import('./protocol.js'),
      import('./resources.js'),
    ]);
    return new McpProtocol({
      catalogues: this.#catalogues,
      resources: new Resources(this.#catalogues),
      meter: this.#options.meter,
      log: this.#options.log,
      called: (tool, outcome, seconds) => this.#seconds.observe({ tool, outcome }, seconds),
    });
  }

  /** Charges the caller before its body is read. @throws DomainError LIMIT_EXCEEDED */
  #charge(principal: Principal | undefined, address: string, bytes: number): void {
    const usage = { operations: 1, bytes };
    const { rates } = this.#options;
    const error = principal ? rates?.use(principal, usage) : rates?.useByAddress(address, usage);
    if (error) throw error;
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown, requestId: string): void {
    const { log, audit, addressOf } = this.#options;
    const { status, rpcCode, message } = refusalOf(error);
    if (status === 500) log.error({ err: error, requestId }, 'request failed');
    const codes = [isDomainError(error) ? error.code : status === 403 ? 'FORBIDDEN' : 'BAD_REQUEST'];
    const client = clientIdentity(request.headers);
    audit?.refused({ principal: undefined, requestId, client, address: addressOf(request) }, codes);
    const headers: Record<string, string> = {};
    if (status === 401) headers['www-authenticate'] = this.#challenge(request);
    const seconds = isDomainError(error) ? error.details['retryAfterSeconds'] : undefined;
    if (seconds !== undefined) headers['retry-after'] = String(seconds);
    // What was not read of the body must not be taken for the next request.
    if (!request.complete) headers['connection'] = 'close';
    sendJson(
      response,
      status,
      JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: rpcCode, message } }),
      headers,
    );
  }

  /** Where clients learn which issuer gives tokens for this endpoint (RFC 9728). */
  #challenge({ headers }: IncomingMessage): string {
    const metadata = new URL(mcpMetadataPath, this.#options.settings.url).href;
    const fault = headers.authorization === undefined ? '' : 'error="invalid_token", ';
    return `Bearer ${fault}resource_metadata="${metadata}"`;
  }

  #metadata(): object {
    const { url, authorizationServers = [] } = this.#options.settings;
    return {
      resource: url,
      authorization_servers: authorizationServers,
      bearer_methods_supported: ['header'],
      resource_name: 'Rhizome',
    };
  }
}

interface Received {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly principal: Principal | undefined;
  readonly address: string;
  /** Cancelled when the client disconnects, or its rights end. */
  readonly gone: Cancellation;
  readonly bytes: number;
  readonly requestId: string;
}

const stripped = new WeakMap<Principal, Principal>();

/** The same principal without the token, which ends at this endpoint. */
function withoutToken(principal: Principal | undefined): Principal | undefined {
  if (!principal) return undefined;
  const known = stripped.get(principal);
  if (known) return known;
  // The token is not enumerable: a copy does not have it.
  const copy = Object.freeze({ ...principal });
  stripped.set(principal, copy);
  return copy;
}
