import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { exitCodes } from '../../exit-codes.js';
import { run } from '../../program.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'rhizome-admin-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function rhizome(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const exitCode = await run(argv, { stdout, stderr, stdin: Readable.from([]), cwd, now: () => 0, signal });
  return { exitCode, stderr: String(stderr.read() ?? '') };
}

describe('rhizome admin init', () => {
  it.each([
    [['--experiment', 'core'], '--experiment core: is the name of a service of Rhizome'],
    [['--service', 'mine=admin'], '--service mine=admin: must be letters'],
    [['--service', 'mine=a.b'], '--service mine=a.b: must be letters'],
  ])('refuses %j, before it connects', async (flags, reason) => {
    writeFileSync(join(cwd, 'uri'), 'mongodb://localhost:1');
    const made = await rhizome('admin', 'init', 'users', ...flags, '--mongo-uri-file', 'uri');
    expect(made).toMatchObject({ exitCode: exitCodes.usage, stderr: expect.stringContaining(reason) });
  });
});

describe('the connection string of MongoDB', () => {
  it.each([['check'], ['backup'], ['restore'], ['init'], ['migrations']])(
    'is required by admin %s',
    async (command) => {
      const folder = ['check', 'migrations'].includes(command) ? [] : ['there'];
      const { exitCode, stderr } = await rhizome('admin', command, ...folder);
      expect(exitCode).toBe(exitCodes.usage);
      expect(stderr).toContain('No connection string of MongoDB found: set --mongo-uri-file');
    },
  );

  it('is read from a file, which must have one', async () => {
    const missing = await rhizome('admin', 'check', '--mongo-uri-file', 'none');
    expect(missing).toMatchObject({ exitCode: exitCodes.usage, stderr: expect.stringContaining('ENOENT') });
    writeFileSync(join(cwd, 'uri'), 'mongodb://one\nmongodb://two\n');
    const { exitCode, stderr } = await rhizome('admin', 'check', '--mongo-uri-file', 'uri');
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toContain('must be one line that begins with mongodb:// or mongodb+srv://');
    expect(stderr).not.toContain('two');
  });
});
