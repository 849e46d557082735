/** Files in storages, by signed addresses, over HTTP. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LimitByKey } from '@rhizome/retry';
import { AllowedNetworks, Connections } from '@rhizome/storage';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { digestOf, type Fault, SignedStorage } from '../testing/signed-storage.js';
import { OutputFolder } from './output-folder.js';
import { SignedFiles } from './signed-files.js';
import type { Digest } from './checksum.js';
import type { ExpectedContent } from './content-check.js';
import type { SignFiles } from './signed-files.types.js';

const open = new AbortController().signal;
/** Large enough that a connection breaks in the middle of it. */
const content = Buffer.alloc(3_000_000, 'larkspur ');
const storage = new SignedStorage();
/** Short pauses; faults that do not pass end a transfer soon. */
const patience = { pauseMs: 1, passingMs: 100, deniedMs: 100 };
const files = new SignedFiles(storage.sign, patience);
/** Repeats for as long as a worker does. */
const patient = new SignedFiles(storage.sign, { pauseMs: 1 });
const times = (count: number, fault: Fault): Fault[] => Array.from({ length: count }, () => fault);

describe('SignedReader', () => {
  const target = (): string => join(storage.folder, 'fetched');
  const known = ({ sizeBytes, sha256 }: Digest): ExpectedContent => ({
    sizeBytes,
    checksums: [{ kind: 'SHA256', value: sha256 }],
  });
  const fetch = (digest = digestOf(content), by: SignFiles = storage.sign): Promise<void> => {
    const read = { name: 'data', jobId: null };
    const expected = known(digest);
    return new SignedFiles(by, patience).reader([read]).fetch(read, target(), open, { expected });
  };
  const failure = async (fetching: Promise<void>): Promise<AttemptError> => {
    const error = await fetching.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(AttemptError);
    expect(await readdir(storage.folder)).not.toContain('fetched');
    return error as AttemptError;
  };
  beforeEach(async () => {
    await storage.put('in/data', content);
  });

  it('continues a transfer that broke off at the first missing byte', async () => {
    storage.faults = ['break', 503, 'break'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(storage.requests[0]).toBe('GET in/data');
    expect(storage.requests).toHaveLength(4);
    for (const request of storage.requests.slice(1)) expect(request).toMatch(/^GET in\/data from [1-9]\d+$/);
    expect(storage.calls).toBe(1);
  });

  it('begins again where the storage does not serve the rest', async () => {
    storage.faults = ['break', 'no ranges'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(storage.requests).toHaveLength(3);
    expect(storage.requests.at(-1)).toBe('GET in/data');
  });

  it('follows redirects, as those of a head node', async () => {
    storage.faults = ['redirect', 'redirect', 'break', 'redirect'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(storage.requests.at(-1)).toMatch(/^GET in\/data from [1-9]\d+$/);
  });

  it('never joins parts of two versions of a file', async () => {
    const other = Buffer.alloc(content.length, 'toadflax ');
    const read = { name: 'data', jobId: null };
    const replacing: SignFiles = async (...call) => {
      // The second call comes after the transfer broke off.
      if (storage.calls === 1) await storage.put('in/data', other);
      return storage.sign(...call);
    };
    storage.faults = ['break'];
    storage.validSeconds = [10];
    await new SignedFiles(replacing, patience).reader([read]).fetch(read, target(), open);
    expect((await readFile(target())).equals(other)).toBe(true);
  });

  it('begins again where the storage serves another range', async () => {
    storage.faults = ['break', 'other range'];
    await fetch();
    expect((await readFile(target())).equals(content)).toBe(true);
    expect(storage.requests).toHaveLength(3);
  });

  it('gives up a storage that always breaks off and serves no ranges', async () => {
    storage.faults = Array.from({ length: 2000 }, (_, at) => (at % 2 === 0 ? 'break' : 416));
    const error = await failure(fetch());
    expect(error).toMatchObject({ family: 'DATA', retryable: true });
  });

  it.each([
    ['a storage that is restarted', 503],
    ['new keys that a storage has not read yet', 403],
  ])('waits for %s', async (_, status) => {
    storage.faults = times(10, status);
    const read = { name: 'data', jobId: null };
    await patient.reader([read]).fetch(read, target(), open, { expected: known(digestOf(content)) });
    expect(storage.requests).toHaveLength(11);
  });

  it.each([900, -900])('asks once where the clock of core differs by %i s', async (seconds) => {
    storage.clockSeconds = seconds;
    const reads = ['a', 'b', 'c'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads) await storage.put(`in/${name}`, content);
    const reader = files.reader(reads);
    for (const read of reads) await reader.fetch(read, target(), open);
    expect(storage.calls).toBe(1);
  });

  it('asks for the addresses of many files in several calls', async () => {
    const reads = Array.from({ length: 250 }, (_, at) => ({ name: `part-${at}`, jobId: null }));
    const [read = { name: '', jobId: null }] = reads.slice(-1);
    await storage.put(`in/${read.name}`, content);
    await files.reader(reads).fetch(read, target(), open);
    expect(storage.signedNames.map(({ length }) => length)).toEqual([100, 100, 50]);
  });

  it('asks again for those files only that it has not fetched', async () => {
    const reads = ['a', 'b', 'c'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads) await storage.put(`in/${name}`, content);
    storage.validSeconds = [10, 10];
    const reader = files.reader(reads);
    for (const read of reads) await reader.fetch(read, target(), open);
    expect(storage.signedNames).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
  });

  it('asks for another address when one has expired, and before it does', async () => {
    storage.validSeconds = [-5, 600];
    await fetch();
    expect({ calls: storage.calls, requests: storage.requests.length }).toEqual({ calls: 2, requests: 2 });
    const reads = ['a', 'b'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads) await storage.put(`in/${name}`, content);
    storage.validSeconds = [10];
    const reader = files.reader(reads);
    for (const read of reads) await reader.fetch(read, target(), open);
    expect(storage.calls).toBe(4);
  });

  it('repeats a transfer with wrong content once, and then gives it up', async () => {
    storage.faults = ['wrong content'];
    await fetch();
    storage.faults = ['wrong content', 'wrong content'];
    expect(await failure(fetch())).toMatchObject({ code: 'INPUT_CORRUPT', family: 'DATA', retryable: true });
    expect(storage.requests).toHaveLength(4);
  });

  it('refuses a file of another size before it is transferred', async () => {
    const error = await failure(fetch({ ...digestOf(content), sizeBytes: 7 }));
    expect(error).toMatchObject({ code: 'INPUT_CORRUPT', message: expect.stringContaining('instead of 7') });
  });

  it.each<[string, number, string, boolean]>([
    ['is not there', 404, 'INPUT_GONE', false],
    ['is refused with new addresses, too', 403, 'INPUT_DENIED', true],
    ['is on a server whose faults do not pass', 503, 'INPUT_UNREACHABLE', true],
  ])('fails with a code of its own if a file %s', async (_, status, code, retryable) => {
    storage.faults = times(10_000, status);
    expect(await failure(fetch())).toMatchObject({ family: 'DATA', code, retryable });
  });

  it.each([
    ['FILE_NOT_FOUND', 'INPUT_GONE', false],
    ['FILE_FORBIDDEN', 'INPUT_DENIED', false],
    ['STORAGE_UNAVAILABLE', 'INPUT_UNREACHABLE', true],
    ['INVALID_VALUE', 'INPUT_UNAVAILABLE', true],
  ])('reports the refusal %s of core as %s', async (refusal, code, retryable) => {
    const refusing: SignFiles = async () => Promise.reject(new CoreRefused(refusal, 'not this one'));
    const error = await failure(fetch(digestOf(content), refusing));
    expect(error).toMatchObject({ code, retryable, message: expect.stringContaining('not this one') });
  });

  describe('of a file with several places', () => {
    const read = { name: 'data', jobId: null };
    const expected = known(digestOf(content));
    const fetchOf = (places: number): Promise<void> =>
      files.reader([read]).fetch(read, target(), open, { expected, places });

    it.each<[string, Fault[]]>([
      ['has lost it', [404]],
      ['refuses access', [403]],
      ['is away for longer than it is waited for', [503]],
      ['has another content twice', ['wrong content', 'wrong content']],
    ])('takes the next place if the first one %s', async (_, faults) => {
      await storage.put('in/data.1', content);
      storage.faults = faults;
      const impatient = new SignedFiles(storage.sign, { ...patience, passingMs: 0, deniedMs: 0 });
      const reader = impatient.reader([read]);
      await reader.fetch(read, target(), open, { expected, places: 3 });
      expect((await readFile(target())).equals(content)).toBe(true);
      expect(storage.requests.at(-1)).toBe('GET in/data.1');
    });

    it('takes the next place if core cannot sign the first one', async () => {
      await storage.put('in/data.1', content);
      const by: SignFiles = async (wanted, signal) => {
        if (wanted.reads.every(({ source = 0 }) => source > 0)) return storage.sign(wanted, signal);
        throw new CoreRefused('FILE_FORBIDDEN', 'not this one');
      };
      await new SignedFiles(by, patience).reader([read]).fetch(read, target(), open, { expected, places: 2 });
      expect(storage.requests).toEqual(['GET in/data.1']);
    });

    it('tries a place that did not answer again if core signs no other', async () => {
      storage.faults = times(10_000, 503);
      await storage.put('in/data', content);
      const by: SignFiles = async (wanted, signal) => {
        if (wanted.reads.every(({ source = 0 }) => source === 0)) return storage.sign(wanted, signal);
        storage.faults = [];
        throw new CoreRefused('FILE_NOT_FOUND', 'one place, and one has failed');
      };
      const reader = new SignedFiles(by, { ...patience, passingMs: 10_000 }).reader([read]);
      await reader.fetch(read, target(), open, { expected, places: 2 });
      expect((await readFile(target())).equals(content)).toBe(true);
    });

    it.each<[string, Fault[], string, boolean]>([
      ['all have lost it', [404, 404], 'INPUT_GONE', false],
      ['all refuse access', times(10_000, 403), 'INPUT_DENIED', true],
      [
        'one is away and one has lost it',
        [...times(1, 404), ...times(10_000, 503)],
        'INPUT_UNREACHABLE',
        true,
      ],
    ])('fails with the error that another attempt may not meet if %s', async (_, faults, code, retryable) => {
      storage.faults = faults;
      expect(await failure(fetchOf(2))).toMatchObject({ family: 'DATA', code, retryable });
    });

    it('asks core for no other place after a refusal that concerns the job', async () => {
      let calls = 0;
      const by: SignFiles = async () => {
        calls += 1;
        throw new CoreRefused('FENCE_STALE', 'taken');
      };
      const reader = new SignedFiles(by, patience).reader([read]);
      await expect(reader.fetch(read, target(), open, { places: 3 })).rejects.toThrow('taken');
      expect(calls).toBe(1);
    });
  });

  it('names no signature in an error', async () => {
    storage.faults = [404];
    const { message } = await failure(fetch());
    expect(message).not.toContain('signature');
  });
});

describe('SignedFiles.store', () => {
  let outputs: OutputFolder;
  beforeEach(async () => {
    const path = await mkdtemp(join(storage.folder, 'outputs-'));
    await writeFile(join(path, 'hist.root'), content);
    outputs = await OutputFolder.open(path);
  });
  afterEach(() => outputs.close());
  const found = async () => {
    const output = await outputs.find('hist.root', () => undefined, open);
    if (!('sha256' in output)) throw new Error('not found');
    return [output];
  };

  it('transfers no more files at once with a storage than its limit permits', async () => {
    let [running, most] = [0, 0];
    const limit = new LimitByKey(2);
    const counting = Object.assign(Object.create(limit) as LimitByKey, {
      run: async <T>(key: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> =>
        limit.run(key, signal, async () => {
          most = Math.max(most, (running += 1));
          expect(key).toBe('rhizome://site');
          return action().finally(() => (running -= 1));
        }),
    });
    const reads = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads) await storage.put(`in/${name}`, content);
    const reader = new SignedFiles(storage.sign, patience, { limit: counting }).reader(reads);
    await Promise.all(
      reads.map(async (read) => reader.fetch(read, join(storage.folder, `of-${read.name}`), open)),
    );
    expect(most).toBe(2);
  });

  it('stores outputs whole after faults that pass, and returns their locations', async () => {
    storage.faults = ['break', 503];
    const stored = await files.store(await found(), outputs, { signal: open });
    expect(stored).toEqual([
      { name: 'hist.root', location: 'rhizome://site/out/hist.root', ...digestOf(content) },
    ]);
    expect((await storage.read('out/hist.root')).equals(content)).toBe(true);
    expect(storage.requests).toHaveLength(3);
  });

  it.each([
    ['is restarted', 503],
    ['has no space for a while', 507],
    ['has not read a new key yet', 403],
  ])('keeps outputs while the storage %s, and stores them then', async (_, status) => {
    storage.faults = times(10, status);
    expect(await patient.store(await found(), outputs, { signal: open })).toHaveLength(1);
    expect((await storage.read('out/hist.root')).equals(content)).toBe(true);
    expect(storage.requests).toHaveLength(11);
  });

  it('waits for new keys also after a storage was away for longer than for them', async () => {
    storage.faults = [...times(10, 503), 403, 503, 403];
    const waiting = new SignedFiles(storage.sign, { pauseMs: 1, deniedMs: 1 });
    expect(await waiting.store(await found(), outputs, { signal: open })).toHaveLength(1);
    expect(storage.requests).toHaveLength(14);
  });

  it('keeps outputs while core cannot use the storage', async () => {
    let refusals = 0;
    const replaced: SignFiles = async (...call) => {
      if ((refusals += 1) > 10) return storage.sign(...call);
      throw new CoreRefused('STORAGE_UNAVAILABLE', 'its credential is being replaced');
    };
    const storing = new SignedFiles(replaced, { pauseMs: 1 }).store(await found(), outputs, { signal: open });
    expect(await storing).toHaveLength(1);
  });

  it('stops when the job is taken from the worker', async () => {
    storage.faults = times(100_000, 503);
    const taken = new AbortController();
    const onFault = (): void => taken.abort(new Error('taken'));
    const storing = new SignedFiles(storage.sign, { pauseMs: 1, onFault });
    await expect(storing.store(await found(), outputs, { signal: taken.signal })).rejects.toThrow('taken');
  });

  it('leaves out what cannot be stored, if asked to', async () => {
    storage.faults = [413];
    const failures: string[] = [];
    const onFailed = ({ code }: { readonly code: string }): void => void failures.push(code);
    expect(await files.store(await found(), outputs, { signal: open, onFailed })).toEqual([]);
    expect(failures).toEqual(['OUTPUT_TOO_LARGE']);
  });

  it('writes to the server to which it is redirected', async () => {
    storage.faults = ['redirect', 'redirect'];
    expect(await files.store(await found(), outputs, { signal: open })).toHaveLength(1);
    expect((await storage.read('out/hist.root')).equals(content)).toBe(true);
  });

  it('returns nothing where core has no storage for them', async () => {
    const none = new SignedFiles(async () => Promise.reject(new CoreRefused('STORAGE_NOT_FOUND', 'none')));
    expect(await none.store(await found(), outputs, { signal: open })).toBeUndefined();
  });

  it('does not repeat an output that is too large', async () => {
    storage.faults = [413];
    await expect(files.store(await found(), outputs, { signal: open })).rejects.toMatchObject({
      ...{ family: 'DATA', code: 'OUTPUT_TOO_LARGE', retryable: false },
    });
  });

  it('waits with outputs for a storage whose address the site does not allow', async () => {
    const faults: string[] = [];
    const onFault = ({ message }: Error): void => void faults.push(message);
    const patience = { pauseMs: 1, passingMs: 50, onFault };
    const http = new Connections(undefined, new AllowedNetworks([]));
    const closed = new SignedFiles(storage.sign, patience, { http });
    await expect(closed.store(await found(), outputs, { signal: open })).rejects.toMatchObject({
      ...{ family: 'DATA', code: 'OUTPUT_ADDRESS_REFUSED', retryable: true },
    });
    expect(faults.length).toBeGreaterThan(1);
    expect(faults[0]).toContain('127.0.0.1 is this machine');
    expect(storage.requests).toEqual([]);
  });

  it.each([
    [403, 'OUTPUT_DENIED'],
    [507, 'OUTPUT_STORAGE_FULL'],
    [503, 'OUTPUT_NOT_STORED'],
  ])('fails with status %i that does not pass with %s', async (status, code) => {
    storage.faults = times(10_000, status);
    await expect(files.store(await found(), outputs, { signal: open })).rejects.toMatchObject({
      ...{ family: 'DATA', code, retryable: true },
    });
  });
});
