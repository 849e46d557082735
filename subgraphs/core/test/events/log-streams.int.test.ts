import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { type Answer, pilotOf, type TestStream } from '../support/core.fixture.js';
import {
  acquired,
  eventsOf,
  liveCore,
  messagesOf,
  registerWorker,
  report,
  runningJobs,
  untilReceived,
} from '../support/live-core.fixture.js';

const live = liveCore();
const { opened } = live;

const logs = `subscription ($jobId: ID!, $after: String) {
  jobLogAppended(jobId: $jobId, after: $after) { cursor event { attempt isComplete chunks { text cursor } } }
}`;

async function append(
  workerId: string,
  { id, fence }: { readonly id: string; readonly fence: number },
  first: number,
  texts: readonly string[],
): Promise<void> {
  const chunks = texts.map((text, at) => ({
    sequence: first + at,
    stream: 'STDOUT',
    text,
    at: '2030-01-01T00:00:00Z',
  }));
  const { appendJobLog } = await live.core.ask(
    'mutation ($input: AppendJobLogInput!) { appendJobLog(input: $input) { nextSequence userErrors { message } } }',
    { input: { workerId, jobId: id, fence, chunks } },
    pilotOf('north'),
  );
  expect(appendJobLog).toEqual({ nextSequence: first + texts.length, userErrors: [] });
}

describe('jobLogAppended', () => {
  it('delivers each chunk once, over attempts and a restart of core, and ends with the job', async () => {
    const workerId = await registerWorker(live.core, 'one');
    const [job] = await runningJobs(live.core, workerId, [{ retry: { maxAttempts: 2, backoffSeconds: 0 } }]);
    if (!job) throw new Error('no job');
    await report(live.core, 'startJobs', workerId, { ...job, phase: 'RUNNING' });
    await append(workerId, job, 0, ['old']);
    const following = await opened(logs, { jobId: job.id });
    expect(messagesOf(following)[0]).toEqual({
      cursor: expect.any(String),
      event: null,
    });
    const many = Array.from({ length: 100 }, (_, at) => `a${at}`);
    await append(workerId, job, 1, many);
    await append(workerId, job, 101, ['a100', 'a101']);
    const textsOf = (stream: TestStream) =>
      eventsOf(stream).flatMap((event) => {
        const chunks = (event?.['chunks'] ?? []) as readonly { readonly text: string }[];
        return chunks.map(({ text }) => text);
      });
    await waitFor('102 chunks', () => textsOf(following).length >= 102, { deadlineMs: 60_000 });
    const { job: read } = await live.core.ask(
      `{ job(id: "${job.id}") { log(first: 1) { endCursor chunks { text } } } }`,
    );
    const fromPage = live.core.subscribe(logs, { jobId: job.id, after: read?.['log']?.['endCursor'] });
    await waitFor('what follows the page', () => textsOf(fromPage).length >= 3, { deadlineMs: 60_000 });
    const cursor = messagesOf(following)[1]?.['cursor'];
    const known = Number(eventsOf(following)[1]?.['chunks']?.['length']);
    await live.restart();
    const resumed = live.core.subscribe(logs, { jobId: job.id, after: cursor });
    await report(live.core, 'failJobs', workerId, {
      ...job,
      error: { family: 'PAYLOAD', code: 'X', message: 'x', isRetryable: true },
    });
    const [again] = await acquired(live.core, workerId, 1);
    if (again?.id !== job.id) throw new Error('another job');
    await append(workerId, again, 0, ['b0']);
    await append(workerId, again, 1, ['b1']);
    await report(live.core, 'startJobs', workerId, { ...again, phase: 'RUNNING' });
    await report(live.core, 'finishJobs', workerId, { ...again });
    await waitFor('the end of the log', resumed.ended, { deadlineMs: 60_000 });
    const expected = [...many, 'a100', 'a101'];
    expect(textsOf(following)).toEqual(expected);
    expect(textsOf(resumed)).toEqual([...expected.slice(known), 'b0', 'b1']);
    expect(textsOf(fromPage).slice(0, 3)).toEqual(expected.slice(0, 3));
    expect(eventsOf(resumed).at(-1)).toMatchObject({ attempt: 2, isComplete: true, chunks: [] });
    // A subscriber after the end, with any cursor, receives the remaining chunks and the end.
    const late = live.core.subscribe(logs, { jobId: job.id, after: messagesOf(resumed).at(-1)?.['cursor'] });
    await waitFor('the end', late.ended, { deadlineMs: 60_000 });
    expect(textsOf(late)).toEqual([]);
    expect(messagesOf(late).map(({ cursor: place }) => place)).toEqual([
      messagesOf(resumed).at(-1)?.['cursor'],
    ]);
  });

  it('starts before the first attempt at the end of an empty page', async () => {
    const workerId = await registerWorker(live.core, 'one');
    const { submitJobs } = await live.core.ask(
      'mutation { submitJobs(input: { experiment: "alpha", idempotencyKey: "k", jobs: [{ name: "x", payload: { command: "true" } }] }) { jobs { id log { endCursor } } } }',
    );
    const [submitted] = submitJobs?.['jobs'] as unknown as readonly Answer[];
    const stream = live.core.subscribe(logs, {
      jobId: submitted?.['id'],
      after: submitted?.['log']?.['endCursor'],
    });
    const [job] = await runningJobs(live.core, workerId, [{ priority: -10 }]);
    if (!job) throw new Error('no job');
    expect(job.id).toBe(submitted?.['id']);
    await append(workerId, job, 0, ['first']);
    const [message] = await untilReceived(stream, 1);
    expect(message).toMatchObject({ event: { attempt: 1, chunks: [{ text: 'first' }] } });
  });

  it('refuses a job that does not exist or that the caller may not see', async () => {
    const stream = live.core.subscribe(logs, { jobId: 'job_nowhere' });
    await stream.ended;
    expect(stream.results[0]?.errors?.[0]?.extensions?.['code']).toBe('JOB_NOT_FOUND');
  });
});
