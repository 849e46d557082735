import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

/** Lists the files of CommonJS packages that a new process has loaded with the command line. */
const listing = `
import { createRequire } from 'node:module';
await import(process.argv[1]);
const files = Object.keys(createRequire(import.meta.url).cache);
console.log(JSON.stringify(files.flatMap((file) => /node_modules.(.+)/.exec(file)?.[1] ?? [])));
`;

describe('run', () => {
  it('is loaded without a YAML parser, and without the execution of GraphQL', async () => {
    const { href } = new URL('program.js', import.meta.url);
    const args = ['--input-type=module', '--eval', listing, href];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const loaded = JSON.parse(stdout) as readonly string[];
    expect(loaded).toContain('graphql/language/printer.js');
    expect(loaded.filter((file) => /^(yaml|graphql.(execution|validation|type))\b/.test(file))).toEqual([]);
  });
});
