import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectMongo, type RunningMongod } from '@rhizome/mongo';
import { leftovers, ownMongod } from '@rhizome/testkit';
import { type Deployment, openDeployment } from '../deployment.js';

let mongod: RunningMongod;
let deployment: Deployment;
let base: string;
beforeAll(async () => {
  mongod = await ownMongod();
  deployment = await openDeployment(mongod.uri);
  base = await mkdtemp(join(tmpdir(), 'rhizome-users-'));
  leftovers.defer('the files of users', () => rm(base, { recursive: true }));
});
afterAll(() => deployment.close());

let count = 0;
const newFolder = (): string => join(base, `users-${(count += 1)}`);

/** Users have names of their own in each test. */
async function init(folder: string, services: Record<string, string[]>, more: object = {}) {
  const options = { uri: mongod.uri, folder, services, resetPasswords: false, dryRun: false, ...more };
  return (await deployment.initUsers(options)).map(({ user, actions }) => [user, ...actions]);
}

async function uriIn(folder: string, user: string): Promise<string> {
  return (await readFile(join(folder, `${user}.uri`), 'utf8')).trim();
}

/** Tries to write to a database. */
async function write(uri: string, database: string): Promise<string> {
  const client = await connectMongo({ uri, appName: 'test' });
  try {
    await client.db(database).collection('things').insertOne({});
    return 'written';
  } catch (error) {
    return String((error as { codeName?: string }).codeName);
  } finally {
    await client.close();
  }
}

describe('initUsers', () => {
  it('makes a user for each service, with rights on its own databases alone', async () => {
    const folder = newFolder();
    const made = await init(folder, { alpha: ['alpha'], beta: ['beta', 'second'] });
    expect(made).toEqual([
      ['alpha', 'CREATE'],
      ['beta', 'CREATE'],
    ]);
    expect(await readdir(folder)).toEqual(['alpha.uri', 'beta.uri']);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'alpha.uri'))).mode & 0o777).toBe(0o600);
    const [alpha, beta] = [await uriIn(folder, 'alpha'), await uriIn(folder, 'beta')];
    expect([await write(alpha, 'alpha'), await write(alpha, 'beta')]).toEqual(['written', 'Unauthorized']);
    expect([await write(beta, 'second'), await write(beta, 'alpha')]).toEqual(['written', 'Unauthorized']);
  });

  it('changes nothing when it is repeated, and corrects roles', async () => {
    const folder = newFolder();
    await init(folder, { again: ['again'] });
    const before = await uriIn(folder, 'again');
    expect(await init(folder, { again: ['again'] })).toEqual([['again', 'KEEP']]);
    expect(await init(folder, { again: ['other'] })).toEqual([['again', 'SET_ROLES']]);
    expect(await uriIn(folder, 'again')).toBe(before);
    expect([await write(before, 'other'), await write(before, 'again')]).toEqual(['written', 'Unauthorized']);
  });

  it('writes nothing in a dry run', async () => {
    const folder = newFolder();
    expect(await init(folder, { dry: ['dry'] }, { dryRun: true })).toEqual([['dry', 'CREATE']]);
    await expect(readdir(folder)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await init(folder, { dry: ['dry'] })).toEqual([['dry', 'CREATE']]);
  });

  it('makes the user of a file that an interrupted run has left', async () => {
    const folder = newFolder();
    await init(folder, { left: ['left'] });
    const uri = await uriIn(folder, 'left');
    const client = await connectMongo({ uri: mongod.uri, appName: 'test' });
    await client.db('admin').command({ dropUser: 'left' });
    await client.close();
    expect(await init(folder, { left: ['left'] })).toEqual([['left', 'CREATE']]);
    expect(await uriIn(folder, 'left')).toBe(uri);
    expect(await write(uri, 'left')).toBe('written');
  });

  it('sets a new password only with resetPasswords', async () => {
    const folder = newFolder();
    await init(folder, { lost: ['lost'] });
    const old = await uriIn(folder, 'lost');
    await rm(join(folder, 'lost.uri'));
    const services = { fresh: ['fresh'], lost: ['lost'] };
    await expect(init(folder, services)).rejects.toThrow(
      /User lost exists, and .*lost.uri does not have its password/,
    );
    expect(await readdir(folder)).toEqual([]);
    expect(await write(old, 'lost')).toBe('written');
    expect(await init(folder, services, { resetPasswords: true })).toEqual([
      ['fresh', 'CREATE'],
      ['lost', 'SET_PASSWORD'],
    ]);
    expect(await write(await uriIn(folder, 'lost'), 'lost')).toBe('written');
    await writeFile(join(folder, 'lost.uri'), old);
    await expect(init(folder, services)).rejects.toThrow(/does not have its password/);
  });

  it('refuses a name that no user may have', async () => {
    await expect(init(newFolder(), { 'a b': ['x'] })).rejects.toThrow(
      /"a b" cannot be the name of a service/,
    );
  });
});
