/**
 * Data of an earlier release: `upgrade/0034` is a backup of a core whose migrations end at 0034. A later
 * release adds a folder of its own data and keeps this one: RHIZOME_WRITE_UPGRADE_DATA=NAME writes it.
 */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@rhizome/clock';
import { type Manifest, openDeployment } from '@rhizome/deployment';
import { ensureCollections } from '@rhizome/mongo';
import { leftovers, type TestDatabase, testMongo } from '@rhizome/testkit';
import { coreCollections, coreMigrations } from '../src/composition/migrations.js';
import { acquireOne, register, startOne, startWorld, submitOne } from './support/access.fixture.js';
import { type Answer, startCore, type TestCore } from './support/core.fixture.js';

const folderOf = (name: string): string => fileURLToPath(new URL(`../../upgrade/${name}`, import.meta.url));

/** Writes the data of this release. */
async function writeData(name: string): Promise<void> {
  const world = await startWorld();
  await world.stop();
  const { databaseName } = world.db;
  const folder = folderOf(name);
  const deployment = await openDeployment((await testMongo()).uri);
  await deployment
    .backUp({ folder, databases: [databaseName], now: systemClock.now() })
    .finally(() => deployment.close());
  await rename(join(folder, databaseName), join(folder, 'core'));
  const path = join(folder, 'manifest.json');
  const text = (await readFile(path, 'utf8')).replaceAll(databaseName, 'core');
  await writeFile(path, `${JSON.stringify(JSON.parse(text))}\n`);
}

beforeAll(async () => {
  const name = process.env['RHIZOME_WRITE_UPGRADE_DATA'];
  if (!name) return;
  await rm(folderOf(name), { recursive: true, force: true });
  await writeData(name);
});

describe.each([['0034']])('data of a core with the migrations up to %s', (name) => {
  let db: TestDatabase;
  let core: TestCore;
  let manifest: Manifest;

  beforeAll(async () => {
    manifest = JSON.parse(await readFile(join(folderOf(name), 'manifest.json'), 'utf8')) as Manifest;
    const prefix = `upgrade_${randomBytes(6).toString('hex')}_`;
    const { uri, client } = await testMongo();
    db = client.db(`${prefix}core`);
    leftovers.defer('the upgraded database', async () => void (await db.dropDatabase()));
    const deployment = await openDeployment(uri);
    const options = { prefix, replace: false, dryRun: false, now: systemClock.now() };
    await deployment.restore({ folder: folderOf(name), ...options }).finally(() => deployment.close());
    core = await startCore({ db });
  });

  it('gets all migrations, collections, validators and indexes of this release', async () => {
    const applied = await db.collection('migrations').distinct('_id');
    expect(applied).toEqual(coreMigrations.map(({ id }) => id).sort());
    expect(await ensureCollections(db, coreCollections)).toMatchObject({
      created: [],
      updated: [],
      drift: [],
    });
  });

  it('has no document that the validators of this release refuse', async () => {
    const refused = await Promise.all(
      coreCollections.map(async ({ name: collection, validator }) => {
        const count = await db.collection(collection).countDocuments({ $nor: [{ $jsonSchema: validator }] });
        return count === 0 ? [] : [`${collection}: ${count}`];
      }),
    );
    expect(refused.flat()).toEqual([]);
    const filled = manifest.databases
      .flatMap(({ collections }) => collections)
      .filter((one) => one.documents > 0);
    expect(filled.map((one) => one.name)).toEqual(
      expect.arrayContaining(['jobs', 'tasks', 'workers', 'workflows', 'fleets', 'datasets', 'policies']),
    );
  });

  it('answers queries about jobs, tasks and workflows', async () => {
    const { jobs, queues, workflows } = await core.ask(`{
      jobs(first: 100) { nodes { name state attempts { number } task { name } outputs { name } } }
      queues { nodes { name limits { leaseSeconds } } }
      workflows(first: 10) { nodes { name state } }
    }`);
    const nodes = jobs?.['nodes'] as unknown as readonly Answer[];
    const states = nodes.map((job) => [String(job['name']), String(job['state'])]);
    expect(states).toEqual(
      expect.arrayContaining([
        ['grandparent', 'FINISHED'],
        ['parent', 'FINISHED'],
        ['waiting', 'ACTIVATED'],
      ]),
    );
    expect(nodes.find((job) => job['name'] === 'parent')).toMatchObject({
      attempts: [{ number: 1 }],
      outputs: [{ name: 'out' }],
    });
    expect(nodes.filter((job) => job['task'] !== null)).toMatchObject([
      { name: 'part 0', task: { name: 'task' } },
    ]);
    expect((queues?.['nodes'] as unknown as readonly Answer[]).map((one) => one['name'])).toEqual([
      'north',
      'south',
    ]);
    expect(workflows?.['nodes']).toMatchObject([{ name: 'workflow' }]);
  });

  it('runs a new job', async () => {
    const id = await submitOne(core, { name: 'after the upgrade', requirements: { queue: 'south' } });
    const workerId = await register(core, 'south', 'after the upgrade');
    const given = await acquireOne(core, 'south', workerId);
    expect(given.id).toBe(id);
    await startOne(core, 'south', workerId, given);
  });
});
