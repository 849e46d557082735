/** Settings of the endpoint, from the configuration of a gateway. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '@rhizome/errors';
import { joinOperations } from '@rhizome/schema/agent-operations';
import { createMcpVerifier, type McpVerifierOptions } from '../gateway-verifier.js';
import type { McpSettings } from './settings.js';

/** Options of {@link mcpSettings}. */
export type McpSettingsOptions = Omit<McpSettings, 'verifier' | 'authorizationServers'> &
  Pick<McpVerifierOptions, 'issuers' | 'identity'>;

/** The settings of an endpoint that trusts these issuers. */
export function mcpSettings({ issuers, identity, ...settings }: McpSettingsOptions): McpSettings {
  const { url } = settings;
  const own = identity ? [identity.trusted.issuer] : [];
  return {
    ...settings,
    verifier: createMcpVerifier({ issuers, identity, url }),
    authorizationServers: [...own, ...issuers.map(({ issuer }) => issuer)],
  };
}

/**
 * Operations in folders, by subgraph.
 * @throws DomainError CONFIG_INVALID for a folder that cannot be read
 */
export function readOperationFolders(
  folders: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const read = Object.entries(folders).map(([subgraph, folder]) => [subgraph, textOf(subgraph, folder)]);
  return Object.fromEntries(read) as Readonly<Record<string, string>>;
}

function textOf(subgraph: string, folder: string): string {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.graphql'));
    return joinOperations(files.map((file) => readFileSync(join(folder, file), 'utf8')));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const field = `mcp.operations.${subgraph}`;
    const text = `${field}: ${folder} cannot be read (${why})`;
    throw new DomainError('CONFIG_INVALID', text, { field, value: folder, expected: 'a folder' });
  }
}
