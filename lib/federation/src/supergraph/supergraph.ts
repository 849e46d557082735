import { type DocumentNode, Kind, print } from 'graphql';
import { inaccessibleName, isMarked, publicDocument } from './public-schema.js';
import { stringArgument } from './directives.js';
import type { RootFieldTags } from './untagged-view.js';

/** One subgraph of a supergraph. */
export interface SubgraphFact {
  readonly name: string;
  readonly url: string;
}

/** A root subscription field that can resume from a cursor, by its directives in the schema. */
export interface ResumableFact {
  readonly argument: string;
  readonly cursor: string;
  /** Argument whose value `LATEST` requests the latest state for slow consumers. */
  readonly latest: string | undefined;
}

/**
 * Facts that the engine reads from a supergraph in addition to the plan: plain data that can be sent to
 * another process.
 */
export interface SupergraphFacts {
  /** Definitions of the public schema, each as SDL. */
  readonly publicDefinitions: readonly string[];
  readonly subgraphs: readonly SubgraphFact[];
  /** Object types of each interface and union, hidden ones included. */
  readonly possibleTypes: Readonly<Record<string, readonly string[]>>;
  /** Values of enums that composition hides from clients. */
  readonly hiddenValues: Readonly<Record<string, readonly string[]>>;
  /** Root subscription fields marked `@resumable`, by name. */
  readonly resumable: Readonly<Record<string, ResumableFact>>;
  /** Root subscription fields marked `@incremental`. */
  readonly incremental: readonly string[];
  /** Fields marked `@perPrincipal`, as `Type.field`. */
  readonly perPrincipal: readonly string[];
  readonly rootFieldTags: RootFieldTags;
}

/** Reads the facts from a supergraph; `publicSchema` is the result of {@link publicDocument}. */
export function readSupergraph(
  supergraph: DocumentNode,
  publicSchema: DocumentNode = publicDocument(supergraph),
): SupergraphFacts {
  return {
    publicDefinitions: publicSchema.definitions.map((node) => print(node)),
    subgraphs: readSubgraphs(supergraph),
    possibleTypes: readPossibleTypes(supergraph),
    hiddenValues: readHiddenValues(supergraph),
    ...readMarks(supergraph),
    rootFieldTags: readRootFieldTags(supergraph),
  };
}

function readSubgraphs(supergraph: DocumentNode): SubgraphFact[] {
  const found: SubgraphFact[] = [];
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.ENUM_TYPE_DEFINITION || node.name.value !== 'join__Graph') continue;
    for (const value of node.values ?? []) {
      const graph = value.directives?.find(({ name }) => name.value === 'join__graph');
      if (graph)
        found.push({ name: stringArgument(graph, 'name') ?? '', url: stringArgument(graph, 'url') ?? '' });
    }
  }
  return found;
}

function readPossibleTypes(supergraph: DocumentNode): Record<string, string[]> {
  const possible: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const node of supergraph.definitions) {
    if (node.kind === Kind.OBJECT_TYPE_DEFINITION) {
      for (const parent of node.interfaces ?? []) (possible[parent.name.value] ??= []).push(node.name.value);
    } else if (node.kind === Kind.UNION_TYPE_DEFINITION) {
      possible[node.name.value] = (node.types ?? []).map(({ name }) => name.value);
    } else if (node.kind === Kind.INTERFACE_TYPE_DEFINITION) {
      possible[node.name.value] ??= [];
    }
  }
  return possible;
}

function readHiddenValues(supergraph: DocumentNode): Record<string, string[]> {
  const inaccessible = inaccessibleName(supergraph);
  const hidden: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.ENUM_TYPE_DEFINITION) continue;
    const values = (node.values ?? []).filter((value) => isMarked(value, inaccessible));
    if (values.length > 0) hidden[node.name.value] = values.map(({ name }) => name.value);
  }
  return hidden;
}

function readMarks(
  supergraph: DocumentNode,
): Pick<SupergraphFacts, 'resumable' | 'incremental' | 'perPrincipal'> {
  const resumable: Record<string, ResumableFact> = Object.create(null) as Record<string, ResumableFact>;
  const incremental: string[] = [];
  const perPrincipal: string[] = [];
  const subscription = rootName(supergraph, 'subscription');
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    for (const field of node.fields ?? []) {
      for (const directive of field.directives ?? []) {
        if (directive.name.value === 'perPrincipal')
          perPrincipal.push(`${node.name.value}.${field.name.value}`);
        if (directive.name.value === 'incremental' && node.name.value === subscription)
          incremental.push(field.name.value);
        if (directive.name.value !== 'resumable' || node.name.value !== subscription) continue;
        const argument = stringArgument(directive, 'argument');
        const cursor = stringArgument(directive, 'cursor');
        const latest = stringArgument(directive, 'latest');
        if (argument && cursor) resumable[field.name.value] = { argument, cursor, latest };
      }
    }
  }
  return { resumable, incremental, perPrincipal };
}

function readRootFieldTags(supergraph: DocumentNode): RootFieldTags {
  const found: Record<string, readonly string[]> = Object.create(null) as Record<string, readonly string[]>;
  const roots = (['query', 'mutation', 'subscription'] as const).map((kind) => rootName(supergraph, kind));
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION || !roots.includes(node.name.value)) continue;
    for (const field of node.fields ?? []) {
      const tags = (field.directives ?? [])
        .filter(({ name }) => name.value === 'tag')
        .map((directive) => stringArgument(directive, 'name') ?? '');
      if (tags.length > 0) found[`${node.name.value}.${field.name.value}`] = tags;
    }
  }
  return found;
}

/** Name of a root type in a supergraph, with or without a schema definition for it. */
export function rootName(supergraph: DocumentNode, operation: 'query' | 'mutation' | 'subscription'): string {
  for (const node of supergraph.definitions) {
    if (node.kind !== Kind.SCHEMA_DEFINITION) continue;
    const root = node.operationTypes.find((type) => type.operation === operation);
    if (root) return root.type.name.value;
  }
  return operation[0]?.toUpperCase() + operation.slice(1);
}
