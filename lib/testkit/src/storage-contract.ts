/** The contract of storages: the same tests for each provider, against a real server. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type FileSource,
  readSigned,
  type SignedAddress,
  sourceOfBytes,
  type StorageProvider,
  writeSigned,
} from '@rhizome/storage';

/** A storage with what its server can do. */
export interface StorageUnderTest {
  readonly storage: StorageProvider;
  /** Ends the server. */
  readonly close?: () => Promise<void> | void;
}

/** Differences between servers. */
export interface StorageTraits {
  /** False if the server cannot grant access to a file for a limited time. Default true. */
  readonly signs?: boolean;
  /** False if a signed address does not fix the digest. Default true. */
  readonly signsDigests?: boolean;
  /** False if the server signs no addresses that have expired already. Default true. */
  readonly signsPast?: boolean;
  /** Characters that the server does not permit in names. */
  readonly refused?: RegExp;
  /** Longest key that the server permits. Default 1,000 characters. */
  readonly longestKey?: number;
}

const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');
const inAMinute = (): Date => new Date(Date.now() + 60_000);

/** Names with which programs have had trouble. */
const names = [
  'with spaces.root',
  'µ→e conversion/数据.txt',
  '100% #1?a=b&c+d;e',
  "quote's (1)",
  '🙂/~x',
  '-rf',
  '...',
];

/** Defines the tests of a storage. */
export function describeStorage(
  name: string,
  open: () => Promise<StorageUnderTest>,
  traits: StorageTraits = {},
): void {
  describe(`the contract of storages: ${name}`, () => {
    let tested: StorageUnderTest;
    let storage: StorageProvider;
    beforeAll(async () => {
      tested = await open();
      storage = tested.storage;
    });
    afterAll(async () => {
      await storage?.close();
      await tested?.close?.();
    });
    const read = async (key: string): Promise<string> => text((await storage.get(key)).body);
    const keysBelow = async (prefix: string): Promise<readonly string[]> =>
      (await storage.list(prefix)).files.map(({ key }) => key);

    describeContent(() => storage, read, keysBelow);
    describeFaults(() => storage, read, keysBelow);
    describeNames(() => storage, read, keysBelow, traits);
    if (traits.signs ?? true) describeAddresses(() => storage, read, traits);
  });
}

type Get = () => StorageProvider;
type Read = (key: string) => Promise<string>;
type KeysBelow = (prefix: string) => Promise<readonly string[]>;

function describeContent(get: Get, read: Read, keysBelow: KeysBelow): void {
  it('returns what was stored, with its size', async () => {
    const stored = await get().put('content/a', sourceOfBytes('hello'));
    expect(stored).toMatchObject({ key: 'content/a', sizeBytes: 5, sha256: sha256('hello') });
    const { body, sizeBytes } = await get().get('content/a');
    expect([await text(body), sizeBytes]).toEqual(['hello', 5]);
    const found = await get().head('content/a');
    expect(found).toMatchObject({ key: 'content/a', sizeBytes: 5 });
    expect([sha256('hello'), undefined]).toContain(found?.sha256);
  });

  it('replaces a file as a whole', async () => {
    await get().put('content/b', sourceOfBytes('a long first content'));
    await get().put('content/b', sourceOfBytes('second'));
    expect(await read('content/b')).toBe('second');
    expect(await keysBelow('content/b')).toEqual(['content/b']);
  });

  it('does not replace a file if it must not', async () => {
    await get().put('content/c', sourceOfBytes('first'), { ifAbsent: true });
    const second = get().put('content/c', sourceOfBytes('second'), { ifAbsent: true });
    await expect(second).rejects.toMatchObject({ kind: 'EXISTS' });
    expect(await read('content/c')).toBe('first');
  });

  it('stores an empty file', async () => {
    await get().put('content/empty', sourceOfBytes(''));
    expect(await read('content/empty')).toBe('');
    expect(await get().head('content/empty')).toMatchObject({ sizeBytes: 0 });
  });

  it('stores a file of many pieces', async () => {
    const content = Buffer.alloc(20_000_001, 'abcdefg');
    await get().put('content/large', sourceOfBytes(content));
    const found = await buffer((await get().get('content/large')).body);
    expect([found.length, sha256(found)]).toEqual([content.length, sha256(content)]);
  });

  it('returns ranges', async () => {
    await get().put('content/range', sourceOfBytes('0123456789'));
    const part = async (start: number, end?: number): Promise<[string, number]> => {
      const { body, sizeBytes } = await get().get('content/range', { range: { start, end } });
      return [await text(body), sizeBytes];
    };
    expect(await part(2, 4)).toEqual(['234', 10]);
    expect(await part(7)).toEqual(['789', 10]);
    expect(await part(0, 99)).toEqual(['0123456789', 10]);
    await expect(part(10)).rejects.toMatchObject({ kind: 'INVALID' });
  });

  it('lists files in the order of their keys, in parts', async () => {
    const keys = ['list/a-b', 'list/a/b', 'list/a/c/d', 'list/a0', 'list/ä', 'list2'];
    for (const key of [...keys].reverse()) await get().put(key, sourceOfBytes(key));
    const found: string[] = [];
    let after: string | undefined;
    do {
      const { files, next } = await get().list('list/', { limit: 2, ...(after !== undefined && { after }) });
      expect(files.length).toBeLessThanOrEqual(2);
      found.push(...files.map(({ key, sizeBytes }) => `${key} ${sizeBytes}`));
      after = next ?? undefined;
    } while (after !== undefined);
    expect(found).toEqual(keys.slice(0, 5).map((key) => `${key} ${Buffer.byteLength(key)}`));
    expect(await keysBelow('list/a')).toEqual(keys.slice(0, 4));
    expect(await keysBelow('list/nothing/')).toEqual([]);
  });

  it('removes files', async () => {
    await get().put('content/gone', sourceOfBytes('x'));
    await get().delete('content/gone');
    await get().delete('content/gone');
    await get().delete('never/there');
    expect(await get().head('content/gone')).toBeNull();
    await expect(get().get('content/gone')).rejects.toMatchObject({ kind: 'GONE', mayHelpElsewhere: true });
    expect(await keysBelow('content/gone')).toEqual([]);
  });
}

function describeFaults(get: Get, read: Read, keysBelow: KeysBelow): void {
  const good = sourceOfBytes('the declared content');
  it.each<[string, Partial<FileSource>]>([
    ['another digest', { sha256: sha256('other') }],
    ['more bytes', { sizeBytes: good.sizeBytes - 1 }],
    ['fewer bytes', { sizeBytes: good.sizeBytes + 1 }],
  ])('stores nothing if the content has %s than declared', async (what, declared) => {
    const key = `faults/${what.replaceAll(' ', '-')}`;
    await expect(get().put(key, { ...good, ...declared })).rejects.toMatchObject({ kind: 'CORRUPT' });
    expect(await get().head(key)).toBeNull();
    expect(await keysBelow('faults/')).toEqual([]);
  });

  it('keeps the file that was there if its replacement fails', async () => {
    await get().put('kept', good);
    await expect(get().put('kept', { ...good, sha256: sha256('other') })).rejects.toMatchObject({
      kind: 'CORRUPT',
    });
    expect(await read('kept')).toBe('the declared content');
  });

  it('stores nothing if it is aborted half way', async () => {
    const controller = new AbortController();
    const endless = async function* (): AsyncGenerator<Buffer> {
      for (let count = 0; ; count += 1) {
        yield Buffer.alloc(65_536);
        if (count === 20) controller.abort(new Error('enough'));
      }
    };
    const source = { sizeBytes: 50_000_000, sha256: sha256(''), open: () => Readable.from(endless()) };
    const put = get().put('faults/aborted', source, { signal: controller.signal });
    await expect(put).rejects.toThrow();
    expect(controller.signal.aborted).toBe(true);
    expect(await get().head('faults/aborted')).toBeNull();
    expect(await keysBelow('faults/')).toEqual([]);
  });

  it('ends a call whose signal is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(get().get('kept', { signal })).rejects.toThrow();
    await expect(get().list('', { signal })).rejects.toThrow();
  });
}

function describeNames(get: Get, read: Read, keysBelow: KeysBelow, traits: StorageTraits): void {
  const parts = Array.from({ length: 5 }, (_, at) => String(at).repeat(200));
  const longest = parts.join('/').slice(0, Math.min(1000, traits.longestKey ?? 1000));
  it.each([...names.filter((name) => !traits.refused?.test(name)), longest])(
    'stores a file named %s',
    async (name) => {
      const key = `names/${name}`.slice(0, Math.max(longest.length, name.length + 6));
      await get().put(key, sourceOfBytes(name));
      expect(await read(key)).toBe(name);
      expect(await get().head(key)).toMatchObject({ key, sizeBytes: Buffer.byteLength(name) });
      expect(await keysBelow(key)).toEqual([key]);
      await get().delete(key);
      expect(await get().head(key)).toBeNull();
    },
  );

  if (traits.refused !== undefined)
    it.each(names.filter((name) => traits.refused?.test(name)))(
      'refuses a name that it cannot address: %s',
      async (name) => {
        await expect(get().put(name, sourceOfBytes(name))).rejects.toMatchObject({ kind: 'INVALID' });
      },
    );

  it.each([
    ['that leads out of the storage', '../out'],
    ['that is absolute', '/etc/passwd'],
    ['that leads out of it later', 'a/../../out'],
    ['with NUL', 'a\0b'],
    ['with a look-alike of "/"', '..\u2215out'],
    ['of 4,096 characters', 'x'.repeat(4096)],
  ])('refuses a key %s in every call', async (_what, key) => {
    const invalid = { kind: 'INVALID', message: expect.stringMatching(/^Key "/) };
    await expect(get().put(key, sourceOfBytes('x'))).rejects.toMatchObject(invalid);
    await expect(get().get(key)).rejects.toMatchObject(invalid);
    await expect(get().head(key)).rejects.toMatchObject(invalid);
    await expect(get().delete(key)).rejects.toMatchObject(invalid);
    await expect(get().list(key)).rejects.toMatchObject(invalid);
    await expect(get().sign(key, { method: 'GET', expiresAt: inAMinute() })).rejects.toMatchObject(invalid);
  });
}

function describeAddresses(
  get: Get,
  read: Read,
  { signsDigests = true, signsPast = true }: StorageTraits,
): void {
  const content = sourceOfBytes('signed content');

  it('signs addresses to read a file', async () => {
    await get().put('signed/read me', content);
    const address = await get().sign('signed/read me', { method: 'GET', expiresAt: inAMinute() });
    expect(address).toMatchObject({ method: 'GET', url: expect.stringMatching(/^https?:/) });
    const { body, sizeBytes } = await readSigned(address, {}, content);
    expect([await text(body), sizeBytes]).toEqual(['signed content', content.sizeBytes]);
    const part = await readSigned(address, { range: { start: 7 } });
    expect(await text(part.body)).toBe('content');
  });

  it('signs addresses to write a file', async () => {
    const { sizeBytes, sha256: digest } = content;
    const grant = { method: 'PUT', expiresAt: inAMinute(), sizeBytes, sha256: digest } as const;
    const address = await get().sign('signed/new/write me', grant);
    await writeSigned(address, content);
    expect(await read('signed/new/write me')).toBe('signed content');
  });

  it('accepts a signed address for its method and its file only', async () => {
    await get().put('signed/a', content);
    const address = await get().sign('signed/a', { method: 'GET', expiresAt: inAMinute() });
    const write = writeSigned({ ...address, method: 'PUT' }, sourceOfBytes('other'));
    await expect(write).rejects.toMatchObject({ name: 'StorageError' });
    await get().put('signed/b', content);
    const other: SignedAddress = { ...address, url: address.url.replace('signed/a', 'signed/b') };
    await expect(readSigned(other)).rejects.toMatchObject({ kind: 'DENIED' });
    expect(await read('signed/a')).toBe('signed content');
  });

  it('accepts a signed address until it expires', async () => {
    await get().put('signed/a', content);
    const grant = { method: 'GET', expiresAt: new Date(Date.now() - 5000) } as const;
    if (!signsPast) return expect(get().sign('signed/a', grant)).rejects.toMatchObject({ kind: 'INVALID' });
    const address = await get().sign('signed/a', grant);
    await expect(readSigned(address)).rejects.toMatchObject({ kind: 'DENIED' });
  });

  it('does not accept another size than the signed one', async () => {
    const { sizeBytes, sha256: digest } = content;
    const grant = { method: 'PUT', expiresAt: inAMinute(), sizeBytes, sha256: digest } as const;
    const address = await get().sign('signed/size', grant);
    await expect(writeSigned(address, sourceOfBytes('short'))).rejects.toMatchObject({
      name: 'StorageError',
    });
    expect(await get().head('signed/size')).toBeNull();
    if (!signsDigests) return;
    const other = writeSigned(address, sourceOfBytes('Signed Content'));
    await expect(other).rejects.toMatchObject({ kind: 'CORRUPT' });
    expect(await get().head('signed/size')).toBeNull();
  });
}
