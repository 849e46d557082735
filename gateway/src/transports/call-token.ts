import type { Principal } from '@rhizome/authz';
import type { SubgraphRequest } from '@rhizome/federation';

/** Gives the call token for a principal and one subgraph; a promise only if it must be signed first. */
export type TokenFor = (principal: Principal) => string | Promise<string>;

/** The token that a request carries; undefined if authentication is disabled. */
export function tokenOf(
  { principal }: Pick<SubgraphRequest, 'principal'>,
  tokenFor: TokenFor | undefined,
): string | Promise<string> | undefined {
  return principal && tokenFor ? tokenFor(principal) : undefined;
}
