import { expect, it } from '@jest/globals';
import { ensureCollections, runMigrations } from '@rhizome/mongo';
import { testDatabase } from '@rhizome/testkit';
import { coreCollections, coreMigrations } from '../src/composition/migrations.js';
import { jobsCollection } from '../src/jobs/model/job.document.js';

it('brings validators of the same version that an earlier program wrote to the declared form', async () => {
  const db = await testDatabase('migrations');
  await ensureCollections(db, coreCollections);
  const { plannedEnds, uncountedEnds, ...properties } = jobsCollection.validator.properties ?? {};
  expect([plannedEnds, uncountedEnds]).toEqual([{}, {}]);
  await db.command({
    collMod: 'jobs',
    validator: { $jsonSchema: { ...jobsCollection.validator, properties } },
  });
  const earlier = coreMigrations.filter(({ id }) => id < '0021');
  const { drift } = await ensureCollections(db, coreCollections);
  expect(drift).toMatchObject([{ collection: 'jobs' }]);
  await runMigrations(db, earlier);
  await runMigrations(db, coreMigrations);
  expect(await ensureCollections(db, coreCollections)).toMatchObject({ drift: [] });
});
