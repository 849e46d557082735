import { type Clock, systemClock } from '@rhizome/clock';
import { DomainError } from '@rhizome/errors';
import type { SubgraphSchema } from '@rhizome/subgraph';
import { createEngine, type Engine, type EngineOptions, type TransportFactory } from '@rhizome/federation';
import type { GatewayOptions } from './gateway-options.js';
import { type MutationOwners, Proposals, readMutationOwners } from './agents/index.js';
import type { AuditRecorder } from './audit/index.js';
import { GraphQueueOwners } from './identity/index.js';
import type { OfferedOperations } from './mcp/index.js';
import type { BorrowEngine } from './own-operation.js';
import {
  AccessGuard,
  defaultLimits,
  Expiries,
  Narrowing,
  shapeChecks,
  withoutAccessDemand,
} from './policy/index.js';
import {
  buildOwnSubgraph,
  isOwnMutation,
  type OpenedRegistry,
  ownAddress,
  ownMemberOf,
  ownTransport,
  type PreparedGraph,
  type Registry,
} from './registry/index.js';
import { type GuardLimits, Guards } from './transports/index.js';

/** The serving gateway, as its components see it. */
export interface Server {
  subgraphs(): Engine['subgraphs'];
  /** Serves an engine; resolves when the previous one is closed. */
  serve(engine: Engine): Promise<void>;
  /** Runs work on the current engine. */
  readonly borrow: BorrowEngine;
  /** Undefined in a gateway without an audit log. */
  readonly audit: AuditRecorder | undefined;
}

/** Maximum number of concurrent calls of an experiment's subgraph. */
const experimentConcurrency = 256;
/** Maximum number of concurrent calls of a subgraph without settings of its own. */
const unknownConcurrency = 1_024;
/**
 * Time that an experiment has for a query, in milliseconds; shorter than the time for core's large changes.
 */
const experimentQueryMs = 10_000;

/** Subgraphs that belong to no experiment, in a gateway without a registry. */
const deploymentSubgraphs: ReadonlySet<string> = new Set([ownAddress.name, 'core', 'identity']);

class PreparedEngine implements PreparedGraph {
  readonly engine: Engine;

  constructor(engine: Engine) {
    this.engine = engine;
  }

  discard(): Promise<void> {
    return this.engine.close();
  }
}

/**
 * Components that outlive the engines of a gateway: guards, the gateway's own fields, and the registry if
 * there is one.
 */
export class GatewayComponents {
  readonly guards: Guards;
  /** Ends sockets and streams; shared, so that the streams of a socket end before it. */
  readonly expiries: Expiries;
  /** Proposals of changes, and their execution. */
  readonly proposals: Proposals;
  readonly #options: GatewayOptions;
  readonly #clock: Clock;
  readonly #own: SubgraphSchema;
  readonly #access = new WeakMap<Engine, AccessGuard>();
  readonly #owners = new WeakMap<Engine, () => MutationOwners>();
  readonly #narrowing = new Narrowing((name) => this.#experimentOf(name));
  #opened: OpenedRegistry | undefined;
  #server: Server | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
    const clock = (this.#clock = options.clock ?? systemClock);
    this.expiries = new Expiries(clock);
    this.guards = new Guards(
      (name) => this.#limitsOf(name),
      () => clock.now(),
    );
    this.proposals = new Proposals({
      agents: () => options.agents,
      borrow: (work) => this.#borrow(work),
      isOwn: isOwnMutation,
      experimentsOf: (engine, mutation) => this.#experimentsOf(engine, mutation),
      identity: () => options.identity,
      audit: () => this.#server?.audit,
      pauseMs: options.proposalPauseMs,
      clock,
      log: options.log,
    });
    this.#own = buildOwnSubgraph({
      registry: () => this.registry,
      guards: this.guards,
      served: () => this.#server?.subgraphs() ?? [],
      ownName: ownAddress.name,
      identity: () => options.identity,
      queueOwners: new GraphQueueOwners((work) => this.#borrow(work)),
      audit: () => options.audit,
      agents: () => options.agents,
      proposals: this.proposals,
    });
  }

  /** Undefined in a gateway that serves a file. */
  get registry(): Registry | undefined {
    return this.#opened?.registry;
  }

  /** True if the registry has no subgraph except the gateway's own. */
  get isEmpty(): boolean {
    return this.registry?.live.subgraphs.every(({ name }) => name === ownAddress.name) ?? false;
  }

  /** Operations that the subgraphs offer to agents. */
  offeredOperations(): OfferedOperations {
    const { registry } = this;
    if (registry) return { version: registry.live.number, read: () => registry.agentOperations() };
    const given = Object.entries(this.#options.mcp?.operations ?? {});
    const read = given.map(([name, agentOperations]) => ({
      name,
      typePrefix: this.#experimentOf(name) ?? null,
      agentOperations,
    }));
    return { version: 0, read: () => Promise.resolve(read) };
  }

  /** The supergraph at startup. */
  async supergraph(): Promise<string> {
    const { supergraphSdl, registry, transports, log } = this.#options;
    if ((supergraphSdl === undefined) === (registry === undefined)) {
      throw new DomainError(
        'CONFIG_INVALID',
        'A gateway serves either a supergraph or a registry; set one of them',
        {
          field: 'supergraph',
          expected: 'a supergraph, or a store with the registry',
        },
      );
    }
    if (!registry) return supergraphSdl ?? '';
    const { openRegistry } = await import('./registry/open-registry.js');
    const own = ownMemberOf(this.#own);
    this.#opened = await openRegistry(registry, {
      clock: this.#clock,
      log,
      transports,
      own,
      endpoints: this.#options.endpoints,
    });
    return this.#opened.registry.live.supergraphSdl;
  }

  /** Creates the engine of a supergraph, and the guard of its access directives. */
  async createEngine(supergraphSdl: string): Promise<Engine> {
    const engine = await createEngine(this.#engineOptions(withoutAccessDemand(supergraphSdl)));
    let owners: MutationOwners | undefined;
    this.#owners.set(engine, () => (owners ??= readMutationOwners(supergraphSdl)));
    if (this.#options.verifier) {
      const experimentOf = (name: string): string | undefined => this.#experimentOf(name);
      const policies = this.#options.policies ?? {};
      this.#access.set(engine, new AccessGuard(supergraphSdl, { experimentOf, policies }));
    }
    return engine;
  }

  /** The guard of an engine's access directives; undefined if authentication is disabled. */
  accessOf(engine: Engine): AccessGuard | undefined {
    return this.#access.get(engine);
  }

  #engineOptions(supergraphSdl: string): EngineOptions {
    const { log, engineLimits, introspection, planning, uncodedMessages, limits } = this.#options;
    return {
      supergraphSdl,
      transports: this.#transports(),
      log,
      limits: engineLimits,
      checks: shapeChecks({ ...defaultLimits, ...limits }),
      introspection: introspection !== 'off',
      planning,
      uncodedMessages,
      principalFor: this.#narrowing.principalFor,
    };
  }

  /** Attaches the serving gateway; the registry publishes to it. */
  serveBy(server: Server): void {
    this.#server = server;
    this.registry?.follow({
      prepare: async (supergraphSdl) => new PreparedEngine(await this.createEngine(supergraphSdl)),
      serve: (graph) => {
        if (graph instanceof PreparedEngine) return server.serve(graph.engine);
        throw new TypeError('Graph was not prepared by this gateway');
      },
    });
  }

  #borrow<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    if (this.#server) return this.#server.borrow(work);
    throw new DomainError('SERVICE_UNAVAILABLE', 'The gateway does not serve yet');
  }

  async close(): Promise<void> {
    await this.#opened?.close();
    this.#opened = undefined;
  }

  #transports(): TransportFactory {
    const { transports, log } = this.#options;
    return (name, url) => {
      if (name === ownAddress.name && url === ownAddress.endpoint) return ownTransport(this.#own, log);
      return this.guards.of(name).around(transports(name, url));
    };
  }

  /** Experiment of a subgraph, which gets the grants in that experiment only; undefined for core's. */
  #experimentOf(name: string): string | undefined {
    const member = this.registry?.live.subgraphs.find((one) => one.name === name);
    if (member) return member.typePrefix === null ? undefined : name;
    const configured = this.#options.experiments?.[name];
    if (configured !== undefined) return configured ?? undefined;
    return deploymentSubgraphs.has(name) ? undefined : name;
  }

  /** Experiments whose subgraphs answer a mutation; none for one of core. */
  #experimentsOf(engine: Engine, mutation: string): readonly string[] {
    const owners = this.#owners.get(engine)?.().get(mutation) ?? [];
    return owners.flatMap((name) => this.#experimentOf(name) ?? []);
  }

  /** Each worker holds one long-polling call to core, so calls to core are not limited. */
  #limitsOf(name: string): GuardLimits {
    const configured = this.#options.concurrency?.[name];
    const member = this.registry?.live.subgraphs.find((one) => one.name === name);
    if (!member) return { concurrency: configured ?? unknownConcurrency };
    if (member.typePrefix === null) return { concurrency: configured };
    return { concurrency: configured ?? experimentConcurrency, queryTimeoutMs: experimentQueryMs };
  }
}
