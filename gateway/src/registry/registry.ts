/** The schema registry in one gateway: the live version, permissions, and the reaction to a new version. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import type { Logger } from '@rhizome/log';
import { ChangeFollower, type KeysetPage } from '@rhizome/mongo';
import type { SchemaChange } from '@rhizome/schema';
import type { OfferingSubgraph } from '@rhizome/schema/agent-operations';
import type { TransportFactory } from '@rhizome/federation';
import { Composer } from './composer.js';
import type { EndpointPolicy } from '../transports/index.js';
import { type ReadEndpointSchema, endpointSchemaReader } from './endpoint.js';
import { offeredSchema, type OfferRefusal } from './offered-schema.js';
import { bringOwn, type OwnSubgraph } from './own-member.js';
import {
  type ChangeCode,
  type OfferedSchema,
  type PreparedGraph,
  Publisher,
  type Published,
  type PublishCall,
} from './publisher.js';
import { noteFault, notRegistered, refusedBy, type SchemaRefusal } from './refusal.js';
import { type Registered, registerSubgraph, type Registration } from './registration.js';
import { assertMayChange } from './rights.js';
import { rollBack, type RollbackCode, type RollbackRequest } from './rollback.js';
import type { RegistryRepository } from './store/registry.repository.js';
import { withdraw, type WithdrawalRequest, type Withdrawn } from './withdrawal.js';
import type { SchemaCheckDocument } from './store/schema-check.document.js';
import type { SchemaVersionDocument, SchemaVersionHead } from './store/schema-version.document.js';
import type { SubgraphDocument } from './store/subgraph.document.js';
import type { UsesRepository } from './store/uses.repository.js';
import { countedCoordinate } from './use/counted-coordinate.js';
import { UseRecorder } from './use/recorder.js';
import { type CoordinateUse, UseReader } from './use/use-reader.js';

/** Options of {@link Registry}. */
export interface RegistryOptions {
  readonly repository: RegistryRepository;
  readonly uses: UsesRepository;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Transports that read the schemas of endpoints. */
  readonly transports: TransportFactory;
  readonly own: OwnSubgraph;
  /** Addresses that may be registered; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

/** Ports of the registry to the gateway that serves its graph. */
export interface Serving {
  prepare(supergraphSdl: string): Promise<PreparedGraph>;
  /** Serves the prepared engine, or another supergraph if none was prepared. */
  serve(graph: PreparedGraph): Promise<void>;
}

/** A schema to check or to publish. */
export interface SchemaRequest extends Pick<OfferedSchema, 'agentOperations'> {
  readonly subgraph: string;
  /** Null for the SDL of the endpoint. */
  readonly sdl: string | null;
}

type CheckRefusal = OfferRefusal | SchemaRefusal<'SUBGRAPH_NOT_FOUND'>;
type PublishCode = ChangeCode | CheckRefusal['code'];

/** State of a gateway's connection to the registry. */
export interface GraphFacts {
  readonly servedVersion: number;
  /** The newest version that could not be served here; 0 if there was none. */
  readonly refusedVersion: number;
  /** True while new versions are received. */
  readonly isFollowed: boolean;
}

/** Number of cached differences between versions. */
const keptDiffs = 20;

/** The schema registry of one gateway. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #composer = new Composer();
  readonly #readEndpointSchema: ReadEndpointSchema;
  readonly recorder: UseRecorder;
  readonly uses: UseReader;
  #publisher: Publisher | undefined;
  /** Versions never change, so the differences between two of them do not either. */
  readonly #diffs = new LRUCache<string, Promise<readonly SchemaChange[] | null>>({ max: keptDiffs });
  #follower: ChangeFollower | undefined;
  #serving: Serving | undefined;
  #live: SchemaVersionDocument;
  #registered: readonly SubgraphDocument[] = [];
  #adopting: Promise<void> = Promise.resolve();
  #refusedVersion = 0;

  private constructor(options: RegistryOptions, live: SchemaVersionDocument) {
    this.#options = options;
    this.#live = live;
    this.#readEndpointSchema = endpointSchemaReader(options.transports, options.log);
    const { uses, clock, log } = options;
    this.recorder = new UseRecorder({ uses, clock, log });
    this.uses = new UseReader(uses, clock);
  }

  /** Opens the registry; an empty one gets a first version with the gateway's own schema. */
  static async open(options: RegistryOptions): Promise<Registry> {
    await options.repository.ensure(options.log);
    await options.uses.beginRecording(options.clock.now());
    const live = await bringOwn(options);
    const registry = new Registry(options, live);
    registry.#registered = await options.repository.subgraphs();
    return registry;
  }

  /** The version that is served, or will be in a moment. */
  get live(): SchemaVersionDocument {
    return this.#live;
  }

  /** Registered subgraphs by name, as of the last read. */
  get registered(): readonly SubgraphDocument[] {
    return this.#registered;
  }

  /**
   * State of the connection to the registry. The current version stays served during an outage of the store.
   */
  get facts(): GraphFacts {
    return {
      servedVersion: this.#live.number,
      refusedVersion: this.#refusedVersion,
      isFollowed: this.#follower?.isConnected ?? false,
    };
  }

  /** Starts to serve what is published. */
  follow(serving: Serving): void {
    const { repository, clock, ids, log } = this.#options;
    this.#serving = serving;
    this.#publisher = new Publisher({
      repository,
      composer: this.#composer,
      uses: this.uses,
      clock,
      ids,
      prepare: (supergraphSdl) => serving.prepare(supergraphSdl),
      adopt: (version, prepared) => this.#adopt(version, prepared),
    });
    this.#follower = new ChangeFollower({
      watch: () => repository.watch(),
      what: 'schema registry',
      log,
      refresh: () => this.#refresh(),
    });
  }

  /** Stops in order; recorded use is written. */
  async close(): Promise<void> {
    await this.#follower?.close();
    await this.#adopting;
    await this.recorder.close();
    await this.#composer.close();
  }

  async #refresh(): Promise<void> {
    const { repository } = this.#options;
    this.#registered = await repository.subgraphs();
    const latest = await repository.latest();
    if (latest) await this.#adopt(latest);
  }

  /**
   * Serves a version unless it or a later one is served already. Versions are served one after the other;
   * older ones are skipped.
   */
  #adopt(version: SchemaVersionDocument, prepared?: PreparedGraph): Promise<void> {
    return (this.#adopting = this.#adopting.then(() => this.#serve(version, prepared)));
  }

  async #serve(version: SchemaVersionDocument, prepared: PreparedGraph | undefined): Promise<void> {
    const { log } = this.#options;
    if (version.number <= this.#live.number || !this.#serving) {
      await prepared?.discard();
      return;
    }
    const started = performance.now();
    try {
      const graph = prepared ?? (await this.#serving.prepare(version.supergraphSdl));
      this.#live = version;
      // Nothing waits for the old engine to retire: its last operations may take long.
      this.#serving
        .serve(graph)
        .catch((error: unknown) => log.error({ err: error }, 'closing the previous graph failed'));
      log.info(
        { version: version.number, subgraph: version.subgraph, ms: Math.round(performance.now() - started) },
        'schema version adopted',
      );
    } catch (error) {
      this.#refusedVersion = version.number;
      log.error({ err: error, version: version.number }, 'schema version rejected');
    }
  }

  /** Registers a subgraph. @throws DomainError FORBIDDEN */
  async register(registration: Registration, principal: Principal): Promise<Registered> {
    const registered = await registerSubgraph(this.#options, registration, principal);
    this.#registered = await this.#options.repository.subgraphs();
    return registered;
  }

  /** Checks a schema. @throws DomainError FORBIDDEN */
  async check(
    { subgraph, sdl, agentOperations }: SchemaRequest,
    { principal, requestId }: Pick<PublishCall, 'principal' | 'requestId'>,
  ): Promise<{ readonly check: SchemaCheckDocument | null; readonly userErrors: readonly CheckRefusal[] }> {
    const registered = await this.#options.repository.subgraph(subgraph);
    if (!registered) return { check: null, userErrors: [notRegistered(subgraph)] };
    const offer = { registered, given: sdl, match: 'unchecked' as const };
    const schema = await offeredSchema(this.#readEndpointSchema, offer, requestId);
    if (typeof schema !== 'string') return { check: null, userErrors: [schema] };
    return {
      check: await this.#publishing().check(registered, { sdl: schema, agentOperations }, principal),
      userErrors: [],
    };
  }

  /** Makes a schema live. @throws DomainError FORBIDDEN */
  async publish(
    { subgraph, sdl, agentOperations }: SchemaRequest,
    call: PublishCall,
  ): Promise<Published<PublishCode>> {
    const registered = await this.#options.repository.subgraph(subgraph);
    if (!registered) return refusedBy(notRegistered(subgraph));
    assertMayChange(call.principal, registered, 'schema:publish');
    const fault = noteFault(call.note);
    if (fault) return refusedBy(fault);
    const offer = { registered, given: sdl, match: 'equal' as const };
    const schema = await offeredSchema(this.#readEndpointSchema, offer, call.requestId);
    if (typeof schema !== 'string') return refusedBy(schema);
    return this.#publishing().publish(registered, { sdl: schema, agentOperations }, call);
  }

  /** Makes earlier schemas live again. @throws DomainError FORBIDDEN */
  rollback(request: RollbackRequest, call: PublishCall): Promise<Published<RollbackCode>> {
    const { repository, own } = this.#options;
    const parts = {
      repository,
      own,
      readEndpointSchema: this.#readEndpointSchema,
      publisher: this.#publishing(),
    };
    return rollBack(parts, request, call);
  }

  /** Removes a subgraph from the graph. @throws DomainError FORBIDDEN */
  async withdraw(request: WithdrawalRequest, call: PublishCall): Promise<Withdrawn> {
    const { repository } = this.#options;
    const withdrawn = await withdraw({ repository, publisher: this.#publishing() }, request, call);
    this.#registered = await repository.subgraphs();
    return withdrawn;
  }

  /** Versions below a number, the newest first. */
  versions(first: number, after: string | null | undefined): Promise<KeysetPage<SchemaVersionHead>> {
    return this.#options.repository.versionPage(first, after);
  }

  /** A stored version without its supergraph; null if there is none with that number. */
  async versionHead(number: number): Promise<SchemaVersionHead | null> {
    const [found] = await this.#options.repository.versions(number + 1, 1);
    return found?.number === number ? found : null;
  }

  /** Recorded checks, of one subgraph or of all, the newest first. */
  checks(
    subgraph: string | null,
    first: number,
    after: string | null | undefined,
  ): Promise<KeysetPage<SchemaCheckDocument>> {
    return this.#options.repository.checkPage(subgraph, first, after);
  }

  /** A version by number; by default the live one. */
  version(number: number | null): Promise<SchemaVersionDocument | null> {
    return number === null ? Promise.resolve(this.#live) : this.#options.repository.version(number);
  }

  /** Changes that clients see between two versions; null if one of them does not exist. */
  async diff(from: number, to: number): Promise<readonly SchemaChange[] | null> {
    const key = `${from} ${to}`;
    const known = this.#diffs.get(key);
    if (known) return known;
    const changes = this.#compare(from, to);
    this.#diffs.set(key, changes);
    let found: readonly SchemaChange[] | null = null;
    try {
      return (found = await changes);
    } finally {
      // Not kept: a failure, and a version that may be published later.
      if (!found) this.#diffs.delete(key);
    }
  }

  async #compare(from: number, to: number): Promise<readonly SchemaChange[] | null> {
    const { repository } = this.#options;
    const [before, after] = await Promise.all([repository.version(from), repository.version(to)]);
    if (!before || !after) return null;
    // A version is stored with its changes since the one before it.
    if (to === from + 1) return after.changes;
    return this.#composer.compare(before.supergraphSdl, after.supergraphSdl);
  }

  /** Operations that the live subgraphs offer to agents. */
  async agentOperations(): Promise<readonly OfferingSubgraph[]> {
    const { subgraphs } = this.#live;
    const digests = subgraphs.flatMap(({ operationsDigest }) => operationsDigest ?? []);
    const texts = digests.length === 0 ? new Map<string, string>() : await this.sdls(digests);
    return subgraphs.map(({ name, typePrefix, operationsDigest = null }) => ({
      name,
      typePrefix,
      agentOperations: operationsDigest === null ? '' : texts.get(operationsDigest),
    }));
  }

  /** SDLs by digest. */
  sdls(digests: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#options.repository.sdls(digests);
  }

  /** Use of schema elements; see {@link UseReader.of}. */
  useOf(coordinates: readonly (readonly string[])[]): Promise<readonly (CoordinateUse | null)[]> {
    return this.uses.of(coordinates);
  }

  /**
   * Use of the schema element at a coordinate; null while nothing is recorded. Elements that are no longer in
   * the graph are reported while their use is recorded.
   * @throws DomainError BAD_USER_INPUT for an invalid coordinate, NOT_FOUND for one that is neither used nor
   *   in the graph
   */
  async useOfCoordinate(coordinate: string): Promise<CoordinateUse | null> {
    const { countedAs, isLive } = countedCoordinate(coordinate, this.#live.supergraphSdl);
    const [use = null] = await this.uses.of([[countedAs]]);
    if (isLive || (use && use.requests > 0)) return use;
    throw new DomainError('NOT_FOUND', `Coordinate ${JSON.stringify(coordinate)} not found.`, {
      field: 'coordinate',
      value: coordinate,
      expected: 'a coordinate in the graph, or one whose use is still recorded',
    });
  }

  #publishing(): Publisher {
    if (this.#publisher) return this.#publisher;
    throw new DomainError('SERVICE_UNAVAILABLE', 'The gateway is not ready yet');
  }
}
