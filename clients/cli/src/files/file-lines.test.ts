import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileLines } from './file-lines.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function linesOf(content: string): Promise<readonly string[]> {
  const file = join(folder, 'lines');
  await writeFile(file, content);
  const found: string[] = [];
  for await (const line of fileLines(file)) found.push(line);
  return found;
}

describe('fileLines', () => {
  it.each(['\u2028', '\u2029', '\u0085', '\v', '\f', '\r'])('does not split at %j', async (character) => {
    const record = `{"reason":"one${character}two"}`;
    expect(await linesOf(`${record}\n${record}\n`)).toEqual([record, record]);
  });

  it('returns lines that are longer than a part of the file, empty lines, and a last line without its end', async () => {
    const long = '€'.repeat(100_000);
    expect(await linesOf(`${long}\n\nlast`)).toEqual([long, '', 'last']);
    expect(await linesOf('')).toEqual([]);
  });
});
