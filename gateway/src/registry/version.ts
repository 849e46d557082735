/** The next version of the graph. */
import type { SchemaChange } from '@rhizome/schema';
import type { Graph, GraphMember } from './graph.js';
import {
  type ChangeCounts,
  mostChanges,
  type SchemaVersionDocument,
  type VersionKind,
  versionId,
} from './store/schema-version.document.js';

/** Parts of the next version. */
export interface VersionInit {
  readonly graph: Graph;
  /** Members that change; the others stay in the graph unless all are replaced. */
  readonly members: readonly Omit<GraphMember, 'sinceVersion'>[];
  readonly replaceAll: boolean;
  /** The member that is removed; null if none is. */
  readonly withdrawn?: string | null | undefined;
  readonly kind: VersionKind;
  readonly subgraph: string | null;
  readonly restoredFrom: number | null;
  readonly changes: readonly SchemaChange[];
  readonly supergraphSdl: string;
  readonly publishedBy: string;
  readonly acceptedBreaking: boolean;
  readonly note: string | null;
  readonly now: Date;
}

/** The version that follows a graph. */
export function versionOf(init: VersionInit): SchemaVersionDocument {
  const { graph, members, replaceAll, withdrawn, changes, now, ...rest } = init;
  const { kind, subgraph, restoredFrom, supergraphSdl, publishedBy, acceptedBreaking, note } = rest;
  const number = graph.number + 1;
  const known = new Map(graph.members.map((member) => [member.name, member]));
  const changed = members.map(({ sdl: _sdl, agentOperations: _operations, ...member }) => {
    const before = known.get(member.name);
    return { ...member, sinceVersion: before?.digest === member.digest ? before.sinceVersion : number };
  });
  const names = new Set(changed.map(({ name }) => name));
  const kept = replaceAll
    ? []
    : graph.members
        .filter(({ name }) => !names.has(name) && name !== withdrawn)
        .map(({ sdl: _sdl, agentOperations: _operations, ...member }) => member);
  const subgraphs = [...kept, ...changed].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    _id: versionId(number),
    schemaVersion: 1,
    revision: 1,
    createdAt: now,
    updatedAt: now,
    number,
    kind,
    subgraph,
    restoredFrom,
    publishedBy,
    note,
    acceptedBreaking: acceptedBreaking && changes.some(({ severity }) => severity === 'BREAKING'),
    changes: changes.slice(0, mostChanges),
    changeCounts: countsOf(changes),
    subgraphs,
    supergraphSdl,
  };
}

/** Number of changes by severity. */
export function countsOf(changes: readonly SchemaChange[]): ChangeCounts {
  const count = (severity: SchemaChange['severity']): number =>
    changes.filter((change) => change.severity === severity).length;
  return { breaking: count('BREAKING'), dangerous: count('DANGEROUS'), safe: count('SAFE') };
}
