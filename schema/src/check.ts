/**
 * The check of one subgraph's schema among the others: everything that can be said without a running service.
 */
import { brokenBy, operationFindings } from './agent-operations/findings.js';
import { compareSchemas, type SchemaChange } from './changes.js';
import { compose, type CompositionFault } from './compose.js';
import { type Finding, finding } from './findings.js';
import { checkAmongOthers, type RuledSubgraph } from './graph-rules.js';
import { checkExperimentSchema, definedTypes, isMutationTypeName } from './rules.js';
import { ownDocument } from './shared-definitions.js';

/** A subgraph of the graph. */
export interface GraphSubgraph extends RuledSubgraph {
  readonly url: string;
  /** Files of the operations that agents get as tools, as one text. */
  readonly agentOperations?: string | undefined;
}

/** Input of a check. */
export interface CheckInput {
  readonly candidate: GraphSubgraph;
  /** All other subgraphs that are live. */
  readonly others: readonly GraphSubgraph[];
  /** Current public schema; null if nothing is live. */
  readonly livePublicSdl: string | null;
}

/** Result of a check. */
export interface CheckReport {
  readonly findings: readonly Finding[];
  /** Empty when the schemas do not compose. */
  readonly changes: readonly SchemaChange[];
  /** Null when the schemas do not compose. */
  readonly supergraphSdl: string | null;
  readonly publicSdl: string | null;
  /** Operations of other subgraphs that the change makes invalid: it breaks their agents. */
  readonly brokenOperations: readonly Finding[];
}

const nothing = { changes: [], supergraphSdl: null, publicSdl: null, brokenOperations: [] };

/** Composes and checks. Never throws for a bad schema. */
export async function checkSubgraph({ candidate, others, livePublicSdl }: CheckInput): Promise<CheckReport> {
  const all = [...others, candidate].sort(coreFirst);
  const composition = compose(all);
  if (!composition.ok && composition.faults.some(({ code }) => code === 'INVALID_GRAPHQL')) {
    const findings = composition.faults.map(({ message }) => finding('parse', candidate.name, message));
    return { ...nothing, findings };
  }
  const findings = [...experimentRules(candidate, others), ...checkAmongOthers(candidate, others)];
  if (!composition.ok) {
    const all = [...findings, ...composition.faults.map((fault) => ofComposition(fault, candidate.name))];
    return { ...nothing, findings: all };
  }
  const { supergraphSdl, publicSdl } = composition;
  const changes = livePublicSdl === null ? [] : await compareSchemas(livePublicSdl, publicSdl);
  findings.push(...foreignChanges(candidate, changes, findings));
  const ofCandidate = (where: string): boolean =>
    where === candidate.name || where.startsWith(`${candidate.name}.`);
  findings.push(...operationFindings(all, publicSdl).filter(({ where }) => ofCandidate(where)));
  const brokenOperations = brokenBy(others, livePublicSdl, publicSdl);
  return { findings, changes, supergraphSdl, publicSdl, brokenOperations };
}

/** Core's subgraphs first, then by name: the order decides nothing but the text of the supergraph. */
export function coreFirst(a: GraphSubgraph, b: GraphSubgraph): number {
  const rank = ({ typePrefix }: GraphSubgraph): number => (typePrefix === null ? 0 : 1);
  return rank(a) - rank(b) || (a.name < b.name ? -1 : 1);
}

function experimentRules(candidate: GraphSubgraph, others: readonly GraphSubgraph[]): readonly Finding[] {
  const { name, typePrefix, sdl } = candidate;
  if (typePrefix === null) return [];
  const core = others.filter((other) => other.typePrefix === null);
  const coreTypes = new Set(core.flatMap((other) => [...definedTypes(ownDocument(other.sdl))]));
  return checkExperimentSchema(ownDocument(sdl), { name, typePrefix }, coreTypes).map(
    ({ rule, where, message }) => finding(rule, where, message),
  );
}

function ofComposition({ code, message }: CompositionFault, subgraph: string): Finding {
  const where = /"([A-Z]\w*(?:\.\w+)?)"/.exec(message)?.[1] ?? /\b([A-Z]\w*\.\w+)/.exec(message)?.[1];
  return finding('composition', where ?? subgraph, `${code}: ${message}`);
}

/** Whatever an experiment publishes, nothing changes for clients but what is its own. */
function foreignChanges(
  { name, typePrefix }: GraphSubgraph,
  changes: readonly SchemaChange[],
  reported: readonly Finding[],
): readonly Finding[] {
  if (typePrefix === null) return [];
  const known = new Set(reported.map(({ where }) => where));
  return changes
    .filter(({ where }) => where !== '' && !isOwn(where, name, typePrefix) && !known.has(where))
    .map(({ where, message }) =>
      finding('foreign-change', where, `${where} does not belong to "${name}": ${message}.`),
    );
}

function isOwn(where: string, name: string, typePrefix: string): boolean {
  const [type = '', field] = where.split('.');
  if (type.startsWith(typePrefix) || isMutationTypeName(type, typePrefix)) return true;
  if (field === undefined) return ['Query', 'Mutation', 'Subscription'].includes(type);
  if (type === 'Mutation') return new RegExp(`^[a-z]+${typePrefix}([A-Z]|$)`).test(field);
  if (type === 'Subscription') return field.startsWith(name);
  return field === name;
}
