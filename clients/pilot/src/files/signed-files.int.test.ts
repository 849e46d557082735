/** Files in storages, by signed addresses, over HTTP. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AttemptError } from '../payload/attempt-error.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { digestOf, type Fault, SignedStorage } from '../testing/signed-storage.js';
import { OutputFolder } from './output-folder.js';
import { SignedFiles } from './signed-files.js';
import type { SignFiles } from './signed-files.types.js';

const open = new AbortController().signal;
/** Large enough that a connection breaks in the middle of it. */
const content = Buffer.alloc(3_000_000, 'larkspur ');
const storage = new SignedStorage();
const files = new SignedFiles(storage.sign, 5);

describe('SignedReader', () => {
  const target = (): string => join(storage.folder, 'fetched');
  const fetch = (expected = digestOf(content), by: SignFiles = storage.sign): Promise<void> => {
    const read = { name: 'data', jobId: null };
    return new SignedFiles(by, 5).reader([read]).fetch(read, target(), open, expected);
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

  it('asks for another address when one has expired, and before it does', async () => {
    storage.validSeconds = [-5, 600];
    await fetch();
    expect({ calls: storage.calls, requests: storage.requests.length }).toEqual({ calls: 2, requests: 2 });
    const reads = ['a', 'b'].map((name) => ({ name, jobId: null }));
    for (const { name } of reads) await storage.put(`in/${name}`, content);
    storage.validSeconds = [10];
    const reader = files.reader(reads);
    for (const read of reads) await reader.fetch(read, target(), open, undefined);
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

  it.each<[string, readonly Fault[], string, boolean]>([
    ['is not there', [404], 'INPUT_GONE', false],
    ['is refused with new addresses, too', [403, 403], 'INPUT_DENIED', false],
    ['is on a server with faults', [503, 503, 503, 503, 503, 503], 'INPUT_UNREACHABLE', true],
  ])('fails with a code of its own if a file %s', async (_, given, code, retryable) => {
    storage.faults = [...given];
    expect(await failure(fetch())).toMatchObject({ family: 'DATA', code, retryable });
    expect(storage.requests).toHaveLength(given.length);
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
    const output = await outputs.find('hist.root', open);
    if (!('sha256' in output)) throw new Error('not found');
    return [output];
  };

  it('stores outputs whole after faults that pass, and returns their locations', async () => {
    storage.faults = ['break', 503];
    const stored = await files.store(await found(), outputs, open);
    expect(stored).toEqual([
      { name: 'hist.root', location: 'rhizome://site/out/hist.root', ...digestOf(content) },
    ]);
    expect((await storage.read('out/hist.root')).equals(content)).toBe(true);
    expect(storage.requests).toHaveLength(3);
  });

  it('returns nothing where core has no storage for them', async () => {
    const none = new SignedFiles(async () => Promise.reject(new CoreRefused('STORAGE_NOT_FOUND', 'none')));
    expect(await none.store(await found(), outputs, open)).toBeUndefined();
  });

  it.each<[readonly Fault[], string]>([
    [[403, 403], 'OUTPUT_DENIED'],
    [[507], 'OUTPUT_STORAGE_FULL'],
    [[503, 503, 503, 503, 503, 503], 'OUTPUT_NOT_STORED'],
  ])('fails after %j with %s', async (given, code) => {
    storage.faults = [...given];
    await expect(files.store(await found(), outputs, open)).rejects.toMatchObject({
      ...{ family: 'DATA', code, retryable: true },
    });
  });
});
