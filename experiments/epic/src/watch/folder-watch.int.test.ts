import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import { readConfig } from './config.js';
import { type CompleteFrame, FolderWatch, type FolderWatchOptions } from './folder-watch.js';
import { Journal } from './journal.js';

const minute = { deadlineMs: 60_000 };
let base: string;
let folder: string;
let journalFile: string;
let announced: CompleteFrame[];
let refuse: ReadonlyMap<number, string>;
let isDown: boolean;
const watches: FolderWatch[] = [];

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'frames-'));
  folder = await mkdtemp(join(base, 'stf-'));
  journalFile = join(base, 'journal');
  announced = [];
  refuse = new Map();
  isDown = false;
});
afterEach(async () => {
  for (const watch of watches.splice(0)) await watch.stop();
  await rm(base, { recursive: true, force: true });
});

async function start(more: Partial<FolderWatchOptions> = {}): Promise<FolderWatch> {
  const watch = new FolderWatch({
    ...{ folder, pattern: /^[^.].*?(?<number>\d+)\.stf$/, complete: 'rename', locationPrefix: 'store:/' },
    ...{ rescanMs: 60_000, journal: await Journal.open(journalFile), log: silentLogger() },
    announce: async (frames) => {
      if (isDown) throw new Error('the gateway does not answer');
      announced.push(...frames.filter(({ number }) => !refuse.has(number)));
      return refuse;
    },
    ...more,
  });
  watches.push(watch);
  watch.start();
  return watch;
}

/** Writes a file under another name, and renames it into place. */
async function put(number: number, text = 'data'): Promise<void> {
  await writeFile(join(folder, `.part-${number}`), text);
  await rename(join(folder, `.part-${number}`), join(folder, `run_${String(number).padStart(4, '0')}.stf`));
}
const numbers = (): readonly number[] => announced.map(({ number }) => number);
const until = (count: number) => waitFor(`${count} frames`, () => announced.length >= count, minute);

describe('FolderWatch', () => {
  it('announces files that are there and files that are renamed into place, and no others', async () => {
    await put(2);
    await put(1, 'seven b');
    await writeFile(join(folder, 'notes.txt'), 'x');
    await start();
    await until(2);
    await put(3);
    await until(3);
    expect(numbers()).toEqual([1, 2, 3]);
    expect(announced[0]).toMatchObject({ location: 'store:/run_0001.stf', bytes: 7 });
    expect(announced[0]?.recordedAt).toBeInstanceOf(Date);
  });

  it('waits for the marker and a stable size if files are written in place', async () => {
    await start({ complete: 'marker', rescanMs: 50 });
    const path = join(folder, 'a1.stf');
    await writeFile(path, 'half');
    await writeFile(join(folder, 'a2.stf'), 'whole');
    await writeFile(join(folder, 'a2.stf.done'), '');
    await until(1);
    await writeFile(path, 'half and half');
    await writeFile(`${path}.done`, '');
    await until(2);
    expect(announced.map(({ number, bytes }) => [number, bytes])).toEqual([
      [2, 5],
      [1, 13],
    ]);
  });

  it('goes on after a restart without the frames that it announced', async () => {
    await put(1);
    const first = await start();
    await until(1);
    await first.stop();
    await put(2);
    await start();
    await until(2);
    expect(numbers()).toEqual([1, 2]);
  });

  it('announces a frame again whose line in the journal was cut off', async () => {
    await put(1);
    await put(12);
    await writeFile(journalFile, '1\n1');
    await start();
    await until(1);
    expect(numbers()).toEqual([12]);
    await waitFor('the journal', async () => (await readFile(journalFile, 'utf8')) === '1\n1\n12\n', minute);
  });

  it('announces again what could not be announced, and leaves out what is refused', async () => {
    isDown = true;
    await put(1);
    await put(2);
    const watch = await start();
    refuse = new Map([[1, 'announced with another size']]);
    isDown = false;
    await until(1);
    await put(3);
    await until(2);
    await watch.stop();
    expect(numbers()).toEqual([2, 3]);
  });

  it('finds files by looks alone', async () => {
    await start({ rescanMs: 20 });
    await put(5);
    await until(1);
  });
});

describe('the configuration of the agent', () => {
  const env = {
    RHIZOME_EPIC_WATCH_FOLDER: '/stf',
    RHIZOME_EPIC_WATCH_RUN_NUMBER: '4711',
    RHIZOME_EPIC_WATCH_JOURNAL_FILE: '/var/journal',
    RHIZOME_EPIC_WATCH_GATEWAY_URL: 'http://127.0.0.1:4000/graphql',
    RHIZOME_EPIC_WATCH_TOKEN_FILE: 'token',
  };

  it('has defaults', () => {
    expect(readConfig(env)).toMatchObject({ complete: 'rename', rescanSeconds: 2, runNumber: 4711 });
    const { groups } = new RegExp(readConfig(env).pattern).exec('run_17_frame_0042.stf') ?? {};
    expect(Number(groups?.['number'])).toBe(42);
  });

  it.each([
    ['FOLDER', 'stf', /absolute path/],
    ['PATTERN', 'no group', /group/],
    ['PATTERN', '(?<number>[', /regular expression/],
    ['COMPLETE', 'never', /rename/],
    ['GATEWAY_URL', 'http://elsewhere.test/graphql', /gatewayUrl/],
  ])('refuses %s = %s', (name, value, message) => {
    expect(() => readConfig({ ...env, [`RHIZOME_EPIC_WATCH_${name}`]: value })).toThrow(message);
  });
});
