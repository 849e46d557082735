import { describe, expect, it } from '@jest/globals';
import type { JobDocument } from '../model/job.types.js';
import { insertBatches } from './insert-batches.js';

const job = (at: number, bytes: number): JobDocument =>
  ({
    _id: `job_${at}`,
    payload: { command: 'c'.repeat(bytes), arguments: [], environment: [], inputs: [], outputs: [] },
  }) as unknown as JobDocument;
const mebibyte = 1024 * 1024;

describe('insertBatches', () => {
  it('keeps small jobs together', () => {
    const jobs = Array.from({ length: 1000 }, (_, at) => job(at, 100));
    expect([...insertBatches(jobs)]).toEqual([jobs]);
  });

  it('divides large jobs, and keeps their order', () => {
    const jobs = Array.from({ length: 10 }, (_, at) => job(at, mebibyte));
    const batches = [...insertBatches(jobs)];
    expect(batches.map((batch) => batch.length)).toEqual([2, 2, 2, 2, 2]);
    expect(batches.flat()).toEqual(jobs);
  });

  it('has no batch for no jobs', () => {
    expect([...insertBatches([])]).toEqual([]);
  });
});
