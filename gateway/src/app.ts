import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@rhizome/clock';
import type { Engine } from '@rhizome/federation';
import {
  type Endpoints,
  GatewayMetrics,
  HttpHandler,
  Inbox,
  type ReadinessProblems,
  Operations,
  Router,
  WebSocketHandler,
} from './handlers/index.js';
import { GatewayComponents } from './gateway-components.js';
import type { GatewayOptions } from './gateway-options.js';
import type { BorrowEngine } from './own-operation.js';
import { AuditRecorder, watchAuditExports } from './audit/index.js';
import { AvailabilityReports } from './availability-reports.js';
import { McpEndpoint, type McpEndpointOptions } from './mcp/index.js';
import {
  Attempts,
  type AttemptsOptions,
  findHolder,
  HeldAttempts,
  originsOf,
  RightsEndpoint,
  TokenEndpoints,
  type TokenEndpointsOptions,
  WebEndpoints,
} from './identity/index.js';
import { JsonBodies } from '@rhizome/subgraph';
import {
  Admissions,
  type CallerEnd,
  CallerGate,
  clientAddresses,
  createIdentity,
  defaultLimits,
  defaultPersisted,
  endOfChanged,
  endOfRevoked,
  FairQueue,
  type GatewayLimits,
  type Identity as CallerIdentity,
  limitedIdentity,
  LoopDelay,
  PersistedOperations,
  RateLimiter,
  ratesOf,
  type OwnCredentials,
  WaitingCalls,
} from './policy/index.js';
import { EngineHolder, unknownClient } from './registry/index.js';
import { SharedReads, StreamHub, type StreamHubOptions } from './streams/index.js';

/** The whole gateway as a request handler. */
export interface Gateway {
  /** Answers HTTP requests. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over connections with an upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Serves another supergraph. Streams stay open; resolves when the previous engine is closed. */
  swap(supergraphSdl: string): Promise<void>;
  /** Subgraphs of the current supergraph. */
  readonly subgraphs: Engine['subgraphs'];
  readonly metrics: GatewayMetrics;
  /** Reports to core from now on that the gateway accepts pilots. Called when it listens. */
  announce(): void;
  /**
   * Ends everything that clients have open, in order: readiness, streams (closed with their cursors), running
   * operations (given at most `drainMs`, 3,000 by default), sockets (closed with 1001). New requests are
   * refused with SHUTTING_DOWN.
   */
  drain(drainMs?: number): Promise<void>;
  /** Drains, and closes the subgraphs after the last operation. The caller closes connections of clients. */
  close(): Promise<void>;
}

/** Folder of the pages that the build of this package produces. */
export const builtPages = fileURLToPath(new URL('../dist/static', import.meta.url));

/**
 * Builds a gateway.
 * @throws DomainError COMPOSITION_FAILED when the text is no supergraph, SERVICE_UNAVAILABLE when the
 *   registry cannot be reached
 */
export async function buildGateway(options: GatewayOptions): Promise<Gateway> {
  const parts = new GatewayComponents(options);
  try {
    const supergraphSdl = await parts.supergraph();
    const engine = await parts.createEngine(supergraphSdl);
    return new BuiltGateway(options, parts, engine);
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** New operations that are compiled at once: the planner has one thread. */
const compilationLimits = {
  runningOperations: 4,
  waitingPerSubject: 20_000,
  waitingBytesPerSubject: 32 * 1024 * 1024,
};
const defaultDrainMs = 3000;
/** Time that a client has to answer the close of its socket, in milliseconds. */
const socketGraceMs = 1000;

/** Operations that callers without a token may run. */
function anonymousRights({ verifier, introspection }: GatewayOptions) {
  if (!verifier) return 'everything';
  return introspection === 'open' ? 'introspection' : 'nothing';
}

type Holders = readonly ({ endOf(end: CallerEnd): void } | undefined)[];

/** Ends what some callers have open at all holders. */
const endOfAll =
  (holders: Holders) =>
  (end: CallerEnd): void =>
    holders.forEach((holder) => holder?.endOf(end));

/**
 * Ends what callers have open as soon as their token is revoked, or their rights become fewer. Returns a
 * function that stops this.
 */
function endCallers({ verifier, identity }: GatewayOptions, holders: Holders): () => void {
  const endOf = endOfAll(holders);
  const revocations = verifier?.revocations;
  const stops = [
    revocations?.onChange(() => endOf(endOfRevoked(revocations))),
    identity?.people.onLoss((subjects) => endOf(endOfChanged(subjects))),
  ];
  return () => stops.forEach((stop) => stop?.());
}

/** Decides which requests run, and when. */
function admissionOf(
  { verifier, rates, trustedProxies, clock = systemClock }: GatewayOptions,
  limits: GatewayLimits,
  loopDelay: LoopDelay,
) {
  // Without authentication every caller is local.
  const limiter = verifier && rates !== 'off' ? new RateLimiter(ratesOf(rates), clock) : undefined;
  return {
    queue: new FairQueue({ limits, loopDelayMs: () => loopDelay.ms }),
    compilations: new FairQueue({ limits: compilationLimits, loopDelayMs: () => 0 }),
    waitingCalls: new WaitingCalls(limits),
    inbox: new Inbox(),
    rates: limiter,
    admissions: limiter && new Admissions(limiter),
    addressOf: clientAddresses(trustedProxies),
  };
}

function ownCredentials(identity: GatewayOptions['identity']): OwnCredentials | undefined {
  if (!identity) return undefined;
  const { proofs, webSessions: sessions, trusted } = identity;
  return {
    proofs,
    sessions,
    originsOf: originsOf(trusted.issuer),
    findHolder: (token) => findHolder(token, identity),
  };
}

/** Authenticates callers, and does so within the limits of their addresses. */
function callersOf(
  { verifier, identity }: Pick<GatewayOptions, 'verifier' | 'identity'>,
  { admissions, addressOf }: Pick<EndpointParts, 'admissions' | 'addressOf'>,
): { readonly callers: CallerIdentity; readonly identity: CallerIdentity } {
  const callers = createIdentity(verifier, ownCredentials(identity));
  const gate = admissions && new CallerGate(admissions);
  return { callers, identity: gate ? limitedIdentity(callers, gate, addressOf) : callers };
}

/** The endpoint for assistants, if it is enabled. Its callers have tokens for it alone. */
function mcpEndpointOf(
  { mcp, identity: services }: GatewayOptions,
  handlers: Omit<McpEndpointOptions, 'settings' | 'engine' | 'offered' | 'metrics' | 'meter' | 'limitsOf'> & {
    readonly metrics: GatewayMetrics;
  },
  { limiting, holder, parts }: McpParts,
): McpEndpoint | undefined {
  if (!mcp) return undefined;
  const { identity } = callersOf({ verifier: mcp.verifier, identity: services }, limiting);
  return new McpEndpoint({
    ...handlers,
    metrics: handlers.metrics.registry,
    settings: mcp,
    identity,
    engine: () => holder.current,
    offered: () => parts.offeredOperations(),
    meter: parts.proposals.meter,
    limitsOf: (principal) => parts.proposals.limitsOf(principal),
  });
}

interface McpParts {
  readonly limiting: ReturnType<typeof admissionOf>;
  readonly holder: EngineHolder;
  readonly parts: GatewayComponents;
}

type EndpointParts = Pick<AttemptsOptions, 'addressOf' | 'admissions' | 'audit'> & {
  readonly identity: TokenEndpointsOptions['callers'];
  readonly bodies: JsonBodies;
};

/** Endpoints of a gateway with an identity store. */
function identityEndpoints(
  { identity, rightsReaders, log, verifier, dashboardRoot, mcp }: GatewayOptions,
  { addressOf, admissions, audit, bodies, identity: callers }: EndpointParts,
  borrow: BorrowEngine,
): readonly Endpoints[] {
  if (!identity) return [];
  const { rights, failedGuesses } = identity;
  const { issuer } = identity.trusted;
  const attempts = new Attempts({ issuer, addressOf, admissions, audit, failedGuesses });
  const heldAttempts = new HeldAttempts(borrow);
  const common = { identity, attempts, originsOf: originsOf(issuer), log };
  const resources = mcp ? [mcp.url] : [];
  const endpoints: Endpoints[] = [new TokenEndpoints({ ...common, callers, heldAttempts, resources })];
  if (rightsReaders)
    endpoints.push(new RightsEndpoint({ rights, verifier: rightsReaders, bodies, attempts, log }));
  // Logins of the dashboard need tokens that this gateway accepts itself.
  if (verifier && dashboardRoot !== undefined) endpoints.push(new WebEndpoints(common));
  return endpoints;
}

class BuiltGateway implements Gateway {
  readonly metrics = new GatewayMetrics();
  readonly #options: GatewayOptions;
  readonly #components: GatewayComponents;
  readonly #holder: EngineHolder;
  readonly #hub: StreamHub;
  readonly #operations: Operations;
  readonly #sockets: WebSocketHandler;
  readonly #router: Router;
  readonly #bodies = new JsonBodies();
  readonly #loopDelay = new LoopDelay();
  readonly #reports: AvailabilityReports;
  readonly #holders: Holders;
  readonly #stopEnding: () => void;
  readonly #audit: AuditRecorder | undefined;
  readonly #mcp: McpEndpoint | undefined;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: GatewayOptions, parts: GatewayComponents, engine: Engine) {
    const { log, verifier, clock = systemClock } = options;
    const { metrics } = this;
    const limits = { ...defaultLimits, ...options.limits };
    this.#options = options;
    this.#components = parts;
    const holder = (this.#holder = new EngineHolder(engine));
    const borrow: BorrowEngine = (work) => holder.borrow(work);
    this.#reports = new AvailabilityReports({ borrow, isAcceptingPilots: () => this.#isReady, log });
    const common = { clock, log, limits, expiries: parts.expiries };
    const streams = { engine: () => holder.current, observer: metrics, failed: this.#streamFailed };
    const hub = (this.#hub = new StreamHub({ ...common, ...streams }));
    const anonymous = anonymousRights(options);
    const limiting = admissionOf(options, limits, this.#loopDelay);
    const { queue, compilations, waitingCalls, rates, inbox, addressOf } = limiting;
    const audit = (this.#audit = options.audit && new AuditRecorder(options.audit, clock));
    const operations = (this.#operations = new Operations({
      holder,
      hub,
      reads: new SharedReads(),
      metrics,
      log,
      limits,
      anonymous,
      ...{ queue, compilations, waitingCalls, rates },
      use: parts.registry?.recorder,
      audit,
      meter: parts.proposals.meter,
      isEmpty: () => parts.isEmpty,
      accessOf: (engine) => parts.accessOf(engine),
    }));
    const { callers, identity } = callersOf(options, limiting);
    const isClosing = (): boolean => this.#draining !== undefined;
    const handlerOptions = {
      ...common,
      operations,
      identity,
      metrics,
      isClosing,
      persisted: new PersistedOperations({ ...defaultPersisted, ...options.persistedOperations }),
      inbox,
      rates,
      bodies: this.#bodies,
      addressOf,
      audit,
      admitsAnonymous: anonymous !== 'nothing',
    };
    this.#sockets = new WebSocketHandler({ ...handlerOptions, revocations: verifier?.revocations });
    const http = new HttpHandler(handlerOptions);
    const mcp = (this.#mcp = mcpEndpointOf(options, handlerOptions, { limiting, holder, parts }));
    this.#stopEnding = endCallers(options, (this.#holders = [http, hub, this.#sockets, mcp]));
    this.#router = new Router({
      http,
      sockets: this.#sockets,
      metrics,
      identity,
      log,
      readinessProblems: () => this.#readinessProblems(),
      isHttps: options.isHttps ?? false,
      callKeys: options.calls?.jwks(),
      openMetrics: options.openMetrics ?? false,
      staticRoot: options.staticRoot,
      dashboardRoot: options.dashboardRoot,
      fileOrigins: options.fileOrigins ?? [],
      endpoints: [
        mcp ?? [],
        identityEndpoints(options, { ...handlerOptions, ...limiting, identity: callers }, borrow),
      ].flat(),
    });
    this.#watchMetrics(limiting, parts);
    if (options.audit) watchAuditExports(metrics.registry, options.audit);
    parts.serveBy({
      subgraphs: () => holder.current.subgraphs,
      serve: (next) => this.#serve(next),
      borrow,
      audit,
    });
  }

  readonly #streamFailed: StreamHubOptions['failed'] = (request, codes) =>
    this.#audit?.refused({ client: unknownClient, ...request }, codes, request.operation);

  #watchMetrics(
    { queue, compilations, waitingCalls }: ReturnType<typeof admissionOf>,
    parts: GatewayComponents,
  ): void {
    this.metrics.watch({
      streams: () => this.#hub.open,
      sockets: () => this.#sockets.size,
      socketBytes: () => this.#sockets.bufferedBytes,
      running: () => this.#operations.running,
      waitingOperations: () => queue.load.waiting + compilations.load.waiting,
      waitingCalls: () => waitingCalls.open,
      waitingSockets: () => this.#sockets.waiting,
      subgraphs: () => parts.guards.facts(),
      graph: () => parts.registry?.facts,
    });
  }

  get subgraphs(): Engine['subgraphs'] {
    return this.#holder.current.subgraphs;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#router.handle(request, response);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Node.js has removed its own listener: a connection that the client resets must not end the process.
    socket.on('error', () => socket.destroy());
    if (this.#draining)
      socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    else this.#router.upgrade(request, socket, head);
  }

  async swap(supergraphSdl: string): Promise<void> {
    await this.#serve(await this.#components.createEngine(supergraphSdl));
  }

  #serve(engine: Engine): Promise<void> {
    this.#options.log.info({ subgraphs: engine.subgraphs.map(({ name }) => name) }, 'supergraph changed');
    const swapped = this.#holder.swap(engine, () => this.#hub.move());
    this.#mcp?.graphChanged();
    return swapped;
  }

  announce(): void {
    this.#reports.start();
    const { executions, meter } = this.#components.proposals;
    executions.start();
    meter.watchStops(endOfAll(this.#holders));
  }

  drain(drainMs = defaultDrainMs): Promise<void> {
    return (this.#draining ??= this.#drain(drainMs));
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    await this.drain();
    this.#loopDelay.stop();
    await this.#bodies.close();
    this.#stopEnding();
    this.#audit?.close();
    // Nothing new is served after this point; recorded use is written.
    await this.#components.close();
    await this.#holder.close();
  }

  async #drain(drainMs: number): Promise<void> {
    const reported = this.#reports.stop();
    const { executions, meter } = this.#components.proposals;
    const searched = Promise.all([executions.stop(), meter.close()]);
    // Accepts requests that have arrived already; later ones are refused.
    await nextLoopTurn();
    this.#hub.shutDown('resumable');
    await this.#mcp?.close();
    // The last messages pass through the protocol's layers before their sockets may close.
    await nextLoopTurn();
    await this.#operations.idle(drainMs);
    await this.#sockets.close(socketGraceMs);
    this.#hub.shutDown('all');
    await reported;
    await searched;
    await nextLoopTurn();
  }

  get #isReady(): boolean {
    return Object.keys(this.#readinessProblems()).length === 0;
  }

  #readinessProblems(): ReadinessProblems {
    if (this.#draining) return { gateway: 'shutdown started' };
    return this.#components.isEmpty ? { graph: 'no subgraph is published in the schema registry' } : {};
  }
}

function nextLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
