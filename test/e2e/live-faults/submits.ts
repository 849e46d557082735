/** Work of the story: a queue and shares, tasks, single jobs, and pilots. */
import { randomUUID } from 'node:crypto';
import { playgroundQueue } from '@rhizome/playground';
import type { Api } from '../system/api.js';
import { experiment, submit } from '../system/jobs.js';
import { startPilot, type WorkerPlace } from '../system/pilots.js';

/** The queue of the workers that the story speaks for. */
export const storyQueue = 'story';

/** Tasks of different shares run side by side. */
const shares = 6;
const shareOf = (at: number): string => `story${at % shares}`;
const requirements = { memoryMiB: 64, diskMiB: 1, walltimeSeconds: 600, queue: storyQueue };

/** Makes the queue and the shares. */
export async function prepareStory(api: Api): Promise<void> {
  const leaves = Array.from({ length: shares }, (_, at) => ({ leaf: shareOf(at), nominalCores: 100 }));
  const input = { experiment, shares: [{ leaf: 'default', nominalCores: 100 }, ...leaves] };
  const { setShares } = await api.data<{ setShares: { userErrors: readonly unknown[] } }>(
    'mutation ($input: SetSharesInput!) { setShares(input: $input) { userErrors { message } } }',
    { input },
  );
  const { createQueue } = await api.data<{ createQueue: { userErrors: readonly unknown[] } }>(
    'mutation ($input: CreateQueueInput!) { createQueue(input: $input) { userErrors { message } } }',
    { input: { name: storyQueue, site: 'STORY' } },
  );
  const refused = [...setShares.userErrors, ...createQueue.userErrors];
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}

/** Submits tasks; answers their ids. */
export async function submitTasks(api: Api, tasks: number, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let at = 0; at < tasks; at++) {
    const template = { name: 'part', share: shareOf(at), requirements, payload: { command: 'true' }, retry };
    const input = { experiment, idempotencyKey: randomUUID(), name: `task ${at}`, jobs: { count }, template };
    const { submitTask } = await api.data<{
      submitTask: { task: { id: string } | null; userErrors: readonly unknown[] };
    }>(
      'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { task { id } userErrors { message } } }',
      { input },
    );
    if (!submitTask.task) throw new Error(JSON.stringify(submitTask.userErrors));
    ids.push(submitTask.task.id);
  }
  return ids;
}

/** Submits jobs outside tasks, some of them for the real pilots; answers their ids. */
export async function submitSingles(api: Api, spoken: number, piloted: number): Promise<readonly string[]> {
  const ofStory = Array.from({ length: spoken }, (_, at) => ({ name: `single ${at}`, requirements, retry }));
  const ofPilots = Array.from({ length: piloted }, (_, at) => ({
    name: `real ${at}`,
    shell: 'sleep 0.2; echo done',
    requirements: { ...requirements, queue: playgroundQueue },
    retry,
  }));
  return submit(api, [...ofStory, ...ofPilots]);
}

/** Nothing fails for good here: a job that is lost is one that core has lost. */
const retry = { maxAttempts: 10, backoffSeconds: 0, retryOn: ['PAYLOAD', 'WORKER', 'SYSTEM'] };

/** Two real pilots. */
export async function startPilots(place: WorkerPlace): Promise<void> {
  await Promise.all(['first', 'second'].map((name) => startPilot(place, { name })));
}
