/** Storages, and the files of jobs in them: access to places, and the addresses by which workers use them. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Principal } from '@rhizome/authz';
import { testPrincipal } from '@rhizome/testkit';
import { admin, type Answer, pilotOf } from '../support/core.fixture.js';
import {
  ada,
  address,
  answerOf,
  bob,
  change,
  codesOf,
  core,
  finish,
  grantOf,
  other,
  reading,
  report,
  sha256,
  sign,
  site,
  started,
  submit,
  user,
  workerNamed,
  withFiles,
} from '../support/files.fixture.js';

withFiles();

describe('createStorage', () => {
  it('returns the same storage to a repeated call, and refuses its name with other settings', async () => {
    expect(await change('createStorage', site, admin, other)).toMatchObject({ storage: { name: 'site' } });
    expect(codesOf(await change('createStorage', { ...site, isDefault: false }))).toEqual([
      'STORAGE_NAME_TAKEN',
    ]);
  });

  it('only checks with isDryRun', async () => {
    const input = { ...site, name: 'tried', isDryRun: true };
    expect(await change('createStorage', input)).toMatchObject({ storage: null, userErrors: [] });
    expect(await core.ask('{ storage(name: "tried") { name } }')).toEqual({ storage: null });
  });

  it('is for principals with the permission in all experiments', async () => {
    const all = { ...site, name: 'mine' };
    for (const caller of [ada, testPrincipal({ grants: { alpha: 'ADMIN' } }), pilotOf('north')])
      expect(await change('createStorage', all, caller)).toEqual({ code: 'FORBIDDEN' });
    const operator = testPrincipal({ subject: 'op', grants: 'OPERATOR' });
    const tried = await change('createStorage', { ...all, isDryRun: true }, operator);
    expect(codesOf(tried)).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['a wrong name', { name: 'Site' }, 'name'],
    ['an address of another protocol', { address: 'root://files.test//a' }, 'address'],
    ['an address with a password', { address: 'https://u:p@files.test' }, 'address'],
    ['an address with a query', { address: 'https://files.test/?a=b' }, 'address'],
    ['S3 without a bucket', { provider: 'S3' }, 'bucket'],
    ['a bucket of another provider', { bucket: 'abc' }, 'bucket'],
    ['a credential that is a path', { credential: '../keys' }, 'credential'],
    ['an unknown experiment', { experiments: ['nowhere'] }, 'experiments.0'],
    ['an unknown queue', { queueNames: ['nowhere'] }, 'queueNames.0'],
    ['a prefix without an end', { sharedPrefixes: ['calibration'] }, 'sharedPrefixes.0'],
    ['a prefix that leads out', { sharedPrefixes: ['../a/'] }, 'sharedPrefixes.0'],
    ["a prefix with members' files", { sharedPrefixes: ['beta/'] }, 'sharedPrefixes.0'],
    ['no space', { maxFileMiB: 0 }, 'maxFileMiB'],
  ])('refuses %s', async (_, over, path) => {
    const { storage, userErrors } = await change('createStorage', { ...site, name: 'bad', ...over });
    expect(storage).toBeNull();
    const paths = (userErrors as unknown as readonly { path: string[] }[]).map((one) => one.path.join('.'));
    expect(paths).toContain(path);
    expect(JSON.stringify(userErrors)).not.toContain('u:p');
  });
});

describe('storages', () => {
  it('lists those of the experiments of the caller, and credentials only to those who manage them', async () => {
    const text = '{ storages { nodes { name credential isDefault experiments { name } } } }';
    const listed = async (caller: Principal): Promise<unknown> =>
      (await core.ask(text, {}, caller))['storages'];
    expect(await listed(admin)).toMatchObject({ nodes: [{ name: 'site', credential: 'files' }] });
    expect(await listed(ada)).toMatchObject({ nodes: [{ name: 'site', credential: null }] });
    expect(await listed(user('eve', 'beta'))).toEqual({ nodes: [] });
    const one = { name: 'site' };
    const single = 'query ($name: String!) { storage(name: $name) { name } }';
    expect(await core.ask(single, one, user('eve', 'beta'))).toEqual({ storage: null });
  });
});

describe('setStorage', () => {
  it('changes settings once, and removes those that are null', async () => {
    await change('createStorage', { ...site, name: 'changed', isDefault: false, maxFileMiB: 5 });
    expect(await change('setStorage', { name: 'changed', maxFileMiB: 7, isDryRun: true })).toMatchObject({
      storage: { revision: 1 },
    });
    expect(await change('setStorage', { name: 'changed', maxFileMiB: null, siteName: 'BNL' })).toMatchObject({
      storage: { revision: 2 },
    });
    expect(await change('setStorage', { name: 'changed', siteName: 'BNL' })).toMatchObject({
      storage: { revision: 2 },
    });
    expect(
      codesOf(await change('setStorage', { name: 'changed', expectedRevision: 1, siteName: 'X' })),
    ).toEqual(['REVISION_CONFLICT']);
    expect(codesOf(await change('setStorage', { name: 'none', siteName: 'X' }))).toEqual([
      'STORAGE_NOT_FOUND',
    ]);
    await change('removeStorage', { name: 'changed' });
  });
});

describe('submitJobs', () => {
  it('accepts own and shared places, and those of experiments that name them', async () => {
    const good = ['alpha/ada/x', 'alpha/shared/x', 'calibration/x'].map((place) => `rhizome://site/${place}`);
    expect(codesOf(await submit([reading(...good)]))).toEqual([]);
  });

  it.each([
    ['of another owner', 'rhizome://site/alpha/bob/x'],
    ['of another experiment', 'rhizome://site/beta/ada/x'],
    ['that leads to another owner', 'rhizome://site/alpha/ada/../bob/x'],
    ['in an unknown storage', 'rhizome://elsewhere/alpha/ada/x'],
    ['at a server that no storage covers', 'root://eos.test//alpha/ada/x'],
  ])('refuses a place %s, by its name', async (_, location) => {
    const { jobs, userErrors } = await submit([reading('http://files.test/a', location)]);
    expect(jobs).toEqual([null]);
    expect(userErrors).toEqual([
      {
        code: 'INVALID_VALUE',
        path: ['jobs', '0', 'payload', 'inputs', '1', 'location'],
        message: expect.stringContaining('must be'),
      },
    ]);
    expect(JSON.stringify(userErrors)).toContain(JSON.stringify(location).slice(1, -1));
  });

  it('refuses names of outputs that no storage permits', async () => {
    const names = ['a\uFF0Fb', '\u2025', 'a\u2028b', 'é'.repeat(200)];
    const { userErrors } = await submit([{ name: 'o', payload: { command: 'true', outputs: names } }]);
    expect((userErrors as unknown as readonly { path: string[] }[]).map(({ path }) => path.at(-1))).toEqual(
      names.map((_, at) => String(at)),
    );
  });

  it('accepts as parents of others only jobs that the caller may read', async () => {
    // Without workers.
    const requirements = { queue: 'south' };
    const submitted = await submit([{ name: 'p', requirements, payload: { command: 'true' } }]);
    const [{ id }] = submitted['jobs'] as unknown as readonly [{ id: string }];
    const child = { name: 'c', requirements, dependsOn: [id], payload: { command: 'true' } };
    const blind = (caller: Principal): Principal => ({ ...caller, actions: ['job:submit'] });
    expect(codesOf(await submit([child], bob))).toEqual([]);
    expect(codesOf(await submit([child], blind(ada)))).toEqual([]);
    expect(codesOf(await submit([child], blind(bob)))).toEqual(['DEPENDENCY_INVALID']);
  });

  it('refuses storages of other experiments', async () => {
    const caller = user('ada', 'beta');
    expect(codesOf(await submit([reading('rhizome://site/beta/ada/x')], caller, 'beta'))).toEqual([
      'INVALID_VALUE',
    ]);
  });

  it('checks the places of a task after its parameters are filled in', async () => {
    const text =
      'mutation ($i: SubmitTaskInput!) { submitTask(input: $i) { task { id } userErrors { code path } } }';
    const template = reading('rhizome://site/alpha/{{of}}/x');
    const sets = (...owners: readonly string[]) => ({
      parameterSets: owners.map((value) => ({ parameters: [{ name: 'of', value }] })),
    });
    const task = async (...owners: readonly string[]): Promise<Answer> => {
      const jobs = sets(...owners);
      const idempotencyKey = owners.join();
      const input = { ...{ experiment: 'alpha', name: 't', idempotencyKey }, template, jobs };
      return answerOf(await core.run(text, { i: input }, ada));
    };
    expect(codesOf(await task('ada', 'shared'))).toEqual([]);
    expect((await task('ada', 'bob'))['userErrors']).toMatchObject([
      { code: 'INVALID_VALUE', path: ['jobs', 'parameterSets', '1', 'payload', 'inputs', '0', 'location'] },
    ]);
  });
});

describe('signJobFiles', () => {
  let worker: string;
  beforeAll(async () => {
    worker = await workerNamed('host-1');
  });

  it('gives the holder addresses of inputs and of its own outputs, for minutes', async () => {
    const job = {
      name: 'w',
      payload: {
        command: 'true',
        inputs: [{ name: 'a', location: 'rhizome://site/alpha/shared/a b' }],
        outputs: ['hist.root'],
      },
    };
    const held = await started(worker, job);
    const files = { reads: [{ name: 'a' }], writes: [{ name: 'hist.root', sizeBytes: 5, sha256 }] };
    const before = Date.now();
    const answer = await sign(worker, held, files);
    expect(codesOf(answer)).toEqual([]);
    const [read, written] = answer['files'] as unknown as readonly Record<string, string>[];
    const own = `alpha/ada/jobs/${held.id}/${held.fence}/hist.root`;
    expect(read).toMatchObject({
      name: 'a',
      jobId: null,
      method: 'GET',
      location: 'rhizome://site/alpha/shared/a b',
    });
    expect(written).toMatchObject({ method: 'PUT', location: `rhizome://site/${own}` });
    expect(grantOf(read?.['url'] ?? '')).toMatchObject({ method: 'GET', key: 'alpha/shared/a b' });
    expect(grantOf(written?.['url'] ?? '')).toMatchObject({ method: 'PUT', key: own, sizeBytes: 5, sha256 });
    const seconds = (Date.parse(written?.['expiresAt'] ?? '') - before) / 1000;
    expect(seconds).toBeGreaterThan(290);
    expect(seconds).toBeLessThan(400);
    expect(codesOf(await finish(worker, held, ['hist.root']))).toEqual([]);
  });

  it('refuses other workers, other fences, and attempts that have ended', async () => {
    const held = await started(worker, { name: 'f', payload: { command: 'true', outputs: ['o'] } });
    const writes = [{ name: 'o', sizeBytes: 5, sha256 }];
    const second = await workerNamed('host-2');
    expect(codesOf(await sign(second, held, { writes }))).toEqual(['FENCE_STALE']);
    expect(codesOf(await sign(worker, { ...held, fence: held.fence - 1 }, { writes }))).toEqual([
      'FENCE_STALE',
    ]);
    expect(codesOf(await sign(worker, held, { writes }, pilotOf('south')))).toEqual(['WORKER_NOT_FOUND']);
    expect(await sign(worker, held, { writes }, ada)).toEqual({ code: 'FORBIDDEN' });
    await finish(worker, held, ['o']);
    expect(codesOf(await sign(worker, held, { writes }))).toEqual(['FENCE_STALE']);
  });

  it('refuses what the job did not declare, and content that cannot be right', async () => {
    const held = await started(worker, {
      name: 'u',
      payload: { command: 'true', inputs: [{ name: 'h', location: 'http://a.test/h' }], outputs: ['o'] },
    });
    const good = { sizeBytes: 5, sha256 };
    for (const [files, code] of [
      [{ reads: [{ name: 'x' }] }, 'FILE_NOT_FOUND'],
      [{ reads: [{ name: 'x', jobId: held.id }] }, 'FILE_NOT_FOUND'],
      [{ reads: [{ name: 'h' }] }, 'INVALID_VALUE'],
      [{ writes: [{ name: '../o', ...good }] }, 'FILE_NOT_FOUND'],
      [{ writes: [{ name: 'o', ...good, sha256: 'ab' }] }, 'INVALID_VALUE'],
      [{ writes: [{ name: 'o', ...good, sizeBytes: -1 }] }, 'INVALID_VALUE'],
      [{ reads: Array.from({ length: 1001 }, () => ({ name: 'h' })) }, 'INVALID_VALUE'],
    ] as const)
      expect(codesOf(await sign(worker, held, files))).toEqual([code]);
    await change('setStorage', { name: 'site', maxFileMiB: 1 });
    const large = { writes: [{ name: 'o', sizeBytes: 2 ** 20 + 1, sha256 }] };
    expect(codesOf(await sign(worker, held, large))).toEqual(['FILE_TOO_LARGE']);
    await change('setStorage', { name: 'site', maxFileMiB: null });
    await finish(worker, held, ['o']);
  });

  it('gives a child the outputs of its parent, with their digests, and nothing else of it', async () => {
    const parent = await started(worker, { name: 'p', payload: { command: 'true', outputs: ['o'] } }, bob);
    await finish(worker, parent, ['o']);
    const child = await started(worker, {
      name: 'c',
      dependsOn: [parent.id],
      payload: { command: 'true' },
    });
    const answer = await sign(worker, child, { reads: [{ name: 'o', jobId: parent.id }] });
    expect(answer['files']).toMatchObject([
      { name: 'o', jobId: parent.id, method: 'GET', sizeBytes: 5, sha256 },
    ]);
    expect(codesOf(await sign(worker, child, { reads: [{ name: 'x', jobId: parent.id }] }))).toEqual([
      'FILE_NOT_FOUND',
    ]);
    const location = `rhizome://site/alpha/bob/jobs/${parent.id}/${parent.fence}/o`;
    expect(codesOf(await submit([reading(location)]))).toEqual(['INVALID_VALUE']);
    const own = await started(worker, reading(location), bob);
    expect(codesOf(await sign(worker, own, { reads: [{ name: 'in-0' }] }))).toEqual([]);
    for (const held of [child, own]) await report('finishJobs', worker, { ...held, exitCode: 0 });
  });

  it('signs the nearest place of an input, and then the others', async () => {
    const location = 'https://data.test/x';
    const checksums = [{ kind: 'SHA256', value: sha256 }];
    const near = 'rhizome://site/alpha/shared/x';
    const input = { name: 'x', location, otherLocations: [near], sizeBytes: 5, checksums };
    const held = await started(worker, { name: 's', payload: { command: 'true', inputs: [input] } });
    const read = async (source: number): Promise<Answer> =>
      sign(worker, held, { reads: [{ name: 'x', source }] });
    expect((await read(0))['files']).toMatchObject([{ method: 'GET', location: near, sizeBytes: 5, sha256 }]);
    expect((await read(1))['files']).toMatchObject([{ method: 'GET', location, url: location }]);
    expect(codesOf(await read(2))).toEqual(['FILE_NOT_FOUND']);
    expect(codesOf(await read(-1))).toEqual(['INVALID_VALUE']);
    const removal = await change('removeStorage', { name: 'site' });
    expect(codesOf(removal)).toEqual(['STORAGE_IN_USE']);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
  });

  it('names no credential where a storage cannot be opened', async () => {
    const worker = await workerNamed('host-7');
    await change('createStorage', {
      ...site,
      name: 'closed',
      isDefault: false,
      credential: 'unknown-to-all',
    });
    const held = await started(worker, reading('rhizome://closed/alpha/shared/x'));
    const answer = await sign(worker, held, { reads: [{ name: 'in-0' }] });
    expect(codesOf(answer)).toEqual(['STORAGE_UNAVAILABLE']);
    expect(JSON.stringify(answer)).not.toMatch(/unknown-to-all|json/);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
    await change('removeStorage', { name: 'closed' });
  });

  it('checks access again, as the storage is now', async () => {
    const held = await started(worker, reading('rhizome://site/calibration/x'));
    expect(codesOf(await sign(worker, held, { reads: [{ name: 'in-0' }] }))).toEqual([]);
    await change('setStorage', { name: 'site', sharedPrefixes: [] });
    expect(codesOf(await sign(worker, held, { reads: [{ name: 'in-0' }] }))).toEqual(['FILE_FORBIDDEN']);
    await change('setStorage', { name: 'site', sharedPrefixes: ['calibration/'], credential: 'none' });
    expect(codesOf(await sign(worker, held, { reads: [{ name: 'in-0' }] }))).toEqual(['STORAGE_UNAVAILABLE']);
    await change('setStorage', { name: 'site', credential: 'files' });
    expect(codesOf(await sign(worker, held, { reads: [{ name: 'in-0' }] }))).toEqual([]);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
  });

  it('registers only files of the job itself', async () => {
    const held = await started(worker, { name: 'r', payload: { command: 'true', outputs: ['o'] } });
    const forged = { name: 'o', location: 'rhizome://site/alpha/bob/private', sizeBytes: 5, sha256 };
    const refused = await report('finishJobs', worker, { ...held, exitCode: 0, outputs: [forged] });
    expect(codesOf(refused)).toEqual(['INVALID_VALUE']);
    const files = `rhizome://site/alpha/ada/jobs/${held.id}`;
    for (const location of [
      `${files}/${held.fence}/other`,
      `${files}/${held.fence + 1}/o`,
      `${files}/o`,
      `rhizome://any/alpha/ada/x/jobs/${held.id}/1/o`,
      `root://host//jobs/${held.id}/1/o`,
    ]) {
      const outputs = [{ ...forged, location }];
      const answer = await report('finishJobs', worker, { ...held, exitCode: 0, outputs });
      expect(codesOf(answer)).toEqual(['INVALID_VALUE']);
    }
    const tricky = { ...forged, location: `rhizome://site/alpha/bob/jobs/${held.id}/1/o` };
    const accepted = await report('finishJobs', worker, { ...held, exitCode: 0, outputs: [tricky] });
    expect(codesOf(accepted)).toEqual([]);
    const text = 'query ($id: ID!) { job(id: $id) { outputFiles { name url } } }';
    expect(await core.ask(text, { id: held.id }, ada)).toEqual({
      job: { outputFiles: [{ name: 'o', url: null }] },
    });
  });
});

describe('setStorage with live jobs', () => {
  it('is refused for changes after which their files would be elsewhere, unless it is forced', async () => {
    const worker = await workerNamed('host-6');
    await change('createStorage', { ...site, name: 'moved', isDefault: false, experiments: [] });
    const held = await started(worker, reading('rhizome://moved/alpha/shared/x'));
    const narrowed = await change('setStorage', { name: 'moved', experiments: ['beta'] });
    expect(codesOf(narrowed)).toEqual(['STORAGE_IN_USE']);
    const elsewhere = { name: 'moved', address: 'https://other.test' };
    const refused = await change('setStorage', elsewhere);
    expect(codesOf(refused)).toEqual(['STORAGE_IN_USE']);
    expect(JSON.stringify(refused)).toContain(held.id);
    expect(codesOf(await change('setStorage', { name: 'moved', maxFileMiB: 1 }))).toEqual([]);
    expect(codesOf(await change('setStorage', { ...elsewhere, isForced: true }))).toEqual([]);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
    expect(codesOf(await change('setStorage', { name: 'moved', address }))).toEqual([]);
    await change('removeStorage', { name: 'moved' });
  });

  it('is not refused for jobs of an experiment that keeps the storage', async () => {
    const worker = await workerNamed('host-8');
    const shared = { ...site, name: 'shared', isDefault: false, experiments: ['alpha', 'beta'] };
    await change('createStorage', shared);
    const held = await started(worker, reading('rhizome://shared/alpha/shared/x'));
    expect(codesOf(await change('setStorage', { name: 'shared', experiments: ['beta'] }))).toEqual([
      'STORAGE_IN_USE',
    ]);
    expect(codesOf(await change('setStorage', { name: 'shared', experiments: ['alpha'] }))).toEqual([]);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
    await change('removeStorage', { name: 'shared' });
  });
});

describe('removeStorage', () => {
  it('is refused while a live job needs the storage, and frees the name', async () => {
    const worker = await workerNamed('host-4');
    const used = { ...site, name: 'used', isDefault: false };
    await change('createStorage', used);
    const held = await started(worker, reading('rhizome://used/alpha/shared/x'));
    const refused = await change('removeStorage', { name: 'used' }, admin, other);
    expect(codesOf(refused)).toEqual(['STORAGE_IN_USE']);
    expect(JSON.stringify(refused)).toContain(held.id);
    await report('finishJobs', worker, { ...held, exitCode: 0 });
    expect(await change('removeStorage', { name: 'used', isDryRun: true })).toMatchObject({ userErrors: [] });
    expect(await change('removeStorage', { name: 'used' })).toMatchObject({ storage: { name: 'used' } });
    expect(codesOf(await change('removeStorage', { name: 'used' }))).toEqual(['STORAGE_NOT_FOUND']);
    expect(await change('createStorage', { ...used, maxFileMiB: 3 }, admin, other)).toMatchObject({
      storage: { revision: 3 },
    });
    expect(codesOf(await submit([reading('rhizome://used/alpha/ada/x')], ada, 'alpha', other))).toEqual([]);
  });

  it('is refused while an attempt writes to it, and while a child of its files waits', async () => {
    const worker = await workerNamed('host-5');
    const parent = await started(worker, { name: 'p', payload: { command: 'true', outputs: ['o'] } });
    await sign(worker, parent, { writes: [{ name: 'o', sizeBytes: 5, sha256 }] });
    expect(codesOf(await change('removeStorage', { name: 'site' }))).toEqual(['STORAGE_IN_USE']);
    await submit([{ name: 'c', dependsOn: [parent.id], payload: { command: 'true' } }]);
    await finish(worker, parent, ['o']);
    expect(codesOf(await change('removeStorage', { name: 'site' }))).toEqual(['STORAGE_IN_USE']);
  });
});
