/**
 * Checks schemas, and makes them live by inserting the version that follows the one they were checked
 * against.
 */
import type { Principal } from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import { type CheckReport, sdlDigest } from '@rhizome/schema';
import { joinOperations } from '@rhizome/schema/agent-operations';
import { Checker, type CheckerOptions, type GraphChange, type NewMember } from './checker.js';
import { type Graph, type GraphMember, liveGraph } from './graph.js';
import { operationsMember, textsOf } from './operations-member.js';
import { refuse, type RefusalCode, type SchemaRefusal } from './refusal.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaCheckDocument } from './store/schema-check.document.js';
import type { SchemaVersionDocument, VersionKind } from './store/schema-version.document.js';
import type { SubgraphDocument } from './store/subgraph.document.js';
import { versionOf } from './version.js';

/** A supergraph that the engine has accepted but does not serve yet. */
export interface PreparedGraph {
  /** Discards it. */
  discard(): Promise<void>;
}

/** Ports of {@link Publisher}. */
export interface PublisherOptions extends CheckerOptions {
  readonly repository: RegistryRepository;
  /** Builds the engine for a supergraph. Rejects with COMPOSITION_FAILED if it cannot be served. */
  readonly prepare: (supergraphSdl: string) => Promise<PreparedGraph>;
  /** Serves the prepared engine of a version that was inserted. */
  readonly adopt: (version: SchemaVersionDocument, prepared: PreparedGraph) => Promise<void>;
}

/** A schema, and the operations that come with it. */
export interface OfferedSchema {
  readonly sdl: string;
  /** Files of the operations that agents get as tools; null keeps those that are live. */
  readonly agentOperations: readonly string[] | null;
}

/** The publisher, and how to publish. */
export interface PublishCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly acceptBreaking: boolean;
  readonly note: string | null;
}

/** Error codes common to all changes of the graph. */
export type ChangeCode = 'CHECK_FAILED' | 'TOO_MANY_PUBLISHERS';

/** Result of a change. `C` lists the codes of the mutation. */
export interface Published<C extends RefusalCode = ChangeCode> {
  readonly version: SchemaVersionDocument | null;
  readonly check: SchemaCheckDocument | null;
  readonly userErrors: readonly SchemaRefusal<C>[];
}

/** Attempts of a publisher that competes with others; then it gives up. */
const maxAttempts = 10;

/** A planned change of the graph, and its kind. */
interface Plan extends GraphChange {
  readonly kind: VersionKind;
  readonly restoredFrom: number | null;
}

/** Checks and publishes schemas. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #checker: Checker;

  constructor(parts: PublisherOptions) {
    this.#options = parts;
    this.#checker = new Checker(parts);
  }

  /** Checks a schema against the live graph, and records the check. */
  async check(
    registered: SubgraphDocument,
    offered: OfferedSchema,
    principal: Principal,
  ): Promise<SchemaCheckDocument> {
    const graph = await liveGraph(this.#options.repository);
    const { check } = await this.#checker.one(graph, memberOf(registered, offered, graph), principal, false);
    await this.#options.repository.insertCheck(check);
    return check;
  }

  /** Makes a schema live that its endpoint returns. */
  async publish(registered: SubgraphDocument, offered: OfferedSchema, call: PublishCall): Promise<Published> {
    const plan = { kind: 'PUBLISH', subgraph: registered._id, restoredFrom: null } as const;
    return this.#inSequence((graph) => ({ ...plan, members: [memberOf(registered, offered, graph)] }), call);
  }

  /** Makes earlier schemas live again; the running services must still provide everything in them. */
  async restore(
    members: readonly GraphMember[],
    { subgraph, restoredFrom }: { readonly subgraph: string | null; readonly restoredFrom: number },
    call: PublishCall,
  ): Promise<Published> {
    const plan: Plan = { kind: 'ROLLBACK', subgraph, restoredFrom, members };
    // A rollback removes later additions: that is its purpose.
    return this.#inSequence(() => plan, { ...call, acceptBreaking: true });
  }

  /** Removes a subgraph from the graph if nothing in use goes with it, or if the caller accepts that. */
  async withdraw(subgraph: string, call: PublishCall): Promise<Published> {
    const plan: Plan = { kind: 'WITHDRAWAL', subgraph, restoredFrom: null, members: [], withdrawn: subgraph };
    return this.#inSequence(() => plan, call);
  }

  async #inSequence(planOn: (graph: Graph) => Plan, call: PublishCall): Promise<Published> {
    const { repository } = this.#options;
    for (let turn = 0; turn < maxAttempts; turn++) {
      const graph = await liveGraph(repository);
      const plan = planOn(graph);
      if (graph.version && isDone(graph, plan)) {
        return { version: graph.version, check: null, userErrors: [] };
      }
      const published = await this.#tail(graph, plan, call);
      if (published !== 'overtaken') return published;
    }
    const text = `Other publishers were faster ${maxAttempts} times; publish again`;
    return { version: null, check: null, userErrors: [refuse('TOO_MANY_PUBLISHERS', 'subgraph', text)] };
  }

  /**
   * One attempt on top of one version. The publisher that inserts the next number first has checked the live
   * graph; others check again.
   */
  async #tail(graph: Graph, plan: Plan, call: PublishCall): Promise<Published | 'overtaken'> {
    const { repository, prepare, adopt } = this.#options;
    const { principal, acceptBreaking } = call;
    const { check, report } = await this.#checker.change(graph, plan, principal, acceptBreaking);
    const refused = async (text: string): Promise<Published> => {
      await repository.insertCheck(check);
      return { version: null, check, userErrors: [refuse('CHECK_FAILED', 'sdl', text)] };
    };
    if (!check.passed || report.supergraphSdl === null) return refused(summary(check, acceptBreaking));
    let prepared: PreparedGraph;
    try {
      prepared = await prepare(report.supergraphSdl);
    } catch (error) {
      if (!isDomainError(error) || error.code !== 'COMPOSITION_FAILED') throw error;
      return refused(error.message);
    }
    const version = this.#version(graph, plan, report, call);
    const now = this.#options.clock.now();
    for (const [digest, text] of plan.members.flatMap(textsOf)) await repository.saveSdl(digest, text, now);
    if (!(await repository.insertVersion(version))) {
      await prepared.discard();
      return 'overtaken';
    }
    const recorded = { ...check, publishedAs: version.number };
    await repository.insertCheck(recorded);
    await adopt(version, prepared);
    return { version, check: recorded, userErrors: [] };
  }

  #version(
    graph: Graph,
    { kind, subgraph, restoredFrom, members, withdrawn }: Plan,
    { changes, supergraphSdl }: CheckReport,
    { principal, acceptBreaking, note }: PublishCall,
  ): SchemaVersionDocument {
    return versionOf({
      graph,
      members,
      kind,
      subgraph,
      restoredFrom,
      changes,
      supergraphSdl: supergraphSdl ?? '',
      publishedBy: principal.subject,
      acceptedBreaking: acceptBreaking,
      note,
      now: this.#options.clock.now(),
      replaceAll: kind === 'ROLLBACK' && subgraph === null,
      withdrawn,
    });
  }
}

/** The member with a schema, and with the operations that come with it or are live already. */
function memberOf(
  { _id: name, typePrefix, endpoint }: SubgraphDocument,
  { sdl, agentOperations }: OfferedSchema,
  graph: Graph,
): NewMember {
  const live = graph.members.find((member) => member.name === name);
  const operations = agentOperations === null ? live?.agentOperations : joinOperations(agentOperations);
  return { name, typePrefix, endpoint, digest: sdlDigest(sdl), sdl, ...operationsMember(operations) };
}

function isLive(
  { members }: Graph,
  {
    name,
    digest,
    endpoint,
    operationsDigest,
  }: Pick<GraphMember, 'name' | 'digest' | 'endpoint' | 'operationsDigest'>,
) {
  const live = members.find((one) => one.name === name);
  return live?.digest === digest && live.endpoint === endpoint && live.operationsDigest === operationsDigest;
}

function isDone(graph: Graph, { members, withdrawn }: Plan): boolean {
  if (withdrawn !== undefined) return graph.members.every(({ name }) => name !== withdrawn);
  return members.every((member) => isLive(graph, member));
}

function summary({ findings }: SchemaCheckDocument, acceptBreaking: boolean): string {
  const rules = new Map<string, number>();
  for (const { rule } of findings) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  const list = [...rules].map(([rule, count]) => `${rule} ${count}×`).join(', ');
  const onlyBreaking = !acceptBreaking && findings.every(({ rule }) => rule === 'breaking');
  const hint = onlyBreaking ? '; set isBreakingAccepted to publish it anyway' : '';
  return `${findings.length} rule violations (${list || 'composition'})${hint}`;
}
