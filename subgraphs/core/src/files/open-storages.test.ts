import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@rhizome/log';
import type { StorageDocument } from '../storages/storage.document.js';
import { FileSigner } from './file-signer.js';
import { OpenStorages } from './open-storages.js';
import type { PlannedFile } from './signing-plan.js';

let folder: string;
let seconds: number;
let opened: OpenStorages;
const clock = { now: () => new Date(1_800_000_000_000 + seconds * 1000), monotonicMs: () => seconds * 1000 };
const log = silentLogger();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  seconds = 0;
  await writeCredential('a');
  opened = new OpenStorages({ credentialFolder: folder, clock, log });
});
afterEach(async () => {
  await opened.close();
  await rm(folder, { recursive: true });
});

const writeCredential = (id: string): Promise<void> =>
  writeFile(
    join(folder, 'main.json'),
    JSON.stringify({ kind: 'S3', accessKeyId: id, secretAccessKey: 'secret' }),
  );

const storage = (revision: number): StorageDocument =>
  ({
    ...{ _id: 'main', revision, provider: 'S3', address: 'https://s3.test', bucket: 'files' },
    ...{ credential: 'main', experiments: [], queues: [], sharedPrefixes: [] },
  }) as unknown as StorageDocument;

/** Access key by which an address is signed. */
async function keyOf(revision: number): Promise<string | undefined> {
  const provider = await opened.of(storage(revision));
  const expiresAt = new Date(Date.now() + 60_000);
  const { url } = await provider.sign('a', { method: 'GET', expiresAt });
  return new URL(url).searchParams.get('X-Amz-Credential')?.split('/')[0];
}

describe('OpenStorages', () => {
  it('reads a replaced credential within ten seconds', async () => {
    expect(await keyOf(1)).toBe('a');
    await rm(join(folder, 'main.json'));
    await writeCredential('b');
    expect(await keyOf(1)).toBe('a');
    seconds = 11;
    expect(await keyOf(1)).toBe('b');
  });

  it('goes on with the earlier credential while the file cannot be read, for ten minutes', async () => {
    expect(await keyOf(1)).toBe('a');
    await writeFile(join(folder, 'main.json'), '{"kind": "S3", "acc');
    seconds = 11;
    expect(await keyOf(1)).toBe('a');
    seconds = 700;
    await expect(keyOf(1)).rejects.toMatchObject({ kind: 'INVALID' });
  });

  it('keeps the newer of two revisions that callers have', async () => {
    const newer = await opened.of(storage(2));
    expect(await opened.of(storage(1))).toBe(newer);
    expect(await opened.of(storage(3))).not.toBe(newer);
  });

  it('leaves a replaced storage open for the calls that use it', async () => {
    const earlier = await opened.of(storage(1));
    await opened.of(storage(2));
    const expiresAt = new Date(Date.now() + 60_000);
    expect(await earlier.sign('a', { method: 'GET', expiresAt })).toMatchObject({ method: 'GET' });
  });
});

describe('FileSigner', () => {
  it('lets the process do other work while it signs many files', async () => {
    const signer = new FileSigner({ storages: opened, addressSeconds: 60, clock, log });
    const file = { storage: storage(1), key: 'a', name: 'a', jobId: null, method: 'GET' } as PlannedFile;
    let turns = 0;
    const timer = (): void => {
      turns += 1;
      next = setImmediate(timer);
    };
    let next = setImmediate(timer);
    const signed = await signer.sign(Array.from({ length: 200 }, () => file));
    clearImmediate(next);
    expect(signed.filter((one) => 'url' in one)).toHaveLength(200);
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  it('signs other files while one takes long, and returns all in order', async () => {
    const names = Array.from({ length: 40 }, (_, at) => `file-${at}`);
    let begun = 0;
    let release = (): void => undefined;
    const othersBegun = new Promise<void>((resolve) => (release = resolve));
    const of = async (one: StorageDocument) => {
      begun += 1;
      if (begun === names.length) release();
      if (begun === 1) await othersBegun;
      return opened.of(one);
    };
    const signer = new FileSigner({ storages: { of }, addressSeconds: 60, clock, log });
    const file = { storage: storage(1), key: 'a', jobId: null, method: 'GET' };
    const signed = await signer.sign(names.map((name) => ({ ...file, name }) as PlannedFile));
    expect(signed.map((one) => ('name' in one ? one.name : one.reason))).toEqual(names);
  });
});
