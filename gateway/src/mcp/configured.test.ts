import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { leftovers } from '@rhizome/testkit';
import { readCommandLine } from '../config.js';
import { readOperationFolders } from './configured.js';

const issuers = JSON.stringify([{ issuer: 'https://tokens.test', jwksUri: 'https://tokens.test/keys' }]);
const settingsOf = (env: Record<string, string>) => {
  const found = readCommandLine(['--supergraph', 'x.graphql'], { RHIZOME_GATEWAY_ISSUERS: issuers, ...env });
  if ('help' in found) throw new Error('There are no settings.');
  return found.config.mcp;
};

describe('mcp', () => {
  it('is off unless it is enabled', () => {
    expect(settingsOf({})).toEqual({ enabled: false, origins: [], runQuery: true, operations: {} });
  });

  it('needs the address that its tokens name', () => {
    const enabled = { RHIZOME_GATEWAY_MCP_ENABLED: 'true' };
    expect(() => settingsOf(enabled)).toThrow(/mcp\.url: it is missing; must be the public address/);
    const url = 'https://rhizome.test/mcp';
    expect(settingsOf({ ...enabled, RHIZOME_GATEWAY_MCP_URL: url })).toMatchObject({ enabled: true, url });
  });

  it.each([
    ['another path', 'https://rhizome.test/x/mcp', {}],
    [
      'the audience of the API',
      'https://rhizome.test/mcp',
      { RHIZOME_GATEWAY_AUDIENCE: 'https://rhizome.test/mcp' },
    ],
  ])('refuses %s', (_what, url, more) => {
    const env = { RHIZOME_GATEWAY_MCP_ENABLED: 'true', RHIZOME_GATEWAY_MCP_URL: url, ...more };
    expect(() => settingsOf(env)).toThrow(
      /mcp\.url: "https:.* is not possible; must be an address with the path/,
    );
  });
});

describe('readOperationFolders', () => {
  it('joins the GraphQL files of each folder, and names one that is not there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rhizome-agent-'));
    leftovers.defer(folder, () => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'b.graphql'), '"B." query B { b }\n');
    await writeFile(join(folder, 'a.graphql'), '"A." query A { a }\n');
    await writeFile(join(folder, 'notes.md'), 'Notes.');
    expect(readOperationFolders({ core: folder })).toEqual({
      core: '"A." query A { a }\n\n"B." query B { b }',
    });
    expect(() => readOperationFolders({ core: join(folder, 'none') })).toThrow(
      /^mcp\.operations\.core: .*cannot be read/,
    );
  });
});
