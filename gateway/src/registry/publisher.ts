/** Checks schemas, and makes them live: by inserting the version that follows the one they were checked against. */
import type { Clock, Principal } from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import type { Ids } from '@rhizome/mongo';
import {
  type CheckReport,
  completeSdl,
  type Finding,
  finding,
  type SchemaChange,
  sdlDigest,
} from '@rhizome/schema';
import type { Composer } from './composer.js';
import { type AskEndpoint, differences } from './endpoint.js';
import { type Graph, type GraphMember, liveGraph, ruled } from './graph.js';
import { refuse, type SchemaRefusal } from './refusal.js';
import type { RegistryRepository } from './store/registry.repository.js';
import type { SchemaCheckDocument } from './store/schema-check.document.js';
import {
  mostChanges,
  type SchemaVersionDocument,
  type VersionKind,
} from './store/schema-version.document.js';
import { countsOf, versionOf } from './version.js';
import type { SubgraphDocument } from './store/subgraph.document.js';
import type { UseReader } from './use/use-reader.js';

/** A supergraph that the engine has accepted, and that is not served yet. */
export interface PreparedGraph {
  /** Lets go of it. */
  discard(): Promise<void>;
}

/** What a publisher is made of. */
export interface PublisherParts {
  readonly repository: RegistryRepository;
  readonly composer: Composer;
  readonly uses: UseReader;
  readonly askEndpoint: AskEndpoint;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Builds what would serve a supergraph. Rejects with COMPOSITION_FAILED when it cannot be served. */
  readonly prepare: (supergraphSdl: string) => Promise<PreparedGraph>;
  /** Serves what was prepared for a version that was inserted. */
  readonly adopt: (version: SchemaVersionDocument, prepared: PreparedGraph) => Promise<void>;
}

/** Who publishes, and how. */
export interface PublishCall {
  readonly principal: Principal;
  readonly requestId: string;
  readonly acceptBreaking: boolean;
  readonly note: string | null;
}

/** What came of it. */
export interface Published {
  readonly version: SchemaVersionDocument | null;
  readonly check: SchemaCheckDocument | null;
  readonly userErrors: readonly SchemaRefusal[];
}

/** Who publishes at once takes turns; this many turns are lost before it is given up. */
const mostTurns = 10;

/** What is to become of the graph: the members that change. */
interface Plan {
  readonly kind: VersionKind;
  readonly subgraph: string | null;
  readonly restoredFrom: number | null;
  readonly members: readonly Omit<GraphMember, 'sinceVersion'>[];
  /** The member that leaves. */
  readonly withdrawn?: string | undefined;
}

/** See the head of this file. */
export class Publisher {
  readonly #parts: PublisherParts;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** The schema as it would be published; what its endpoint answers where none is given. */
  async schemaOf(
    registered: SubgraphDocument,
    given: string | null,
    call: Pick<PublishCall, 'principal' | 'requestId'>,
    match: 'equal' | 'unchecked' = 'equal',
  ): Promise<string | SchemaRefusal> {
    if (given !== null && match === 'unchecked') return complete(given);
    let served: string;
    try {
      const { _id: subgraph, endpoint } = registered;
      served = await this.#parts.askEndpoint({ subgraph, endpoint, ...call });
    } catch (error) {
      if (!isDomainError(error)) throw error;
      return refuse('ENDPOINT_DIFFERS', 'subgraph', `${registered.endpoint}: ${error.message}`);
    }
    if (given === null) return complete(served);
    const completed = complete(given);
    if (typeof completed !== 'string') return completed;
    const differing = differences(completed, served);
    if (differing.length === 0) return completed;
    const text = `${registered.endpoint} answers with another schema; it differs in ${differing.slice(0, 10).join(', ')}. ${finding('endpoint', '', '').cure}`;
    return refuse('ENDPOINT_DIFFERS', 'sdl', text);
  }

  /** Checks a schema against what is live, and records the check. */
  async check(registered: SubgraphDocument, sdl: string, principal: Principal): Promise<SchemaCheckDocument> {
    const graph = await liveGraph(this.#parts.repository);
    const { check } = await this.#check(graph, memberOf(registered, sdl), principal, false);
    await this.#parts.repository.insertCheck(check);
    return check;
  }

  /** Makes a schema live, which its endpoint answers with. */
  async publish(registered: SubgraphDocument, sdl: string, call: PublishCall): Promise<Published> {
    const plan: Plan = {
      kind: 'PUBLISH',
      subgraph: registered._id,
      restoredFrom: null,
      members: [memberOf(registered, sdl)],
    };
    return this.#inTurns(plan, call);
  }

  /** Makes earlier schemas live again; what serves them now must have all that they promise. */
  async restore(
    members: readonly GraphMember[],
    { subgraph, restoredFrom }: { readonly subgraph: string | null; readonly restoredFrom: number },
    call: PublishCall,
  ): Promise<Published> {
    const plan: Plan = { kind: 'ROLLBACK', subgraph, restoredFrom, members };
    // A rollback takes away what came since: that is what it is for.
    return this.#inTurns(plan, { ...call, acceptBreaking: true });
  }

  /** Takes a subgraph out of the graph, if nothing that is used goes with it, or its loss is accepted. */
  async withdraw(subgraph: string, call: PublishCall): Promise<Published> {
    const plan: Plan = { kind: 'WITHDRAWAL', subgraph, restoredFrom: null, members: [], withdrawn: subgraph };
    return this.#inTurns(plan, call);
  }

  async #inTurns(plan: Plan, call: PublishCall): Promise<Published> {
    const { repository } = this.#parts;
    for (let turn = 0; turn < mostTurns; turn++) {
      const graph = await liveGraph(repository);
      if (graph.version && isDone(graph, plan)) {
        return { version: graph.version, check: null, userErrors: [] };
      }
      const published = await this.#turn(graph, plan, call);
      if (published !== 'overtaken') return published;
    }
    const text = `others published ${mostTurns} times while this was checked; publish again`;
    return { version: null, check: null, userErrors: [refuse('TOO_MANY_PUBLISHERS', 'subgraph', text)] };
  }

  /** One try on top of one version. Whoever inserts the next number first has checked what is then live; others check again. */
  async #turn(graph: Graph, plan: Plan, call: PublishCall): Promise<Published | 'overtaken'> {
    const { repository, prepare, adopt } = this.#parts;
    const { principal, acceptBreaking } = call;
    const { check, report } = await this.#checkAll(graph, plan, principal, acceptBreaking);
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
    const now = this.#parts.clock.now();
    for (const { digest, sdl } of plan.members) await repository.putSdl(digest, sdl, now);
    if (!(await repository.insertVersion(version))) {
      await prepared.discard();
      return 'overtaken';
    }
    const recorded = { ...check, publishedAs: version.number };
    await repository.insertCheck(recorded);
    await adopt(version, prepared);
    return { version, check: recorded, userErrors: [] };
  }

  /**
   * One subgraph is checked by all rules. Several at once, which only a rollback of everything has, and what stays when
   * one is taken out, are checked by composition and by what breaks.
   */
  async #checkAll(
    graph: Graph,
    { members, subgraph, withdrawn }: Plan,
    principal: Principal,
    acceptBreaking: boolean,
  ): Promise<{ check: SchemaCheckDocument; report: CheckReport }> {
    const [only, ...more] = members;
    if (only && more.length === 0) return this.#check(graph, only, principal, acceptBreaking);
    const all =
      withdrawn === undefined
        ? members.map((member) => ruled({ ...member, sinceVersion: 1 }))
        : graph.members.filter(({ name }) => name !== withdrawn).map(ruled);
    const liveSupergraphSdl = graph.supergraphSdl;
    const { result, changes } = await this.#parts.composer.compose({ subgraphs: all, liveSupergraphSdl });
    const findings = result.ok
      ? []
      : result.faults.map(({ code, message }) => finding('composition', '', `${code}: ${message}`));
    const report: CheckReport = {
      findings,
      changes,
      supergraphSdl: result.ok ? result.supergraphSdl : null,
      publicSdl: null,
    };
    const leaving = graph.members.find(({ name }) => name === withdrawn);
    const digest = leaving?.digest ?? sdlDigest(members.map(({ sdl }) => sdl).join('\n'));
    const breaking = acceptBreaking ? [] : await this.#breaking(changes);
    return {
      check: this.#checkDocument(graph, { name: subgraph ?? '*', digest }, report, breaking, principal),
      report,
    };
  }

  async #check(
    graph: Graph,
    member: Omit<GraphMember, 'sinceVersion'>,
    principal: Principal,
    acceptBreaking: boolean,
  ): Promise<{ check: SchemaCheckDocument; report: CheckReport }> {
    const others = graph.members.filter(({ name }) => name !== member.name).map(ruled);
    const candidate = ruled({ ...member, sinceVersion: 1 });
    const liveSupergraphSdl = graph.supergraphSdl;
    const report = await this.#parts.composer.check({ candidate, others, liveSupergraphSdl });
    const breaking = acceptBreaking ? [] : await this.#breaking(report.changes);
    return { check: this.#checkDocument(graph, member, report, breaking, principal), report };
  }

  /** Breaking changes of what somebody uses, or of what nobody can yet say that nobody uses it. */
  async #breaking(changes: readonly SchemaChange[]): Promise<readonly Finding[]> {
    const breaking = changes.filter(({ severity }) => severity === 'BREAKING');
    const uses = await this.#parts.uses.of(breaking.map(({ usedAs }) => usedAs));
    return breaking.flatMap(({ where, message }, index) => {
      const use = uses[index];
      if (use?.isUnused) return [];
      return [finding('breaking', where, `${message}. ${use ? usedBy(use) : 'No use is recorded here.'}`)];
    });
  }

  #checkDocument(
    graph: Graph,
    { name, digest }: { readonly name: string; readonly digest: string },
    report: CheckReport,
    breaking: readonly Finding[],
    { subject }: Principal,
  ): SchemaCheckDocument {
    const { clock, ids } = this.#parts;
    const now = clock.now();
    const findings = [...report.findings, ...breaking];
    return {
      _id: ids.next('schemaCheck'),
      schemaVersion: 1,
      revision: 1,
      createdAt: now,
      updatedAt: now,
      subgraph: name,
      passed: findings.length === 0 && report.supergraphSdl !== null,
      againstVersion: graph.number,
      digest,
      findings: findings.slice(0, mostChanges),
      changes: report.changes.slice(0, mostChanges),
      changeCounts: countsOf(report.changes),
      checkedBy: subject,
      publishedAs: null,
    };
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
      now: this.#parts.clock.now(),
      replaceAll: kind === 'ROLLBACK' && subgraph === null,
      withdrawn,
    });
  }
}

/** Characters of a subgraph's schema. */
const longestSdl = 2_000_000;

function complete(sdl: string): string | SchemaRefusal {
  if (sdl.length > longestSdl) {
    return refuse('INVALID_VALUE', 'sdl', `it has ${sdl.length} characters; expected at most ${longestSdl}`);
  }
  try {
    return completeSdl(sdl);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return refuse('INVALID_VALUE', 'sdl', `it does not parse: ${text}`);
  }
}

function memberOf({ _id: name, typePrefix, endpoint }: SubgraphDocument, sdl: string) {
  return { name, typePrefix, endpoint, digest: sdlDigest(sdl), sdl };
}

function isLive(
  { members }: Graph,
  { name, digest, endpoint }: Pick<GraphMember, 'name' | 'digest' | 'endpoint'>,
) {
  return members.some((one) => one.name === name && one.digest === digest && one.endpoint === endpoint);
}

function isDone(graph: Graph, { members, withdrawn }: Plan): boolean {
  if (withdrawn !== undefined) return graph.members.every(({ name }) => name !== withdrawn);
  return members.every((member) => isLive(graph, member));
}

function usedBy(use: NonNullable<Awaited<ReturnType<UseReader['of']>>[number]>): string {
  const since = use.recordedSince.toISOString().slice(0, 10);
  if (use.requests === 0) return `Nobody has used it since ${since}, which is not 30 days yet.`;
  const clients = use.clients
    .slice(0, 3)
    .map(({ client, version, requests }) => `${client} ${version} (${requests})`);
  const more = use.clients.length > 3 ? ` and ${use.clients.length - 3} more clients` : '';
  return `It was used ${use.requests} times in the last 30 days, the last time on ${use.lastUsedOn ?? ''}, by ${clients.join(', ')}${more}.`;
}

function summary({ findings }: SchemaCheckDocument, acceptBreaking: boolean): string {
  const rules = new Map<string, number>();
  for (const { rule } of findings) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  const list = [...rules].map(([rule, count]) => `${rule} ${count}×`).join(', ');
  const onlyBreaking = !acceptBreaking && findings.every(({ rule }) => rule === 'breaking');
  const hint = onlyBreaking ? '; acceptBreaking publishes it all the same' : '';
  return `${findings.length} rules are not kept (${list || 'composition'})${hint}`;
}
