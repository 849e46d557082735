/** Errors of the operations of subgraphs, as findings of a check. */
import { buildSchema } from 'graphql';
import { type Finding, finding } from '../findings.js';
import { checkOperations, distinctTools } from './check.js';
import type { OfferingSubgraph } from './read.js';

/** The errors of operations in a schema. */
export function operationFindings(
  subgraphs: readonly OfferingSubgraph[],
  publicSdl: string,
): readonly Finding[] {
  const offering = subgraphs.filter(({ agentOperations = '' }) => agentOperations !== '');
  if (offering.length === 0) return [];
  const schema = buildSchema(publicSdl, { assumeValidSDL: true });
  const checked = offering.map((subgraph) => checkOperations(subgraph, schema));
  const distinct = distinctTools(checked.flatMap(({ operations }) => operations));
  return [...checked.flatMap(({ faults }) => faults), ...distinct.faults].map(
    ({ subgraph, operation, message }) => {
      const where = operation === null ? subgraph : `${subgraph}.${operation}`;
      return finding('agent-operation', where, `${where}: ${message}`);
    },
  );
}

/** The errors that operations have in the next schema only. */
export function brokenBy(
  subgraphs: readonly OfferingSubgraph[],
  liveSdl: string | null,
  nextSdl: string,
): readonly Finding[] {
  const next = operationFindings(subgraphs, nextSdl);
  if (next.length === 0) return [];
  const live = liveSdl === null ? [] : operationFindings(subgraphs, liveSdl);
  const known = new Set(live.map(({ message }) => message));
  return next.filter(({ message }) => !known.has(message));
}
