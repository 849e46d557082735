/** The schema registry as one gateway has it: what is live, who may publish, and what follows when somebody does. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import type { Logger } from '@rhizome/log';
import type { KeysetPage } from '@rhizome/mongo';
import type { SchemaChange } from '@rhizome/schema';
import type { TransportFactory } from '@rhizome/federation';
import { Composer } from './composer.js';
import { type AskEndpoint, endpointAsker } from './endpoint.js';
import { Follower } from './follower.js';
import { offeredSchema, type OfferRefusal } from './offered-schema.js';
import { bringOwn, type OwnSubgraph } from './own.js';
import {
  type ChangeCode,
  type PreparedGraph,
  Publisher,
  type Published,
  type PublishCall,
} from './publisher.js';
import { noteFault, notRegistered, refusedBy, type SchemaRefusal } from './refusal.js';
import { type Registered, registerSubgraph, type Registration } from './registration.js';
import { assertMayChange } from './rights.js';
import { rollBack, type RollbackCode, type RollbackWanted } from './rollback.js';
import type { RegistryRepository } from './store/registry.repository.js';
import { withdraw, type WithdrawalWanted, type Withdrawn } from './withdrawal.js';
import type { SchemaCheckDocument } from './store/schema-check.document.js';
import type { SchemaVersionDocument, SchemaVersionHead } from './store/schema-version.document.js';
import type { SubgraphDocument } from './store/subgraph.document.js';
import type { UsesRepository } from './store/uses.repository.js';
import { countedCoordinate } from './use/counted-coordinate.js';
import { UseRecorder } from './use/recorder.js';
import { type CoordinateUse, UseReader } from './use/use-reader.js';

/** What a registry is opened on. */
export interface RegistryOptions {
  readonly repository: RegistryRepository;
  readonly uses: UsesRepository;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** How endpoints are asked for their schemas. */
  readonly transports: TransportFactory;
  readonly own: OwnSubgraph;
}

/** What a registry needs of the gateway that serves its graph. */
export interface Serving {
  prepare(supergraphSdl: string): Promise<PreparedGraph>;
  /** Serves what was prepared; or another supergraph, where nothing was. */
  serve(graph: PreparedGraph): Promise<void>;
}

type CheckRefusal = OfferRefusal | SchemaRefusal<'SUBGRAPH_NOT_FOUND'>;
type PublishCode = ChangeCode | CheckRefusal['code'];

/** How a gateway stands to the registry. */
export interface GraphFacts {
  readonly servedVersion: number;
  /** The newest version that could not be served here; 0 when there was none. */
  readonly refusedVersion: number;
  /** Whether new versions are seen at present. */
  readonly isFollowed: boolean;
}

/** Differences between versions that are kept. */
const keptDiffs = 20;

/** See the head of this file. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #composer = new Composer();
  readonly #askEndpoint: AskEndpoint;
  readonly recorder: UseRecorder;
  readonly uses: UseReader;
  #publisher: Publisher | undefined;
  /** Versions never change, and neither does what differs between two of them. */
  readonly #diffs = new LRUCache<string, readonly SchemaChange[]>({ max: keptDiffs });
  #follower: Follower | undefined;
  #serving: Serving | undefined;
  #live: SchemaVersionDocument;
  #registered: readonly SubgraphDocument[] = [];
  #adopting: Promise<void> = Promise.resolve();
  #refusedVersion = 0;

  private constructor(options: RegistryOptions, live: SchemaVersionDocument) {
    this.#options = options;
    this.#live = live;
    this.#askEndpoint = endpointAsker(options.transports);
    const { uses, clock, log } = options;
    this.recorder = new UseRecorder({ uses, clock, log });
    this.uses = new UseReader(uses, clock);
  }

  /** Opens the registry; one that is empty gets a first version, which has what the gateway adds itself. */
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

  /** Registered subgraphs by name, as last seen. */
  get registered(): readonly SubgraphDocument[] {
    return this.#registered;
  }

  /** How this gateway stands to the registry. What is served stays served when the store is away. */
  get facts(): GraphFacts {
    return {
      servedVersion: this.#live.number,
      refusedVersion: this.#refusedVersion,
      isFollowed: this.#follower?.isConnected ?? false,
    };
  }

  /** From now on what is published is served. */
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
    this.#follower = new Follower({ repository, log, look: () => this.#look() });
  }

  /** Ends in order: what was counted is written. */
  async close(): Promise<void> {
    await this.#follower?.close();
    await this.#adopting;
    await this.recorder.close();
    await this.#composer.close();
  }

  async #look(): Promise<void> {
    const { repository } = this.#options;
    this.#registered = await repository.subgraphs();
    const latest = await repository.latest();
    if (latest) await this.#adopt(latest);
  }

  /** Serves a version, unless it or a later one is served already. One after the other; older ones are skipped. */
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
      // What retires is waited for by nobody: its last operations may take long.
      this.#serving
        .serve(graph)
        .catch((error: unknown) => log.error({ err: error }, 'closing the previous graph failed'));
      log.info(
        { version: version.number, subgraph: version.subgraph, ms: Math.round(performance.now() - started) },
        'serving a new version of the graph',
      );
    } catch (error) {
      this.#refusedVersion = version.number;
      log.error({ err: error, version: version.number }, 'schema version rejected');
    }
  }

  /** Registers a subgraph. @throws DomainError FORBIDDEN */
  async register(registration: Registration, principal: Principal): Promise<Registered> {
    const { repository, own, clock } = this.#options;
    const registered = await registerSubgraph({ repository, own, clock }, registration, principal);
    this.#registered = await repository.subgraphs();
    return registered;
  }

  /** Checks a schema. @throws DomainError FORBIDDEN */
  async check(
    { subgraph, sdl }: { readonly subgraph: string; readonly sdl: string | null },
    { principal, requestId }: Pick<PublishCall, 'principal' | 'requestId'>,
  ): Promise<{ readonly check: SchemaCheckDocument | null; readonly userErrors: readonly CheckRefusal[] }> {
    const registered = await this.#options.repository.subgraph(subgraph);
    if (!registered) return { check: null, userErrors: [notRegistered(subgraph)] };
    const offer = { registered, given: sdl, match: 'unchecked' as const };
    const schema = await offeredSchema(this.#askEndpoint, offer, { principal, requestId });
    if (typeof schema !== 'string') return { check: null, userErrors: [schema] };
    return { check: await this.#publishing().check(registered, schema, principal), userErrors: [] };
  }

  /** Makes a schema live. @throws DomainError FORBIDDEN */
  async publish(
    { subgraph, sdl }: { readonly subgraph: string; readonly sdl: string | null },
    call: PublishCall,
  ): Promise<Published<PublishCode>> {
    const registered = await this.#options.repository.subgraph(subgraph);
    if (!registered) return refusedBy(notRegistered(subgraph));
    assertMayChange(call.principal, registered, 'schema:publish');
    const fault = noteFault(call.note);
    if (fault) return refusedBy(fault);
    const offer = { registered, given: sdl, match: 'equal' as const };
    const schema = await offeredSchema(this.#askEndpoint, offer, call);
    if (typeof schema !== 'string') return refusedBy(schema);
    return this.#publishing().publish(registered, schema, call);
  }

  /** Takes earlier schemas up again. @throws DomainError FORBIDDEN */
  rollback(wanted: RollbackWanted, call: PublishCall): Promise<Published<RollbackCode>> {
    const { repository, own } = this.#options;
    const parts = { repository, own, askEndpoint: this.#askEndpoint, publisher: this.#publishing() };
    return rollBack(parts, wanted, call);
  }

  /** Takes a subgraph out of the graph. @throws DomainError FORBIDDEN */
  async withdraw(wanted: WithdrawalWanted, call: PublishCall): Promise<Withdrawn> {
    const { repository } = this.#options;
    const withdrawn = await withdraw({ repository, publisher: this.#publishing() }, wanted, call);
    this.#registered = await repository.subgraphs();
    return withdrawn;
  }

  /** Versions below a number, the newest first. */
  versions(first: number, after: string | null | undefined): Promise<KeysetPage<SchemaVersionHead>> {
    return this.#options.repository.versionPage(first, after);
  }

  /** What is stored of a version, without its supergraph; null where there is none of that number. */
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

  /** A version; without a number the live one. */
  version(number: number | null): Promise<SchemaVersionDocument | null> {
    return number === null ? Promise.resolve(this.#live) : this.#options.repository.version(number);
  }

  /** What clients see change between two versions; null when one of them is not there. */
  async diff(from: number, to: number): Promise<readonly SchemaChange[] | null> {
    const { repository } = this.#options;
    const [before, after] = await Promise.all([repository.version(from), repository.version(to)]);
    if (!before || !after) return null;
    // A version is stored with what it changed in the one before it.
    if (to === from + 1) return after.changes;
    const key = `${from} ${to}`;
    const known = this.#diffs.get(key);
    if (known) return known;
    const changes = await this.#composer.compare(before.supergraphSdl, after.supergraphSdl);
    this.#diffs.set(key, changes);
    return changes;
  }

  /** SDLs by digest. */
  sdls(digests: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#options.repository.sdls(digests);
  }

  /** Who uses places; see {@link UseReader.of}. */
  useOf(places: readonly (readonly string[])[]): Promise<readonly (CoordinateUse | null)[]> {
    return this.uses.of(places);
  }

  /**
   * Who uses the place of a coordinate; null while nothing is recorded. What is no longer in the graph is still told while its use is recorded.
   * @throws DomainError BAD_USER_INPUT for what is no coordinate, NOT_FOUND for one that nobody has used and the graph does not have
   */
  async useOfCoordinate(coordinate: string): Promise<CoordinateUse | null> {
    const { countedAs, isLive } = countedCoordinate(coordinate, this.#live.supergraphSdl);
    const [use = null] = await this.uses.of([[countedAs]]);
    if (isLive || (use && use.requests > 0)) return use;
    throw new DomainError('NOT_FOUND', `coordinate: the graph has no ${JSON.stringify(coordinate)}`, {
      field: 'coordinate',
      value: coordinate,
      expected: 'a place of the graph, or one whose use is still recorded',
    });
  }

  #publishing(): Publisher {
    if (this.#publisher) return this.#publisher;
    throw new DomainError('SERVICE_UNAVAILABLE', 'The gateway is not ready yet');
  }
}
