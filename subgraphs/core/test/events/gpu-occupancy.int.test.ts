import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import type { Answer } from '../support/core.fixture.js';
import { liveCore, messagesOf, registerWorker, report, runningJobs } from '../support/live-core.fixture.js';

const live = liveCore();
const { opened } = live;

const occupancy = `subscription ($filter: GpuOccupancyFilter) {
  gpuOccupancyChanged(filter: $filter, intervalMs: 100) { cursor gpus { queueName vendor model total unhealthy allocated } }
}`;
const counts = `subscription ($filter: JobFilter) {
  jobCountsChanged(filter: $filter, intervalMs: 100) { counts { gpuModel state count gpus } }
}`;

describe('jobCounts', () => {
  it('refuses a condition that counts do not know, and says why', async () => {
    const { errors } = await live.core.run('{ jobCounts(filter: { owners: ["a"] }) { count } }');
    expect(errors?.[0]?.message).toMatch(
      /^filter\.owners: .*counted by experiment, queue, share, state and GPU model/,
    );
  });
});

describe('GPUs', () => {
  const l4 = (at: number, health = 'HEALTHY') => ({
    id: `GPU-${at}`,
    vendor: 'NVIDIA',
    model: 'NVIDIA L4',
    memoryMiB: 24_000,
    health,
  });

  it('counts devices when they are added, granted and released, and jobs by model', async () => {
    const workerId = await registerWorker(live.core, 'one', [l4(1), l4(2), l4(3, 'UNHEALTHY')]);
    const gpus = await opened(occupancy);
    const jobs = await opened(counts);
    const row = {
      queueName: 'north',
      vendor: 'NVIDIA',
      model: 'NVIDIA L4',
      total: 3,
      unhealthy: 1,
      allocated: 0,
    };
    await waitFor('the fleet', () => messagesOf(gpus).some(({ gpus: rows }) => rows?.['length'] === 1), {
      deadlineMs: 60_000,
    });
    expect(messagesOf(gpus).at(-1)?.['gpus']).toEqual([row]);
    const [job] = await runningJobs(
      live.core,
      workerId,
      [{ requirements: { gpu: { count: 2 } } }],
      ['GPU-1', 'GPU-2', 'GPU-3'],
    );
    if (!job) throw new Error('no job');
    const latest = () => messagesOf(gpus).at(-1)?.['gpus']?.[0]?.['allocated'];
    await waitFor('two given away', () => latest() === 2, { deadlineMs: 60_000 });
    const countsNow = () => {
      const rows = new Map<string, Answer>();
      for (const { counts: some } of messagesOf(jobs))
        for (const one of some as unknown as readonly Answer[])
          rows.set(`${one['gpuModel']} ${one['state']}`, one);
      return [...rows.values()].filter(({ count }) => Number(count) > 0);
    };
    await waitFor('the counts', () => JSON.stringify(countsNow()).includes('SENT'), { deadlineMs: 60_000 });
    expect(countsNow()).toEqual([{ gpuModel: 'NVIDIA L4', state: 'SENT', count: 1, gpus: 2 }]);
    const { jobCounts } = await live.core.ask(
      '{ jobCounts(filter: { gpuModels: ["NVIDIA L4"] }) { count } }',
    );
    expect(jobCounts).toEqual([{ count: 1 }]);
    await report(live.core, 'startJobs', workerId, { ...job, phase: 'RUNNING' });
    await report(live.core, 'finishJobs', workerId, job);
    await waitFor('none given away', () => latest() === 0, { deadlineMs: 60_000 });
    expect(messagesOf(gpus).at(-1)?.['gpus']).toEqual([row]);
    const elsewhere = await opened(occupancy, { filter: { queues: ['south'] } });
    expect(messagesOf(elsewhere)[0]?.['gpus']).toEqual([]);
  });
});
