import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { exitCodes } from './exit-codes.js';
import { run } from './program.js';

const page = readFileSync(new URL('../../../docs/reference/rhizome-cli.md', import.meta.url), 'utf8');

async function help(...command: readonly string[]): Promise<string> {
  const stdout = new PassThrough();
  const world = {
    stdout,
    stderr: new PassThrough(),
    stdin: Readable.from([]),
    cwd: '/',
    now: () => 0,
    signal: new AbortController().signal,
  };
  await run([...command, '--help'], world);
  return String(stdout.read());
}

/** Names in the list of commands of a help text. */
async function commandsOf(...command: readonly string[]): Promise<readonly string[]> {
  const list = /^Commands:\n((?: .*\n?)*)/m.exec(await help(...command))?.[1] ?? '';
  return [...list.matchAll(/^ {2}([a-z-]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
}

describe('docs/reference/rhizome-cli.md', () => {
  it('lists every command, and no other', async () => {
    const names = await Promise.all(
      (await commandsOf()).map(async (name) => {
        const below = (await commandsOf(name)).map((sub) => `${name} ${sub}`);
        // A group that has no action of its own is not a command.
        return below.length > 0 && name !== 'shares' ? below : [name, ...below];
      }),
    );
    const listed = [...page.matchAll(/^\| `rhizome ([a-z -]+)` /gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(names.flat().sort());
  });

  it('lists every exit code', () => {
    const listed = [...page.matchAll(/^\| (\d+) /gm)].map(([, code]) => Number(code));
    expect(listed.sort()).toEqual([...new Set<number>(Object.values(exitCodes))].sort());
  });
});
