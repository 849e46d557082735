import { beforeAll, describe, expect, it } from '@jest/globals';
import { collection, ensureCollections } from '@rhizome/mongo';
import { testDatabase } from '@rhizome/testkit';
import { JobLogs, type LogChunk } from './job-logs.js';
import { jobLogHeadsCollection, jobLogsCollection } from './job-log.document.js';
import { JobLogsRepository } from './job-logs.repository.js';
import type { JobState } from '../model/job-state.js';
import type { StoredAttempt } from '../model/job.types.js';

let repository: JobLogsRepository;
let logs: JobLogs;
let serial = 0;

beforeAll(async () => {
  const db = await testDatabase('logs');
  await ensureCollections(db, [jobLogsCollection, jobLogHeadsCollection]);
  repository = new JobLogsRepository(
    collection(db, jobLogsCollection),
    collection(db, jobLogHeadsCollection),
  );
  logs = new JobLogs({ logs: repository, maxBytes: 1000 });
});

const aJob = (attempt = 1, ended = false, state: JobState = 'RUNNING') => ({
  _id: `job_${(serial += 1)}`,
  state,
  attempt,
  attempts: [{ number: attempt, ...(ended ? { endedAt: new Date(0) } : {}) } as StoredAttempt],
});
const chunk = (sequence: number, text = `line ${sequence}\n`): LogChunk => ({
  sequence,
  stream: 'STDOUT',
  text,
  at: new Date(sequence),
});
const textOf = async (job: ReturnType<typeof aJob>): Promise<string> =>
  (await logs.page(job, { first: 1000 })).chunks.map(({ text }) => text).join('');

describe('append', () => {
  it('stores chunks once, by their sequence number, and skips repeated ones', async () => {
    const job = aJob();
    expect(await logs.append(job._id, 1, [chunk(0), chunk(1)])).toEqual({ nextSequence: 2 });
    expect(await logs.append(job._id, 1, [chunk(0), chunk(1)])).toEqual({ nextSequence: 2 });
    expect(await logs.append(job._id, 1, [chunk(1, 'other text'), chunk(2)])).toEqual({ nextSequence: 3 });
    expect(await textOf(job)).toBe('line 0\nline 1\nline 2\n');
  });

  it('refuses a gap with the expected number', async () => {
    const job = aJob();
    await logs.append(job._id, 1, [chunk(0)]);
    expect(await logs.append(job._id, 1, [chunk(2)])).toMatchObject({
      refusal: 'INVALID_VALUE',
      path: ['chunks', '0', 'sequence'],
      message: expect.stringContaining('1, the next sequence number'),
    });
    expect(await logs.append(job._id, 1, [chunk(1), chunk(3)])).toMatchObject({
      refusal: 'INVALID_VALUE',
      path: ['chunks', '1', 'sequence'],
    });
    expect(await textOf(job)).toBe('line 0\n');
  });

  it('stores the same chunks from many concurrent callers once and loses none', async () => {
    const job = aJob();
    const all = Array.from({ length: 40 }, (_, at) => chunk(at, `${at};`));
    await Promise.all(
      Array.from({ length: 8 }, async (_, caller) => {
        for (let at = 0; at < 40; at += 4 + (caller % 2) * 4)
          await logs.append(job._id, 1, all.slice(at, at + 8));
      }),
    );
    expect(await textOf(job)).toBe(all.map(({ text }) => text).join(''));
    expect(await repository.head(job._id, 1)).toMatchObject({
      next: 40,
      bytes: all.reduce((sum, { text }) => sum + text.length, 0),
    });
  });

  it('keeps chunks of an interrupted call and continues the log', async () => {
    const job = aJob();
    await repository.insert([
      {
        _id: `${job._id}/01/00000000`,
        schemaVersion: 1,
        revision: 1,
        jobId: job._id,
        attempt: 1,
        ...chunk(0),
      },
    ]);
    expect(await logs.append(job._id, 1, [chunk(0), chunk(1)])).toEqual({ nextSequence: 2 });
    expect(await textOf(job)).toBe('line 0\nline 1\n');
  });

  it('refuses chunks beyond the limit and keeps the log', async () => {
    const job = aJob();
    await logs.append(job._id, 1, [chunk(0, 'ä'.repeat(400))]);
    expect(await logs.append(job._id, 1, [chunk(1, 'x'.repeat(201))])).toMatchObject({
      refusal: 'LOG_TOO_LARGE',
      path: ['chunks'],
      message: expect.stringContaining('1001 bytes'),
    });
    expect(await logs.append(job._id, 1, [chunk(1, 'x'.repeat(200))])).toEqual({ nextSequence: 2 });
    expect(await logs.append(job._id, 2, [chunk(0)])).toEqual({ nextSequence: 1 });
  });

  it.each([
    [[], ['chunks']],
    [Array.from({ length: 101 }, (_, at) => chunk(at)), ['chunks']],
    [[chunk(-1)], ['chunks', '0', 'sequence']],
    [[chunk(0, 'x'.repeat(65_537))], ['chunks', '0', 'text']],
  ])('refuses malformed chunks: %#', async (chunks, path) => {
    expect(await logs.append('job_x', 1, chunks)).toMatchObject({ refusal: 'INVALID_VALUE', path });
  });
});

describe('page', () => {
  it('returns pages by cursor and reports the end once the attempt has ended', async () => {
    const job = aJob();
    await logs.append(
      job._id,
      1,
      [0, 1, 2, 3, 4].map((at) => chunk(at)),
    );
    const first = await logs.page(job, { first: 3 });
    expect(first).toMatchObject({ hasNextPage: true, isComplete: false });
    const second = await logs.page(job, { first: 3, after: first.endCursor });
    expect(second.chunks.map(({ text }) => text)).toEqual(['line 3\n', 'line 4\n']);
    expect(second).toMatchObject({ hasNextPage: false, isComplete: false });
    const third = await logs.page(job, { first: 3, after: second.endCursor });
    expect(third).toMatchObject({ chunks: [], endCursor: second.endCursor, hasNextPage: false });
    const ended = { ...job, attempts: [{ number: 1, endedAt: new Date(0) } as StoredAttempt] };
    expect(await logs.page(ended, { first: 3, after: second.endCursor })).toMatchObject({ isComplete: true });
    expect(await logs.page(ended, { first: 3 })).toMatchObject({ isComplete: false });
  });

  it('keeps a log for each attempt and returns the latest by default', async () => {
    const job = aJob(12);
    await logs.append(job._id, 1, [chunk(0, 'first')]);
    await logs.append(job._id, 12, [chunk(0, 'twelfth')]);
    expect(await textOf(job)).toBe('twelfth');
    expect((await logs.page(job, { attempt: 1, first: 10 })).chunks.map(({ text }) => text)).toEqual([
      'first',
    ]);
    expect((await logs.page(job, { attempt: 3, first: 10 })).chunks).toEqual([]);
  });

  it.each([
    ['without any attempt', { attempt: 0, attempts: [] }, { first: 10 }],
    ['of an attempt that it never had', {}, { attempt: 7, first: 10 }],
  ])('returns a complete log of an ended job %s', async (_name, over, request) => {
    const live = { ...aJob(1, true, 'ACTIVATED'), ...over };
    expect(await logs.page(live, request)).toMatchObject({ chunks: [], isComplete: false });
    const ended = { ...live, state: 'CANCELLED' as const };
    expect(await logs.page(ended, request)).toMatchObject({
      chunks: [],
      isComplete: true,
      hasNextPage: false,
    });
  });

  it('returns a complete log of an earlier attempt that the job no longer lists', async () => {
    const job = aJob(30);
    await logs.append(job._id, 2, [chunk(0)]);
    expect(await logs.page(job, { attempt: 2, first: 10 })).toMatchObject({ isComplete: true });
    expect(await logs.page(job, { attempt: 30, first: 10 })).toMatchObject({ isComplete: false });
    expect(await logs.page(job, { attempt: 31, first: 10 })).toMatchObject({ isComplete: false });
  });

  it('continues pages of an attempt when a later attempt starts', async () => {
    const job = aJob();
    await logs.append(job._id, 1, [chunk(0, 'a'), chunk(1, 'b'), chunk(2, 'c')]);
    const first = await logs.page(job, { first: 2 });
    const later = { ...aJob(2), _id: job._id };
    await logs.append(job._id, 2, [chunk(0, 'second')]);
    const second = await logs.page(later, { first: 2, after: first.endCursor });
    expect(second).toMatchObject({ chunks: [{ text: 'c' }], hasNextPage: false, isComplete: true });
    expect(await logs.page(later, { first: 2, after: second.endCursor })).toMatchObject({
      chunks: [],
      endCursor: second.endCursor,
      isComplete: true,
    });
    expect((await logs.page(later, { first: 2 })).chunks.map(({ text }) => text)).toEqual(['second']);
    // The job has had only one attempt.
    const { endCursor } = await logs.page(later, { first: 2 });
    await expect(logs.page(job, { first: 2, after: endCursor })).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
    });
  });

  it('refuses a cursor of another job, which would skip output', async () => {
    const [one, other] = [aJob(), aJob()];
    await logs.append(one._id, 1, [chunk(0), chunk(1)]);
    await logs.append(other._id, 1, [chunk(0), chunk(1)]);
    const { endCursor } = await logs.page(one, { first: 1 });
    await expect(logs.page(other, { first: 1, after: endCursor })).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
      message: expect.stringContaining('is not a cursor of the log of this job'),
    });
  });

  it('refuses malformed cursors and cursors of another attempt', async () => {
    const job = aJob(2);
    await logs.append(job._id, 1, [chunk(0)]);
    const { endCursor } = await logs.page(job, { attempt: 1, first: 1 });
    await expect(logs.page(job, { attempt: 2, first: 1, after: endCursor })).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
    });
    await expect(logs.page(job, { first: 1, after: 'junk' })).rejects.toMatchObject({
      code: 'CURSOR_INVALID',
    });
    await expect(logs.page(job, { first: 1001 })).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
  });
});
