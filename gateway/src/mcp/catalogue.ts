/** The tools of a version of the graph. */
import type { Principal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import type { Engine } from '@rhizome/federation';
import type { Logger } from '@rhizome/log';
import {
  type CheckedOperation,
  checkOperations,
  distinctTools,
  type OfferingSubgraph,
} from '@rhizome/schema/agent-operations';
import type { GraphQLSchema } from 'graphql';
import type { GatewayLimits, RateLimiter } from '../policy/index.js';
import { fixedToolsOf } from './tools/index.js';
import { fits } from './tools/document-tool.js';
import { operationTool } from './tools/operation-tool.js';
import { createProposalText } from './tools/propose.js';
import type { LimitsOf } from './tools/my-limits.js';
import type { Tool } from './tools/tool.js';

/** Operations that subgraphs offer, and the version of the graph to which they belong. */
export interface OfferedOperations {
  /** Changes with the operations. */
  readonly version: number;
  readonly read: () => Promise<readonly OfferingSubgraph[]>;
}

/** Ports of {@link Catalogues}. */
export interface CatalogueOptions {
  readonly engine: () => Engine;
  readonly offered: () => OfferedOperations;
  readonly limits: Pick<GatewayLimits, 'assumedListSize'>;
  readonly rates: RateLimiter | undefined;
  readonly limitsOf: LimitsOf;
  /** Offers `run_query`. */
  readonly runsQueries: boolean;
  readonly log: Logger;
}

/** All tools, by name. Who sees which depends on rights alone. */
export class Catalogue {
  readonly #tools: ReadonlyMap<string, Tool>;

  constructor(tools: readonly Tool[]) {
    const sorted = [...tools].sort((a, b) => (a.definition.name < b.definition.name ? -1 : 1));
    this.#tools = new Map(sorted.map((tool) => [tool.definition.name, tool]));
  }

  /** Tools that a caller may see, by name. */
  of(principal: Principal | undefined): readonly Tool[] {
    return [...this.#tools.values()].filter((tool) => tool.isFor(principal));
  }

  /** The tool with a name; undefined for one that does not exist, and for one that the caller may not see. */
  find(name: string, principal: Principal | undefined): Tool | undefined {
    const tool = this.#tools.get(name);
    return tool?.isFor(principal) ? tool : undefined;
  }
}

interface Made {
  readonly engine: Engine;
  readonly version: number;
  readonly catalogue: Promise<Catalogue>;
}

/** Makes the catalogue of each version of the graph once. */
export class Catalogues {
  readonly #options: CatalogueOptions;
  #made: Made | undefined;
  #lastGood: Catalogue | undefined;

  constructor(options: CatalogueOptions) {
    this.#options = options;
  }

  /**
   * The catalogue of the graph that is served, or the last one if the operations cannot be read.
   * @throws DomainError SERVICE_UNAVAILABLE if there was none
   */
  async current(): Promise<Catalogue> {
    const engine = this.#options.engine();
    const offered = this.#options.offered();
    const { version } = offered;
    if (this.#made?.engine !== engine || this.#made.version !== version)
      this.#made = { engine, version, catalogue: this.#make(engine.publicSchema, offered) };
    const made = this.#made;
    try {
      return (this.#lastGood = await made.catalogue);
    } catch (error) {
      // The next call tries again.
      if (this.#made === made) this.#made = undefined;
      this.#options.log.warn({ err: error, version }, 'operations of agents could not be read');
      if (this.#lastGood) return this.#lastGood;
      throw new DomainError('SERVICE_UNAVAILABLE', 'The tools cannot be read now; try again');
    }
  }

  async #make(schema: GraphQLSchema, offered: OfferedOperations): Promise<Catalogue> {
    const { limits, rates, limitsOf, runsQueries, log } = this.#options;
    const hasProposals = fits(schema, createProposalText);
    const found: CheckedOperation[] = [];
    const leaveOut = (fault: object): void =>
      log.warn({ ...fault, version: offered.version }, 'operation of agents left out');
    const subgraphs = await offered.read();
    const ofExperiments = subgraphs.filter(({ typePrefix }) => typePrefix !== null);
    const experiments = new Set(ofExperiments.map(({ name }) => name));
    for (const subgraph of subgraphs) {
      // The validation of one subgraph's operations takes some milliseconds.
      await nextLoopTurn();
      const { operations, faults } = checkOperations(subgraph, schema);
      faults.forEach(leaveOut);
      found.push(...operations);
    }
    const { operations, faults } = distinctTools(found);
    faults.forEach(leaveOut);
    const usable = operations.filter(({ stakes }) => stakes === null || hasProposals);
    const tools = [
      ...fixedToolsOf({ schema, limits, rates, limitsOf, runsQueries, experiments }),
      ...usable.map((operation) => operationTool(operation)),
    ];
    return new Catalogue(tools);
  }
}

function nextLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
