/** The subgraphs as this gateway sees them: registration, live schema and state. */
import type { GuardFacts, Guards } from '../../transports/index.js';
import type { Registry } from '../registry.js';
import type { SchemaVersionHead, VersionSubgraph } from '../store/schema-version.document.js';
import type { SubgraphMapper } from './schema.mappers.js';

/** Sources of {@link SubgraphList}. */
export interface SubgraphListOptions {
  readonly registry: () => Registry | undefined;
  readonly guards: Guards;
  /** Subgraphs of the supergraph that is served. */
  readonly served: () => readonly { readonly name: string; readonly url: string }[];
  /** Name of the gateway's own subgraph, which is not listed. */
  readonly ownName: string;
}

/** Lists the subgraphs. */
export class SubgraphList {
  readonly #options: SubgraphListOptions;

  constructor(parts: SubgraphListOptions) {
    this.#options = parts;
  }

  /** All subgraphs, by name. */
  all(): readonly SubgraphMapper[] {
    const { registry, served, ownName } = this.#options;
    const names = [
      ...served().map(({ name }) => name),
      ...(registry()?.registered ?? []).map(({ _id }) => _id),
    ];
    return [...new Set(names)]
      .filter((name) => name !== ownName)
      .sort()
      .flatMap((name) => this.one(name) ?? []);
  }

  /** A subgraph by name; undefined if it is neither served nor registered. */
  one(name: string): SubgraphMapper | undefined {
    const { registry, guards, served } = this.#options;
    const live = served().find((one) => one.name === name);
    const registered = registry()?.registered.find(({ _id }) => _id === name);
    if (!live && !registered) return undefined;
    const member = registry()?.live.subgraphs.find((one) => one.name === name);
    const facts: GuardFacts = guards.of(name).facts;
    return {
      name,
      typePrefix: registered?.typePrefix ?? member?.typePrefix ?? null,
      pendingEndpoint: registered?.pendingEndpoint ?? null,
      endpoint: registered?.endpoint ?? live?.url ?? '',
      isLive: live !== undefined,
      member,
      facts,
    };
  }

  /** The version that introduced a member's schema. */
  async publication(member: VersionSubgraph | undefined): Promise<SchemaVersionHead | null> {
    const registry = this.#options.registry();
    if (!member || !registry) return null;
    return registry.versionHead(member.sinceVersion);
  }
}
