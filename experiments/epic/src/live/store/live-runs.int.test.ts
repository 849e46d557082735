import { expect, it } from '@jest/globals';
import { ensureCollections } from '@rhizome/mongo';
import { testDatabase } from '@rhizome/testkit';
import { liveCollections } from '../model/live-collections.js';
import { newLiveRun } from '../model/live-input.js';
import { LiveRunsRepository } from './live-runs.repository.js';

it('reads times of frames of several runs by their positions', async () => {
  const db = await testDatabase('live-runs');
  await ensureCollections(db, liveCollections);
  const runs = new LiveRunsRepository(db);
  const now = new Date();
  for (const [index, id] of ['one', 'two'].entries()) {
    const paths = [{ name: 'FAST', command: 'c' }] as const;
    const input = { runNumber: index + 1, detectorConfiguration: 'd', paths };
    await runs.add(newLiveRun(input, { id, subject: 'me', now }));
    const numbers = Array.from({ length: 5 }, (_, number) => number);
    const frames = numbers.map((number) => ({ number, location: 'x', bytes: 1, recordedAt: now }));
    await runs.addFrames(id, frames, now);
  }
  const found = await runs.timesOfFrames([
    { runId: 'one', from: -2, to: 2 },
    { runId: 'two', from: 5, to: 5 },
  ]);
  expect(found.map(({ runId, sequence }) => `${runId} ${sequence}`).sort()).toEqual([
    ...['one 1', 'one 2', 'two 5'],
  ]);
  expect(await runs.timesOfFrames([])).toEqual([]);
});
