import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Lists the packages of CommonJS that a new process has loaded with the gateway. */
const listing = `
import { createRequire } from 'node:module';
await import(process.argv[1]);
const files = Object.keys(createRequire(import.meta.url).cache);
console.log(JSON.stringify(files.flatMap((file) => /node_modules.([^/@]+)/.exec(file)?.[1] ?? [])));
`;

describe('app', () => {
  it('loads the driver of the store only for a gateway that has one', async () => {
    const { href } = new URL('app.js', import.meta.url);
    const args = ['--input-type=module', '--eval', listing, href];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const loaded = JSON.parse(stdout) as readonly string[];
    expect(loaded).toContain('graphql-jit');
    expect(loaded).not.toContain('mongodb');
  });
});
