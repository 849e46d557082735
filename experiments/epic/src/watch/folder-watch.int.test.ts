import { EventEmitter } from 'node:events';
import type { watch } from 'node:fs';
import { mkdtemp, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { createLogger, silentLogger } from '@rhizome/log';
import { waitFor } from '@rhizome/testkit';
import { readConfig } from './config.js';
import { type CompleteFrame, FolderWatch, type FolderWatchOptions, type Refusal } from './folder-watch.js';
import { Journal } from './journal.js';

const minute = { deadlineMs: 60_000 };
let base: string;
let folder: string;
let journalFile: string;
let announced: CompleteFrame[];
let refuse: ReadonlyMap<number, Refusal>;
/** Calls of announce that were answered with an error, and numbers that were refused, in order. */
let failedCalls: number;
let refusedNumbers: number[];
let isDown: boolean;
const watches: FolderWatch[] = [];
const pattern = /^(?!\.).*?(?<number>\d+)\.stf$/;
const owner = () => ({ runNumber: 4711, folder });

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'frames-'));
  folder = await mkdtemp(join(base, 'stf-'));
  journalFile = join(base, 'journal');
  announced = [];
  refuse = new Map();
  failedCalls = 0;
  refusedNumbers = [];
  isDown = false;
});
afterEach(async () => {
  for (const watch of watches.splice(0)) await watch.stop();
  await rm(base, { recursive: true, force: true });
});

async function start(more: Partial<FolderWatchOptions> = {}): Promise<FolderWatch> {
  const watch = new FolderWatch({
    ...{ folder, pattern, complete: 'rename', locationPrefix: 'store:/' },
    ...{ rescanMs: 60_000, journal: await Journal.open(journalFile, owner()), log: silentLogger() },
    clock: systemClock,
    announce: async (frames) => {
      if (isDown) {
        failedCalls += 1;
        throw new Error('the gateway does not answer');
      }
      refusedNumbers.push(...frames.map(({ number }) => number).filter((number) => refuse.has(number)));
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
    const head = `run 4711 ${JSON.stringify(folder)}\n`;
    await writeFile(journalFile, `${head}1\n1`);
    await start();
    await until(1);
    expect(numbers()).toEqual([12]);
    const whole = `${head}1\n1\n12\n`;
    await waitFor('the journal', async () => (await readFile(journalFile, 'utf8')) === whole, minute);
  });

  it('announces again what could not be announced, and leaves out what is refused for good', async () => {
    isDown = true;
    await put(1);
    await put(2);
    const watch = await start();
    await waitFor('a call without an answer', () => failedCalls > 0, minute);
    refuse = new Map([[1, { reason: 'announced with another size', isFinal: true }]]);
    isDown = false;
    await until(1);
    await put(3);
    await until(2);
    await watch.stop();
    expect(numbers()).toEqual([2, 3]);
    expect(refusedNumbers).toEqual([1]);
  });

  it('announces a frame again that was refused for now, also after a restart', async () => {
    refuse = new Map([[1, { reason: 'at most a minute from now', isFinal: false }]]);
    await put(1);
    await put(2);
    const first = await start({ rescanMs: 20, refusedPauseMs: 0 });
    await waitFor('two refusals', () => refusedNumbers.length >= 2, minute);
    await first.stop();
    expect(numbers()).toEqual([2]);
    refuse = new Map();
    await start();
    await until(2);
    expect(numbers()).toEqual([2, 1]);
  });

  it('notes no time behind the present for a file from a machine whose clock is ahead', async () => {
    await put(1);
    const tomorrow = new Date(Date.now() + 86_400_000);
    await utimes(join(folder, 'run_0001.stf'), tomorrow, tomorrow);
    await start();
    await until(1);
    expect(announced[0]?.recordedAt.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('announces one of two files with the same number, and reports the other', async () => {
    const lines: string[] = [];
    const log = createLogger({
      ...{ name: 'watch', level: 'warn' },
      destination: { write: (line: string) => void lines.push(line) },
    });
    await put(7);
    await writeFile(join(folder, 'x7.stf'), 'copy');
    const watch = await start({ log });
    await until(1);
    await writeFile(join(folder, 'y7.stf'), 'later copy');
    await put(8);
    await until(2);
    await watch.stop();
    expect(announced.map(({ location }) => location)).toEqual(['store:/run_0007.stf', 'store:/run_0008.stf']);
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { number: 7, name: 'x7.stf', other: 'run_0007.stf' },
      { number: 7, name: 'y7.stf', other: 'run_0007.stf' },
    ]);
  });

  it('finds files by looks alone where changes are not reported', async () => {
    const silent = new EventEmitter() as ReturnType<typeof watch>;
    silent.close = () => undefined;
    await start({ rescanMs: 20, watch: (() => silent) as unknown as typeof watch });
    await put(5);
    await until(1);
    await put(6);
    await until(2);
  });
});

describe('Journal', () => {
  it('is refused by the agent of another run or folder', async () => {
    await (await Journal.open(journalFile, owner())).add([0, 1]);
    expect((await Journal.open(journalFile, owner())).has(1)).toBe(true);
    const text = await readFile(journalFile, 'utf8');
    await expect(Journal.open(journalFile, { ...owner(), runNumber: 4712 })).rejects.toThrow(
      /journalFile: .*begins with "run 4711 .*must be a file that does not exist, or begin with "run 4712 /,
    );
    await expect(Journal.open(journalFile, { ...owner(), folder: '/else' })).rejects.toThrow(/journalFile/);
    expect(await readFile(journalFile, 'utf8')).toBe(text);
  });

  it('begins again if its first line was cut off, and leaves a file of another kind alone', async () => {
    await writeFile(journalFile, 'run 47');
    await (await Journal.open(journalFile, owner())).add([3]);
    expect((await Journal.open(journalFile, owner())).has(3)).toBe(true);
    await writeFile(journalFile, 'letters');
    await expect(Journal.open(journalFile, owner())).rejects.toThrow(/begins with "letters"/);
    expect(await readFile(journalFile, 'utf8')).toBe('letters');
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
  });

  it.each([
    ['run_17_frame_0042.stf', 42],
    ['7.stf', 7],
    ['12.stf', 12],
    ['1000.stf', 1000],
    ['.12.stf', undefined],
    ['12.stf.part', undefined],
  ])('finds the number of %s: %s', (name, number) => {
    const digits = new RegExp(readConfig(env).pattern).exec(name)?.groups?.['number'];
    expect(digits === undefined ? undefined : Number(digits)).toBe(number);
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
