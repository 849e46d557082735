import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RequestFolder } from './request-folder.js';

let path: string;
let time = 0;
let folder: RequestFolder;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'requests-'));
  folder = await RequestFolder.open(path, () => time);
});
afterEach(async () => {
  await folder.close();
  await rm(path, { recursive: true, force: true });
});

const answer = { code: 0, message: 'done' };

describe('RequestFolder', () => {
  it('keeps many answers for a minute, also those of an earlier pilot', async () => {
    await writeFile(join(path, 'old.answer'), '');
    await folder.requests();
    for (let count = 0; count < 200; count++) await folder.answer(`a${count}`, answer);
    time += 59_000;
    await folder.requests();
    expect(await readdir(path)).toHaveLength(201);
    time += 1000;
    await folder.requests();
    expect(await readdir(path)).toEqual([]);
  });

  it('removes an answer that was read, and leaves nothing of one that cannot be written', async () => {
    await folder.answer('a', answer);
    await folder.removeAnswer('a');
    await mkdir(join(path, 'b.answer'));
    await expect(folder.answer('b', answer)).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await readdir(path)).toEqual(['b.answer']);
  });

  it('removes no folder, nor what is in it', async () => {
    await mkdir(join(path, 'a.request', 'inner'), { recursive: true });
    await folder.discard('a');
    expect(await readdir(join(path, 'a.request'))).toEqual(['inner']);
  });

  it('keeps the blanks of a line, and puts no line break into it', async () => {
    await folder.answer('a', { ...answer, lines: ['unit  two blanks', 'two\r\nlines'] });
    expect(await readFile(join(path, 'a.answer'), 'utf8')).toBe('0\ndone\nunit  two blanks\ntwo lines\n');
  });
});
