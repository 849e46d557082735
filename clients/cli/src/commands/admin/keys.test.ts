import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { exitCodes } from '../../exit-codes.js';
import { run } from '../../program.js';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'rhizome-keys-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function rhizome(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const { signal } = new AbortController();
  const exitCode = await run(argv, { stdout, stderr, stdin: Readable.from([]), cwd, now: () => 0, signal });
  return { exitCode, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') };
}

describe('rhizome admin keys', () => {
  it('makes files that only their owner may read, and prints no key', async () => {
    const { exitCode, stdout } = await rhizome('admin', 'keys', 'new/keys');
    expect(exitCode).toBe(exitCodes.ok);
    const folder = join(cwd, 'new', 'keys');
    const files = readdirSync(folder);
    expect(files.sort()).toEqual([
      'core-rights.json',
      'core-rights.json.jwks',
      'gateway-calls.json',
      'identity.keys',
      'secrets.keys',
      'storage.keys',
    ]);
    for (const file of files) {
      expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
      expect(stdout).toContain(join(folder, file));
    }
    expect(stdout).not.toContain(readFileSync(join(folder, 'secrets.keys'), 'utf8').trim());
    expect(readFileSync(join(folder, 'core-rights.json.jwks'), 'utf8')).not.toContain('"d"');
  });

  it('replaces no file, and then makes none', async () => {
    writeFileSync(join(cwd, 'storage.keys'), 'mine');
    const { exitCode, stderr } = await rhizome('admin', 'keys', '.');
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toContain('storage.keys already');
    expect(readdirSync(cwd)).toEqual(['storage.keys']);
    expect(readFileSync(join(cwd, 'storage.keys'), 'utf8')).toBe('mine');
  });
});
