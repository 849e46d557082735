import { expect, it } from '@jest/globals';
import type { ApiClient } from '@rhizome/client';
import { CoreCalls } from './core-calls.js';

const pilotOf = (batch: string, state: string, worker: object | null = null) => ({
  ...{
    id: `${batch}-0000`,
    batch,
    number: 0,
    classId: 'c',
    experimentName: 'alpha',
    state,
    batchJobId: null,
  },
  ...{ requestedAt: '2026-01-01T00:00:00Z', worker },
});
const workerOf = (state: string) => ({
  ...{ id: 'worker_1', state },
  ...{ registeredAt: '2026-01-01T00:00:00Z', lastSeenAt: '2026-01-01T00:00:00Z' },
});

it('gives up batch jobs only of pilots that have ended, and have no worker at work', async () => {
  const pages = [
    [pilotOf('pilot_6', 'ENDED', workerOf('ENDED')), pilotOf('pilot_5', 'ENDED', workerOf('READY'))],
    [pilotOf('pilot_4', 'REFUSED'), pilotOf('pilot_2', 'ENDED')],
    [pilotOf('pilot_1', 'ENDED')],
  ];
  const asked: unknown[] = [];
  const query = async (_document: unknown, variables: unknown) => {
    const nodes = pages[asked.push(variables) - 1];
    const pageInfo = { hasNextPage: true, endCursor: `page ${asked.length}` };
    return { queue: { executor: 'SLURM', pilots: { nodes, pageInfo } } };
  };
  const caller = { queue: 'north', executor: 'site', instance: 'site 1', system: 'SLURM' } as const;
  const core = new CoreCalls({ query } as unknown as ApiClient, caller);
  const jobs = ['pilot_6', 'pilot_5', 'pilot_4', 'pilot_3'].map((batch) => ({ batch, number: 0 }));
  const isGivenUp = await core.givenUp(jobs, new AbortController().signal);
  expect(jobs.filter(isGivenUp).map(({ batch }) => batch)).toEqual(['pilot_6', 'pilot_4']);
  const states = ['ENDED', 'REFUSED'];
  expect(asked).toEqual([
    { queue: 'north', states, after: null },
    { queue: 'north', states, after: 'page 1' },
  ]);
});
