/** The proposals of a gateway, if it keeps some. */
import type { Agents } from '@rhizome/agents';
import { DomainError } from '@rhizome/errors';
import type { Proposals } from '../proposals.js';

/** Ports of the resolvers. */
export interface ProposalGraphOptions {
  /** Undefined in a gateway without a store for proposals. */
  readonly agents?: (() => Agents | undefined) | undefined;
  /** Undefined where {@link agents} is. */
  readonly proposals?: Proposals | undefined;
}

/** @throws DomainError SERVICE_UNAVAILABLE in a gateway without a store */
export function openProposals({ agents, proposals }: ProposalGraphOptions): Proposals {
  if (proposals && agents?.()) return proposals;
  throw new DomainError(
    'SERVICE_UNAVAILABLE',
    'The gateway keeps no proposals; start it with a database for them',
  );
}
