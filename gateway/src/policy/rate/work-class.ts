import type { Principal } from '@rhizome/authz';
import type { OperationInfo } from '@rhizome/federation';

/**
 * Classes of operations, the first to be refused last. Heartbeats and reports of pilots are never refused:
 * they cost little, and a missed one costs an attempt.
 */
export const workClasses = ['pilot', 'stream', 'mutation', 'read', 'background'] as const;

/** One of {@link workClasses}. */
export type WorkClass = (typeof workClasses)[number];

/** The class of an operation. Agents, and callers without a token, can wait. */
export function workClassOf(
  principal: Principal | undefined,
  kind: OperationInfo['kind'],
  authenticates: boolean,
): WorkClass {
  if (principal?.kind === 'PILOT') return 'pilot';
  if (principal?.kind === 'AGENT' || (!principal && authenticates)) return 'background';
  if (kind === 'subscription') return 'stream';
  return kind === 'mutation' ? 'mutation' : 'read';
}
