/** Settings of the MCP endpoint. */
import type { Verifier } from '@rhizome/authz';

/** Settings of the endpoint; a gateway without them does not serve it. */
export interface McpSettings {
  /** Public address of the endpoint, which its tokens must name as their audience. */
  readonly url: string;
  /** Verifies tokens for the endpoint; undefined disables authentication, as for the API. */
  readonly verifier: Verifier | undefined;
  /** Issuers at which clients get tokens, as addresses. */
  readonly authorizationServers?: readonly string[];
  /** Origins of pages that may call, in addition to that of the endpoint. */
  readonly origins?: readonly string[];
  /** Offers `run_query`; default true. */
  readonly runsQueries?: boolean;
  /** Operations of the subgraphs by their names, in a gateway without a schema registry. */
  readonly operations?: Readonly<Record<string, string>>;
}

/** Path of the endpoint. */
export const mcpPath = '/mcp';
/** Path of its metadata (RFC 9728). */
export const mcpMetadataPath = `/.well-known/oauth-protected-resource${mcpPath}`;

/** Routes of the endpoint: method and path. */
export const mcpRoutes = [`POST ${mcpPath}`, `GET ${mcpMetadataPath}`] as const;
