import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readConfig } from './config.js';

const manifest = readFileSync(new URL('../experiment.yaml', import.meta.url), 'utf8');
const needed = {
  RHIZOME_EPIC_MONGO_URI: 'mongodb://127.0.0.1:1',
  RHIZOME_EPIC_GATEWAY_URL: 'http://127.0.0.1:4000/graphql',
  RHIZOME_EPIC_TOKEN_FILE: 'token',
  RHIZOME_EPIC_ISSUERS: '[{"issuer":"i","jwksFile":"keys.json"}]',
};

describe('the configuration', () => {
  test('has the database and the port of the manifest where nothing else is said', () => {
    const { database, port } = readConfig(needed);
    expect(manifest).toContain(`database: ${database}\n`);
    expect(manifest).toContain(`:${port}/graphql`);
  });

  test('tells all that is missing at once, by the names of the variables', () => {
    const read = () => readConfig({});
    for (const name of Object.keys(needed)) expect(read).toThrow(name);
  });
});
