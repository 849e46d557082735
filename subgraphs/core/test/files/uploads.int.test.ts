/** Uploads on a real store and a real folder: what is sent, who may use it, and when it is removed. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { collection, ensureCollections } from '@rhizome/mongo';
import { openStorage, sourceOfBytes, StorageError, type StorageProvider } from '@rhizome/storage';
import {
  leftovers,
  manualClock,
  type ManualClock,
  testDatabase,
  type TestDatabase,
  testIds,
  testPrincipal,
  waitFor,
} from '@rhizome/testkit';
import { FileSigner } from '../../src/files/file-signer.js';
import { partId } from '../../src/files/uploads/upload-input.js';
import { UploadLimits } from '../../src/files/uploads/upload-limits.js';
import { UploadPartsRepository } from '../../src/files/uploads/upload-parts.repository.js';
import { UploadUses } from '../../src/files/uploads/upload-uses.js';
import { UploadUsers } from '../../src/files/uploads/upload-users.repository.js';
import { userOfUpload, type UserOfUpload } from '../../src/files/uploads/user-of-upload.js';
import {
  uploadPartsCollection,
  uploadsCollection,
  type UploadDocument,
} from '../../src/files/uploads/upload.document.js';
import { defaultUploads } from '../../src/files/uploads/uploads-config.js';
import { UploadsRepository } from '../../src/files/uploads/uploads.repository.js';
import { UploadsService } from '../../src/files/uploads/uploads.service.js';
import { UploadsUpkeep } from '../../src/files/uploads/uploads-upkeep.js';
import { jobIndex } from '../../src/jobs/model/job.document.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { StorageDocument } from '../../src/storages/storage.document.js';
import { aJob } from '../support/job.fixture.js';

const dayMs = 86_400_000;
const keepDays = 30;
const storage = {
  ...{ _id: 'site', provider: 'FOLDER', address: 'http://files.test' },
  ...{ experiments: [], queues: [], isDefault: true, sharedPrefixes: [] },
} as unknown as StorageDocument;
let db: TestDatabase;
let folder: string;
let provider: StorageProvider;
let clock: ManualClock;
let uploads: UploadsRepository;
let parts: UploadPartsRepository;
let service: UploadsService;
let uses: UploadUses;
let userOf: UserOfUpload;
/** Text for what will use each upload; undefined for nothing. */
let waitingUser: string | undefined;
/** Owners of one test; each has new ones. */
let [ada, bob]: Principal[] = [];
let tests = 0;

const jobs = () => db.collection<JobDocument>('jobsWithUploads');
const storages = { allFresh: async () => [storage] };
const opened = { of: async () => provider };

beforeAll(async () => {
  db = await testDatabase('core');
  await ensureCollections(db, [uploadsCollection, uploadPartsCollection] as never);
  await jobs().createIndex({ 'payload.uploadId': 1, state: 1 }, { name: jobIndex.upload });
  folder = await mkdtemp(join(tmpdir(), 'uploads-'));
  const keys = { kind: 'SIGNING_KEYS' as const, keys: [Buffer.alloc(32, 7)] };
  provider = openStorage({ provider: 'FOLDER', address: 'http://files.test', folder }, keys);
});
beforeEach(async () => {
  tests += 1;
  const user = (name: string) => testPrincipal({ subject: `${name}-${tests}`, grants: { alpha: 'USER' } });
  [ada, bob] = [user('ada'), user('bob')];
  clock = manualClock();
  uploads = new UploadsRepository(collection(db, uploadsCollection));
  parts = new UploadPartsRepository(collection(db, uploadPartsCollection));
  waitingUser = undefined;
  userOf = userOfUpload(new UploadUsers(jobs()), async () => waitingUser);
  uses = new UploadUses({ uploads, keepDays, clock });
  service = serviceWith({});
  await Promise.all([collection(db, uploadsCollection).deleteMany({}), jobs().deleteMany({})]);
  await collection(db, uploadPartsCollection).deleteMany({});
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function serviceWith(limits: Partial<typeof defaultUploads>, of = opened): UploadsService {
  return new UploadsService({
    ...{ uploads, parts, storages, opened: of, keepDays, clock, ids: testIds(clock, tests) },
    addressSeconds: 900,
    limits: new UploadLimits({ uploads, parts, limits: { ...defaultUploads, ...limits }, clock }),
    signer: new FileSigner({ storages: of, addressSeconds: 900, clock, log: silentLogger() }),
    experimentExists: async (name) => name === 'alpha',
    userOf: (upload) => userOf(upload),
  });
}

const partOf = (text: string) => ({
  sizeBytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
});
const specOf = (...texts: readonly string[]) => ({
  ...{ experiment: 'alpha', name: 'analysis', fileCount: texts.length },
  manifest: partOf(`manifest of ${texts.join()}`),
  parts: texts.map(partOf),
});
/** Stores parts, as a client does by the addresses. */
async function send(owner: Principal | undefined, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) await provider.put(keyOf(owner, text), sourceOfBytes(text));
}
const keyOf = (owner: Principal | undefined, text: string): string =>
  `alpha/${owner?.subject}/uploads/${partOf(text).sha256}`;
const there = (owner = ada): Promise<readonly string[]> =>
  readdir(join(folder, 'alpha', owner?.subject ?? '', 'uploads')).catch(() => []);

async function created(owner: Principal | undefined, ...texts: readonly string[]): Promise<UploadDocument> {
  const { upload, userErrors } = await service.create(owner as Principal, specOf(...texts));
  expect(userErrors).toEqual([]);
  return upload as UploadDocument;
}

/** An upload that is complete. */
async function ready(owner: Principal | undefined, ...texts: readonly string[]): Promise<UploadDocument> {
  const { _id } = await created(owner, ...texts);
  await send(owner, ...texts, `manifest of ${texts.join()}`);
  const { upload, userErrors } = await service.complete(owner as Principal, _id);
  expect(userErrors).toEqual([]);
  return upload as UploadDocument;
}

describe('UploadsService', () => {
  it('asks for each part once, and renews addresses without what has arrived', async () => {
    const spec = specOf('first', 'second');
    const first = await service.create(ada as Principal, spec);
    expect(first).toMatchObject({ missingCount: 3, upload: { state: 'OPEN', partCount: 3 } });
    expect(first.missing.map(({ name }) => name)).toEqual(
      [spec.manifest, ...spec.parts].map(({ sha256 }) => sha256),
    );
    for (const { method, location, validSeconds } of first.missing) {
      expect(method).toBe('PUT');
      expect(location).toContain(`rhizome://site/alpha/${ada?.subject}/uploads/`);
      expect(validSeconds).toBe(900);
    }
    await send(ada, 'first');
    const again = await service.create(ada as Principal, spec);
    expect(again.upload?._id).toBe(first.upload?._id);
    expect(again.missing.map(({ sha256 }) => sha256)).toEqual([
      spec.manifest.sha256,
      partOf('second').sha256,
    ]);
    const early = await service.complete(ada as Principal, first.upload?._id ?? '');
    expect(early.upload).toBeNull();
    expect(early.userErrors.map(({ code }) => code)).toEqual(['PART_MISSING', 'PART_MISSING']);
    await send(ada, 'second', 'manifest of first,second');
    const done = await service.complete(ada as Principal, first.upload?._id ?? '');
    expect(done).toMatchObject({ upload: { state: 'READY' }, userErrors: [] });
    expect(await service.complete(ada as Principal, first.upload?._id ?? '')).toEqual(done);
    expect(await service.create(ada as Principal, spec)).toMatchObject({
      ...{ missing: [], missingCount: 0, upload: { _id: first.upload?._id, state: 'READY' } },
    });
  });

  it('asks only for what no other upload of the owner has', async () => {
    await ready(ada, 'shared', 'old');
    const { missing } = await service.create(ada as Principal, specOf('shared', 'new'));
    expect(missing.map(({ sha256 }) => sha256)).toEqual([
      partOf('manifest of shared,new').sha256,
      partOf('new').sha256,
    ]);
    const ofBob = await service.create(bob as Principal, specOf('shared', 'new'));
    expect(ofBob.missingCount).toBe(3);
  });

  it('accepts no part of another size', async () => {
    const { _id } = await created(ada, 'right');
    await provider.put(keyOf(ada, 'right'), sourceOfBytes('a longer one'));
    const { userErrors } = await service.complete(ada as Principal, _id);
    expect(userErrors.map(({ message }) => message)).toContain(
      `Part ${partOf('right').sha256} has 12 bytes in the storage instead of 5.`,
    );
  });

  it('accepts one size of a content only', async () => {
    const spec = specOf('a');
    const { sha256 } = partOf('a');
    const twice = { ...spec, parts: [partOf('a'), { sizeBytes: 2 ** 30, sha256 }] };
    const message = expect.stringContaining('1, the size that was given with the same SHA-256 before');
    expect((await service.create(ada as Principal, twice)).userErrors).toMatchObject([
      { path: ['parts', '1', 'sizeBytes'], message },
    ]);
    await created(ada, 'a');
    const later = { ...specOf('b'), parts: [{ sizeBytes: 2 ** 30, sha256 }] };
    expect((await service.create(ada as Principal, later)).userErrors).toMatchObject([
      { path: ['parts', '0', 'sizeBytes'], message },
    ]);
    const place = { experiment: 'alpha', owner: ada?.subject ?? '', storage: 'site' };
    const other = { _id: partId('site', place, sha256), sizeBytes: 2, sha256 };
    const times = { dueAt: clock.now(), addressesUntil: clock.now() };
    expect(await parts.want(place, [other], clock.now(), times)).toBe(false);
  });

  it('records what has arrived though the storage answers slowly, and continues', async () => {
    const texts = Array.from({ length: 150 }, (_, at) => `slow ${at}`);
    const spec = specOf(...texts);
    const { _id } = await created(ada, ...texts);
    await send(ada, ...texts, `manifest of ${texts.join()}`);
    let heads = 0;
    const fails = {
      of: async () =>
        ({
          head: (key: string) => {
            heads += 1;
            return heads > 100 ? Promise.reject(new StorageError('SLOW', 'no answer')) : provider.head(key);
          },
        }) as StorageProvider,
    };
    const early = await serviceWith({}, fails).complete(ada as Principal, _id);
    expect(early.userErrors).toMatchObject([{ code: 'STORAGE_UNAVAILABLE' }]);
    const place = { owner: ada?.subject ?? '', experiment: 'alpha' };
    const ids = [spec.manifest, ...spec.parts].map(({ sha256 }) => partId('site', place, sha256));
    const stored = (await parts.findMany(ids)).filter(({ state }) => state === 'STORED');
    expect(stored).toHaveLength(64);
    expect(await service.create(ada as Principal, spec)).toMatchObject({ missingCount: 0, userErrors: [] });
    expect(await service.complete(ada as Principal, _id)).toMatchObject({ upload: { state: 'READY' } });
  });

  it('does not complete an upload that its owner removes meanwhile', async () => {
    const { _id } = await created(ada, 'raced');
    await send(ada, 'raced', 'manifest of raced');
    const isRemovedMeanwhile = {
      of: async () => {
        await service.complete(ada as Principal, _id);
        await service.remove(ada as Principal, _id);
        return provider;
      },
    };
    const late = await serviceWith({}, isRemovedMeanwhile).complete(ada as Principal, _id);
    expect(late).toMatchObject({ upload: null, userErrors: [{ code: 'UPLOAD_NOT_FOUND' }] });
    expect((await uploads.find(_id))?.removedAt).toBeInstanceOf(Date);
  });

  it('keeps uploads of others out of sight', async () => {
    const { _id } = await ready(ada, 'of ada');
    expect(await service.find(bob as Principal, _id)).toBeNull();
    expect((await service.list(bob as Principal, { first: 10 })).nodes).toEqual([]);
    for (const call of [service.complete(bob as Principal, _id), service.remove(bob as Principal, _id)])
      expect((await call).userErrors).toEqual([
        {
          ...{ code: 'UPLOAD_NOT_FOUND', path: ['id'] },
          message: `Upload "${_id}" not found, or you may not use it.`,
        },
      ]);
    expect((await service.list(ada as Principal, { first: 10 })).nodes).toMatchObject([{ _id }]);
    await expect(service.create(ada as Principal, { ...specOf('x'), experiment: 'beta' })).rejects.toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
  });

  it('refuses what exceeds a limit, with the figures', async () => {
    service = serviceWith({ ownerMib: 1, ownerFiles: 3 });
    const large = { ...specOf('a', 'b'), parts: [{ sizeBytes: 2 ** 20, sha256: 'ab'.repeat(32) }] };
    const { upload, userErrors } = await service.create(ada as Principal, large);
    expect(upload).toBeNull();
    expect(userErrors).toEqual([
      {
        ...{ code: 'UPLOAD_LIMIT_EXCEEDED', path: ['parts'] },
        message:
          'parts: your uploads for alpha would have 1.1 MiB with the 1.1 MiB that are new; must be at most 1 MiB; remove uploads that you no longer need',
      },
    ]);
    await created(ada, 'a', 'b');
    const more = await service.create(ada as Principal, specOf('c', 'd'));
    expect(more.userErrors).toMatchObject([
      { path: ['fileCount'], message: expect.stringContaining('would have 4 files; must be at most 3') },
    ]);
    // What is there already is not counted again.
    await created(ada, 'a', 'b');
  });

  it('lets calls at the same time exceed no limit of an owner', async () => {
    service = serviceWith({ ownerFiles: 3, ownerMib: 1 });
    const calls = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) =>
      service.create(ada as Principal, {
        ...{ ...specOf(text), fileCount: 2 },
        parts: [{ sizeBytes: 600_000, sha256: partOf(text).sha256 }],
      }),
    );
    const answers = await Promise.all(calls);
    expect(answers.filter(({ upload }) => upload).length).toBeLessThanOrEqual(1);
    const codes = new Set(answers.flatMap(({ userErrors }) => userErrors.map(({ code }) => code)));
    expect([...codes]).toEqual(['UPLOAD_LIMIT_EXCEEDED']);
    const { files } = await uploads.counts({ experiment: 'alpha', owner: ada?.subject ?? '' });
    expect(files).toBeLessThanOrEqual(3);
    // What was refused takes no space.
    expect(await parts.sizeBytes({ experiment: 'alpha', owner: ada?.subject ?? '' })).toBeLessThan(2 ** 20);
  });

  it('says that the storage cannot be used', async () => {
    const away = { of: async () => Promise.reject(new StorageError('SLOW', 'no answer')) };
    const { _id } = await created(ada, 'a');
    service = serviceWith({}, away);
    const { userErrors } = await service.complete(ada as Principal, _id);
    expect(userErrors).toMatchObject([
      { code: 'STORAGE_UNAVAILABLE', message: 'The storage site cannot be used now: no answer' },
    ]);
  });
});

describe('UploadUses', () => {
  it('finds complete uploads of the owner in the experiment, and keeps them', async () => {
    const mine = await ready(ada, 'a');
    const open = await created(ada, 'b');
    const ofBob = await ready(bob, 'a');
    const ids = [mine._id, open._id, ofBob._id, 'upload_nowhere'];
    const owner = { owner: ada?.subject ?? '', experiment: 'alpha' };
    clock.advance(10 * dayMs);
    expect([...(await uses.usable(owner, ids))]).toEqual([mine._id]);
    expect(await uploads.find(mine._id)).toMatchObject({
      ...{ lastUsedAt: clock.now(), expiresAt: new Date(clock.now().getTime() + keepDays * dayMs) },
    });
    expect((await uses.usable({ ...owner, experiment: 'beta' }, ids)).size).toBe(0);
  });
});

/** Runs the work of the leader until nothing is due. */
async function work(of = opened): Promise<void> {
  const term = new AbortController();
  const upkeep = new UploadsUpkeep({
    ...{ uploads, parts, userOf, storages, opened: of, clock, log: silentLogger(), everyMs: 20 },
    leader: { onGained: (run) => (run(term.signal), () => undefined) },
  });
  leftovers.defer('the upkeep', () => upkeep.stop());
  upkeep.start();
  const isDone = async (): Promise<boolean> =>
    (await uploads.expired(clock.now(), 1)).length === 0 &&
    (await parts.due(clock.now(), 1)).length === 0 &&
    (await collection(db, uploadPartsCollection).countDocuments({ state: 'REMOVING' })) === 0;
  await waitFor('nothing to be due', isDone, { deadlineMs: 10_000 });
  term.abort();
  await upkeep.stop();
}

describe('UploadsUpkeep', () => {
  it('removes an upload that was not used, and the parts that no other has', async () => {
    const old = await ready(ada, 'shared', 'old');
    clock.advance(20 * dayMs);
    const young = await ready(ada, 'shared', 'young');
    clock.advance(15 * dayMs);
    await work();
    expect(await uploads.find(old._id)).toBeNull();
    expect(await uploads.find(young._id)).not.toBeNull();
    const kept = ['shared', 'young', 'manifest of shared,young'].map((text) => partOf(text).sha256);
    expect([...(await there())].sort()).toEqual(kept.sort());
  });

  it.each(['PENDING', 'ACTIVATED', 'RUNNING'] as const)(
    'keeps an upload of a job that is %s',
    async (state) => {
      const upload = await ready(ada, 'a');
      const document = { state, payload: { ...aJob('x').payload, uploadId: upload._id } };
      await jobs().insertOne(aJob(`job_${tests}`, { document }));
      clock.advance(40 * dayMs);
      await work();
      expect(await uploads.find(upload._id)).not.toBeNull();
      expect(await there()).toHaveLength(2);
      expect((await service.remove(ada as Principal, upload._id)).userErrors).toMatchObject([
        { code: 'UPLOAD_IN_USE', message: `id: job job_${tests} uses ${upload._id}; wait, or cancel it` },
      ]);
      await jobs().updateOne({ _id: `job_${tests}` }, { $set: { state: 'FINISHED' } });
      clock.advance(2 * dayMs);
      await work();
      expect(await uploads.find(upload._id)).toBeNull();
    },
  );

  it('removes uploads that were never completed', async () => {
    const { _id } = await created(ada, 'a', 'b');
    await send(ada, 'a');
    clock.advance(2 * dayMs);
    await work();
    expect(await uploads.find(_id)).toBeNull();
    expect(await there()).toEqual([]);
  });

  it('keeps a removed upload for a job that was checked before, and for no other', async () => {
    const upload = await ready(ada, 'a');
    const owner = { owner: ada?.subject ?? '', experiment: 'alpha' };
    expect((await uses.usable(owner, [upload._id])).size).toBe(1);
    expect((await service.remove(ada as Principal, upload._id)).userErrors).toEqual([]);
    expect(await service.find(ada as Principal, upload._id)).toBeNull();
    expect((await service.list(ada as Principal, { first: 10 })).nodes).toEqual([]);
    expect((await uses.usable(owner, [upload._id])).size).toBe(0);
    // The submit that has checked it before stores its job only now.
    const document = { state: 'ACTIVATED' as const, payload: { ...aJob('x').payload, uploadId: upload._id } };
    await jobs().insertOne(aJob(`job_${tests}`, { document }));
    clock.advance(3_600_000);
    await work();
    expect(await uses.forJob(owner, upload._id)).toMatchObject({ _id: upload._id });
    expect(await there()).toHaveLength(2);
    await jobs().updateOne({ _id: `job_${tests}` }, { $set: { state: 'FINISHED' } });
    clock.advance(dayMs);
    await work();
    expect(await uploads.find(upload._id)).toBeNull();
    expect(await there()).toEqual([]);
  });

  it('uses a removed upload again when it is created again', async () => {
    const upload = await ready(ada, 'a');
    await service.remove(ada as Principal, upload._id);
    expect(await service.create(ada as Principal, specOf('a'))).toMatchObject({
      ...{ missingCount: 0, upload: { _id: upload._id, state: 'READY' } },
    });
    clock.advance(3_600_000);
    await work();
    expect(await service.find(ada as Principal, upload._id)).toMatchObject({ _id: upload._id });
  });

  it('deletes nothing after it stood still and another leader has removed the part', async () => {
    const { _id } = await created(ada, 'a');
    await send(ada, 'a', 'manifest of a');
    await service.remove(ada as Principal, _id);
    clock.advance(3_600_000);
    let isFirst = true;
    const slow = {
      async of() {
        if (!isFirst) return provider;
        isFirst = false;
        clock.advance(700_000);
        await work();
        await ready(ada, 'a');
        return provider;
      },
    };
    await work(slow);
    expect(await there()).toHaveLength(2);
  });

  it('removes no part for which an address can still be used', async () => {
    const { _id } = await created(ada, 'a');
    expect((await service.remove(ada as Principal, _id)).userErrors).toEqual([]);
    await work();
    clock.advance(600_000);
    await work();
    await send(ada, 'a');
    expect(await there()).toHaveLength(1);
    clock.advance(3_600_000);
    await work();
    expect(await there()).toEqual([]);
    expect(await collection(db, uploadPartsCollection).countDocuments({})).toBe(0);
  });

  it('does not remove an upload that was used after the leader read it', async () => {
    const upload = await ready(ada, 'a');
    clock.advance(31 * dayMs);
    const [read] = await uploads.expired(clock.now(), 1);
    expect(await uses.usable({ owner: ada?.subject ?? '', experiment: 'alpha' }, [upload._id])).toEqual(
      new Set([upload._id]),
    );
    expect(await uploads.remove(read as UploadDocument)).toBe(false);
  });

  it('does not remove a part that an upload wants since the leader read it', async () => {
    const upload = await created(ada, 'a');
    await service.remove(ada as Principal, upload._id);
    clock.advance(3_600_000);
    const [read] = (await parts.due(clock.now(), 10)).filter(({ sha256 }) => sha256 === partOf('a').sha256);
    await created(ada, 'a', 'b');
    if (!read) throw new Error('the part is not due');
    expect(await parts.beginRemoval(read, clock.now(), clock.now())).toBeNull();
  });

  it('lets no upload want a part while it is removed', async () => {
    const upload = await ready(ada, 'a');
    await service.remove(ada as Principal, upload._id);
    const owner = { experiment: 'alpha', owner: ada?.subject ?? '' };
    const [part] = await parts.findMany([partId('site', owner, partOf('a').sha256)]);
    if (!part) throw new Error('the part has no record');
    // A leader that was killed after it had marked the part.
    await parts.beginRemoval(part, new Date(clock.now().getTime() + 600_000), clock.now());
    const refused = await service.create(ada as Principal, specOf('a', 'b'));
    expect(refused.userErrors).toMatchObject([{ code: 'REVISION_CONFLICT' }]);
    await send(ada, 'b', 'manifest of a,b');
    const [open] = (await service.list(ada as Principal, { first: 1 })).nodes;
    const early = await service.complete(ada as Principal, open?._id ?? '');
    expect(early.userErrors.map(({ message }) => message)).toContain(
      `Part ${partOf('a').sha256} is being removed from the storage; send it again in some minutes.`,
    );
    clock.advance(700_000);
    await work();
    const { missing } = await service.create(ada as Principal, specOf('a', 'b'));
    expect(missing.map(({ sha256 }) => sha256)).toContain(partOf('a').sha256);
  });
});
