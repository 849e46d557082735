/** Operations that a member of a graph offers to agents, and how versions name them. */
import { createHash } from 'node:crypto';
import type { VersionSubgraph } from './store/schema-version.document.js';

/** The operations of a member, with their digest; both are absent if it offers none. */
export interface OperationsMember extends Pick<VersionSubgraph, 'operationsDigest'> {
  readonly agentOperations?: string | undefined;
}

/** The part of a member with its operations. */
export function operationsMember(agentOperations: string | undefined): OperationsMember {
  if (agentOperations === undefined || agentOperations === '') return {};
  const operationsDigest = createHash('sha256').update(agentOperations).digest('hex');
  return { agentOperations, operationsDigest };
}

/** Texts of a member by the keys under which they are stored. */
export function textsOf(
  member: OperationsMember & { readonly digest: string; readonly sdl: string },
): readonly (readonly [digest: string, text: string])[] {
  const { digest, sdl, operationsDigest, agentOperations } = member;
  const own = [[digest, sdl]] as const;
  if (operationsDigest === undefined || agentOperations === undefined) return own;
  return [...own, [operationsDigest, agentOperations]];
}
