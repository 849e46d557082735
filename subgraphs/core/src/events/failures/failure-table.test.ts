import { describe, expect, it } from '@jest/globals';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import type { FailureChange } from './failure-changes.js';
import { failureChange, lostTimeChange, targetsOf } from './failure-changes.js';
import { maxRows } from './failure-counts.document.js';
import { FailureTable } from './failure-table.js';

let token = 0;

function change(
  given: Partial<FailureChange> & { readonly host?: string; readonly code?: string },
): FailureChange {
  const { host = 'h', code = 'C', ...rest } = given;
  token += 1;
  return {
    token: `82${String(token).padStart(8, '0')}`,
    sign: 1,
    experiment: 'alpha',
    key: {
      family: 'PAYLOAD',
      code,
      site: 's',
      queue: 'q',
      host,
      taskId: 't',
      image: 'i',
      exitCode: 1,
    },
    coreSeconds: 0.1,
    gpuSeconds: 0,
    at: new Date(1_800_000_000_000 + token),
    jobId: `job_${token}`,
    ...rest,
  };
}

describe('FailureTable', () => {
  it('counts each event once', () => {
    const table = new FailureTable('CODE');
    const once = change({});
    table.apply(once);
    table.apply(once);
    expect(table.rows).toMatchObject([{ code: 'C', queue: 'q', host: null, taskId: null, count: 1 }]);
  });

  it('leaves out events that the stored document contains', () => {
    const table = new FailureTable('CODE');
    const first = change({});
    const second = change({});
    table.apply(first);
    const { upTo, rows } = table.changes();
    const again = new FailureTable('CODE', { revision: 3, upTo, rows: [...rows.values()] });
    again.apply(first);
    expect(again.isChanged).toBe(false);
    again.apply(second);
    expect(again.rows).toMatchObject([{ count: 2 }]);
    expect(again.changes()).toMatchObject({ revision: 3, upTo: second.token });
  });

  it('counts lost time, which has no position, after the events of the stored document', () => {
    const first = change({});
    const table = new FailureTable('CODE', { revision: 1, upTo: first.token ?? '', rows: [] });
    const at = new Date(1_800_000_000_000);
    const failure = { code: 'SUPERSEDED', cores: 2, gpus: 1, seconds: 10, at };
    const facts = { _id: 'job_1 8', schemaVersion: 1, createdAt: at, jobId: 'job_1', experiment: 'alpha' };
    table.apply(lostTimeChange({ ...facts, failure }));
    table.apply(first);
    expect(table.rows).toMatchObject([{ code: 'SUPERSEDED', count: 1, coreSeconds: 20, gpuSeconds: 10 }]);
    expect(table.changes()).toMatchObject({ revision: 1, upTo: first.token });
  });

  it('keeps the latest five jobs', () => {
    const table = new FailureTable('CODE');
    for (let index = 1; index <= 7; index++) table.apply(change({ jobId: `job_${index}` }));
    table.apply(change({ jobId: 'job_5' }));
    expect(table.rows[0]?.jobs).toEqual(['job_5', 'job_7', 'job_6', 'job_4', 'job_3']);
  });

  it('has one more row per family for keys beyond the limit, and loses none', () => {
    const table = new FailureTable('HOST');
    const hosts = maxRows.HOST + 500;
    for (let host = 0; host < hosts; host++) table.apply(change({ host: `h${host}` }));
    expect(table.rows).toHaveLength(maxRows.HOST + 1);
    expect(table.rows.at(-1)).toMatchObject({ family: 'PAYLOAD', code: 'OTHER', host: null, count: 500 });
    expect(table.rows.reduce((sum, { count }) => sum + count, 0)).toBe(hosts);
    table.apply(change({ host: 'h1' }));
    expect(table.rows[1]).toMatchObject({ host: 'h1', count: 2 });
  });

  it('takes back a failure that no longer counts', () => {
    const table = new FailureTable('CODE');
    table.apply(change({ jobId: 'job_a', coreSeconds: 0.1 }));
    table.apply(change({ jobId: 'job_b', coreSeconds: 0.2 }));
    table.apply(change({ jobId: 'job_a', coreSeconds: 0.1, sign: -1 }));
    expect(table.rows).toMatchObject([{ count: 1, coreSeconds: 0.2, jobs: ['job_b'] }]);
  });
});

describe('failureChange', () => {
  const last = { experiment: 'alpha', from: 'RUNNING', to: 'FAILED', attempt: 1 };
  const failure = { code: 'EXIT_CODE', family: 'PAYLOAD', cores: 4, gpus: 0.5, seconds: 10 };
  const at = new Date('2026-11-28T14:05:00Z');

  it('has the time of all cores and GPUs', () => {
    const event = { token: 't', jobId: 'job_1', last: { ...last, failure: { ...failure, at } } };
    const found = failureChange(event as never);
    expect(found).toMatchObject({
      sign: 1,
      coreSeconds: 40,
      gpuSeconds: 5,
      key: { host: null, taskId: null },
    });
    expect(found && targetsOf(found).map(({ id }) => id)).toEqual([
      'CODE alpha 2026-11-28T14:00:00.000Z',
      'HOST alpha 2026-11-28T14:00:00.000Z',
      'TASK alpha 2026-11-28T14:00:00.000Z',
      'IMAGE alpha 2026-11-28T14:00:00.000Z',
      'EXIT_CODE alpha 2026-11-28T14:00:00.000Z',
      'TOTAL alpha ',
    ]);
  });

  it('is undefined for other events', () => {
    expect(failureChange({ token: 't', jobId: 'job_1', last } as never)).toBeUndefined();
    const ofCanary = { ...last, owner: canaryOwner, failure: { ...failure, at } };
    expect(failureChange({ token: 't', jobId: 'job_1', last: ofCanary } as never)).toBeUndefined();
  });
});
