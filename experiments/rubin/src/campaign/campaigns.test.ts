import { expect, it } from '@jest/globals';
import { Campaigns, type CampaignsOptions } from './campaigns.js';
import type { WorkflowDocument } from '../workflow.document.js';

const workflow = (id: number, revision: number) =>
  ({ _id: `w${id}`, workflowId: `c${id}`, revision, totalQuanta: 1, totalJobs: 1 }) as WorkflowDocument;

/** Campaigns whose readings are counted, and end when the test lets them. */
function counted() {
  const open: (() => void)[] = [];
  const counts = { all: 0, now: 0, most: 0 };
  const workflows: CampaignsOptions['workflows'] = {
    nodeStates: async () => {
      counts.all += 1;
      counts.now += 1;
      counts.most = Math.max(counts.most, counts.now);
      await new Promise<void>((resolve) => open.push(resolve));
      counts.now -= 1;
      return [];
    },
  };
  const quanta = { graph: () => Promise.resolve([{ name: 'a', label: 'isr', needs: [] }]) };
  const clock = { now: () => new Date('2030-01-01T00:00:00Z'), monotonicMs: () => times.now };
  const times = { now: 0 };
  const campaigns = new Campaigns({ workflows, quanta, reports: { of: () => Promise.reject() }, clock });
  const settle = async (answers: readonly (Promise<unknown> | null)[]) => {
    let isDone = false;
    const all = Promise.all(answers).finally(() => (isDone = true));
    while (!isDone) {
      for (const end of open.splice(0)) end();
      await new Promise(setImmediate);
    }
    return all;
  };
  return { campaigns, counts, settle, times };
}

it('reads one workflow at a time, however many are asked for', async () => {
  const { campaigns, counts, settle } = counted();
  await settle(Array.from({ length: 100 }, (_, at) => campaigns.of(workflow(at, 1))));
  expect(counts).toEqual({ all: 100, now: 0, most: 1 });
  // The last ones are still known.
  await settle([campaigns.of(workflow(99, 1))]);
  expect(counts.all).toBe(100);
  await settle([campaigns.of(workflow(0, 1))]);
  expect(counts.all).toBe(101);
});

it('reads a workflow that changes once for all that ask in the meantime', async () => {
  const { campaigns, counts, settle } = counted();
  const asked = [campaigns.of(workflow(1, 1))];
  await new Promise(setImmediate);
  for (let revision = 2; revision <= 50; revision += 1) asked.push(campaigns.of(workflow(1, revision)));
  const read = await settle(asked);
  expect(counts.all).toBe(2);
  expect((read.at(-1) as { workflow: WorkflowDocument }).workflow.revision).toBe(50);
});

it('reads a large workflow again only after a while', async () => {
  const { campaigns, counts, settle, times } = counted();
  const first = campaigns.of(workflow(1, 1));
  await new Promise(setImmediate);
  times.now = 500;
  await settle([first]);
  times.now = 1400;
  await settle([campaigns.of(workflow(1, 2))]);
  expect(counts.all).toBe(1);
  times.now = 1600;
  await settle([campaigns.of(workflow(1, 2))]);
  expect(counts.all).toBe(2);
});
