/** Checks the next state of the graph and returns the findings as a document that can be stored. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Principal } from '@rhizome/authz';
import { type CheckReport, type Finding, finding, sdlDigest } from '@rhizome/schema';
import type { Composer } from './composer.js';
import { type Graph, type GraphMember, ruled } from './graph.js';
import type { SchemaCheckDocument } from './store/schema-check.document.js';
import { mostChanges } from './store/schema-version.document.js';
import type { CoordinateUse, UseReader } from './use/use-reader.js';
import { countsOf } from './version.js';

/** A member as it would be in the next version. */
export type NewMember = Omit<GraphMember, 'sinceVersion'>;

/** The planned change of the graph: the members that change. */
export interface GraphChange {
  /** Null if several members change. */
  readonly subgraph: string | null;
  readonly members: readonly NewMember[];
  /** The member that is removed. */
  readonly withdrawn?: string | undefined;
}

/** Result of a check. */
export interface Checked {
  readonly check: SchemaCheckDocument;
  readonly report: CheckReport;
}

/** Ports of {@link Checker}. */
export interface CheckerOptions {
  readonly composer: Composer;
  readonly uses: UseReader;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Checks schemas. It writes nothing. */
export class Checker {
  readonly #composer: Composer;
  readonly #uses: UseReader;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor({ composer, uses, clock, ids }: CheckerOptions) {
    this.#composer = composer;
    this.#uses = uses;
    this.#clock = clock;
    this.#ids = ids;
  }

  /**
   * A single subgraph is checked by all rules. Several at once (only in a rollback of everything) and the
   * remainder after a withdrawal are checked for composition and breaking changes.
   */
  async change(
    graph: Graph,
    { members, subgraph, withdrawn }: GraphChange,
    principal: Principal,
    acceptBreaking: boolean,
  ): Promise<Checked> {
    const [only, ...more] = members;
    if (only && more.length === 0) return this.one(graph, only, principal, acceptBreaking);
    const all =
      withdrawn === undefined
        ? members.map((member) => ruled({ ...member, sinceVersion: 1 }))
        : graph.members.filter(({ name }) => name !== withdrawn).map(ruled);
    const liveSupergraphSdl = graph.supergraphSdl;
    const composed = await this.#composer.compose({ subgraphs: all, liveSupergraphSdl });
    const { result, changes, brokenOperations } = composed;
    const findings = result.ok
      ? []
      : result.faults.map(({ code, message }) => finding('composition', '', `${code}: ${message}`));
    const report: CheckReport = {
      findings,
      changes,
      supergraphSdl: result.ok ? result.supergraphSdl : null,
      publicSdl: null,
      brokenOperations,
    };
    const leaving = graph.members.find(({ name }) => name === withdrawn);
    const digest = leaving?.digest ?? sdlDigest(members.map(({ sdl }) => sdl).join('\n'));
    const breaking = acceptBreaking ? [] : await this.#breaking(report);
    return {
      check: this.#document(graph, { name: subgraph ?? '*', digest }, report, breaking, principal),
      report,
    };
  }

  /** Checks one subgraph by all rules. */
  async one(
    graph: Graph,
    member: NewMember,
    principal: Principal,
    acceptBreaking: boolean,
  ): Promise<Checked> {
    const others = graph.members.filter(({ name }) => name !== member.name).map(ruled);
    const candidate = ruled({ ...member, sinceVersion: 1 });
    const liveSupergraphSdl = graph.supergraphSdl;
    const report = await this.#composer.check({ candidate, others, liveSupergraphSdl });
    const breaking = acceptBreaking ? [] : await this.#breaking(report);
    return { check: this.#document(graph, member, report, breaking, principal), report };
  }

  /**
   * Breaking changes of elements that are in use, or that are not yet known to be unused, and operations of
   * agents that the change breaks.
   */
  async #breaking({
    changes,
    brokenOperations,
  }: Pick<CheckReport, 'changes' | 'brokenOperations'>): Promise<readonly Finding[]> {
    const breaking = changes.filter(({ severity }) => severity === 'BREAKING');
    const uses = await this.#uses.of(breaking.map(({ usedAs }) => usedAs));
    const found = breaking.flatMap(({ where, message }, index) => {
      const use = uses[index];
      if (use?.isUnused) return [];
      return [finding('breaking', where, `${message}. ${use ? usedBy(use) : 'Use is not recorded.'}`)];
    });
    return [...found, ...brokenOperations];
  }

  #document(
    graph: Graph,
    { name, digest }: { readonly name: string; readonly digest: string },
    report: CheckReport,
    breaking: readonly Finding[],
    { subject }: Principal,
  ): SchemaCheckDocument {
    const now = this.#clock.now();
    const findings = [...report.findings, ...breaking];
    return {
      _id: this.#ids.next('schemaCheck'),
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
}

function usedBy(use: CoordinateUse): string {
  const since = use.recordedSince.toISOString().slice(0, 10);
  if (use.requests === 0) return `No use since ${since}, which is less than 30 days.`;
  const clients = use.clients
    .slice(0, 3)
    .map(({ client, version, requests }) => `${client} ${version} (${requests})`);
  const more = use.clients.length > 3 ? ` and ${use.clients.length - 3} more clients` : '';
  return `Used ${use.requests} times in the last 30 days, the last time on ${use.lastUsedOn ?? ''}, by ${clients.join(', ')}${more}.`;
}
