// Another user of the machine that the playground runs on reaches every loopback port, and every file that
// is not closed to it.
import { spawnSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { leftovers } from '@rhizome/testkit';
import { type PlaygroundSystem, startPlayground } from '../e2e/system/playground-system.js';

let system: PlaygroundSystem;
let stranger: MongoClient;

beforeAll(async () => {
  system = await startPlayground();
  const record = await readFile(join(system.data, 'mongo', 'replica-set.json'), 'utf8');
  const { ports } = JSON.parse(record) as { readonly ports: readonly number[] };
  stranger = new MongoClient(`mongodb://127.0.0.1:${ports[0]}/?directConnection=true`);
  leftovers.defer('the client of a stranger', () => stranger.close());
});

describe('another local user', () => {
  const refused = { codeName: 'Unauthorized' };

  it('cannot list the databases of the playground', async () => {
    await expect(stranger.db('admin').admin().listDatabases()).rejects.toMatchObject(refused);
  });

  it('cannot read jobs', async () => {
    await expect(stranger.db('core').collection('jobs').findOne()).rejects.toMatchObject(refused);
  });

  it('cannot change the command of a waiting job', async () => {
    const change = { $set: { 'payload.command': 'id' } };
    await expect(stranger.db('core').collection('jobs').updateMany({}, change)).rejects.toMatchObject(
      refused,
    );
  });

  it('cannot read the schema registry', async () => {
    await expect(stranger.db('gateway').collection('versions').findOne()).rejects.toMatchObject(refused);
  });

  it('cannot create a user', async () => {
    const command = { createUser: 'me', pwd: 'x', roles: ['root'] };
    await expect(stranger.db('admin').command(command)).rejects.toMatchObject(refused);
  });

  it('cannot enter the data folder, nor read a file in it', async () => {
    const open: string[] = [];
    for (const name of ['', ...(await readdir(system.data))]) {
      const { mode } = await stat(join(system.data, name));
      if ((mode & 0o077) !== 0) open.push(name);
    }
    expect(open).toEqual([]);
    if (process.getuid?.() !== 0) return;
    const file = join(system.data, 'playground.json');
    expect(spawnSync('setpriv', ['--reuid=65534', '--clear-groups', 'cat', file]).status).not.toBe(0);
  });
});
