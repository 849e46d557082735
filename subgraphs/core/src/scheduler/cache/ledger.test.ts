import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aGpu, anEntry, someRequirements } from '../../../test/support/scheduler.fixture.js';
import type { LedgerEntry } from '../scheduler.types.js';
import { Ledger } from './ledger.js';

describe('Ledger', () => {
  it('counts what a grant takes of its worker, share, owner and queue, and gives all of it back', () => {
    const ledger = new Ledger();
    ledger.add(anEntry({ requirements: { cores: 4, memoryMiB: 2000, diskMiB: 10 }, deviceIds: ['GPU-1'] }));
    expect(ledger.workerUse('worker_1')).toMatchObject({ cores: 4, memoryMiB: 2000, diskMiB: 10, jobs: 1 });
    expect(ledger.shareUse('alpha/default')).toMatchObject({ cores: 4, memoryMiB: 2000, jobs: 1 });
    expect(ledger.ownerCores('alpha/default', 'ada')).toBe(4);
    expect(ledger.queueJobs('queue_1')).toBe(1);
    expect(ledger.deviceHolder('worker_1', 'GPU-1')).toBe('job_1');
    ledger.release('job_1', 8);
    expect(ledger.workerUse('worker_1')).toMatchObject({ cores: 0, jobs: 0 });
    expect(ledger.shareUse('alpha/default')).toMatchObject({ cores: 0, jobs: 0 });
    expect(ledger.ownerCores('alpha/default', 'ada')).toBe(0);
    expect(ledger.queueJobs('queue_1')).toBe(0);
    expect(ledger.deviceHolder('worker_1', 'GPU-1')).toBeUndefined();
  });

  it('releases a grant once, and never because of a report about an older one', () => {
    const ledger = new Ledger();
    ledger.add(anEntry({ fence: 16 }));
    expect(ledger.release('job_1', 9)).toBeUndefined();
    expect(ledger.release('job_1', 17)).toBeDefined();
    expect(ledger.release('job_1', 17)).toBeUndefined();
    ledger.add(anEntry({ fence: Infinity }));
    expect(ledger.release('job_1', Number.MAX_SAFE_INTEGER)).toBeUndefined();
    ledger.confirm('job_1', 24);
    expect(ledger.release('job_1', 24)).toBeDefined();
  });

  it('keeps the newest grant of a job, whatever order they are reported in', () => {
    const ledger = new Ledger();
    ledger.add(anEntry({ fence: 16, workerId: 'worker_2' }));
    expect(ledger.add(anEntry({ fence: 8 }))).toBe(false);
    expect(ledger.workerUse('worker_1').jobs).toBe(0);
    expect(ledger.add(anEntry({ fence: 24 }))).toBe(true);
    expect(ledger.workerUse('worker_2').jobs).toBe(0);
    expect(ledger.size).toBe(1);
  });

  it('records progress forward only, and only for the grant it is about', () => {
    const ledger = new Ledger();
    ledger.add(anEntry({ fence: 8 }));
    ledger.advance('job_1', 8, 'RUNNING');
    ledger.advance('job_1', 8, 'STARTING');
    ledger.advance('job_1', 16, 'HOLDING');
    expect(ledger.get('job_1')?.state).toBe('RUNNING');
  });

  it('keeps the devices of a job that was given away booked, once, until they are released', () => {
    const ledger = new Ledger();
    const gpu = aGpu({ share: 250, shareMemoryMiB: 100 });
    const requirements = { ...someRequirements(), gpu };
    const retained = { jobId: 'job_1', fence: 8, deviceIds: ['GPU-1'], share: 250, shareMemoryMiB: 100 };
    ledger.add(anEntry({ requirements, deviceIds: ['GPU-1'] }));
    ledger.retain('worker_1', [retained]);
    const booked = { thousandths: 250, memoryMiB: 100 };
    expect(ledger.deviceUse('worker_1', 'GPU-1')).toMatchObject(booked);
    ledger.release('job_1', 9);
    expect(ledger.deviceUse('worker_1', 'GPU-1')).toMatchObject(booked);
    expect(ledger.deviceHolder('worker_1', 'GPU-1')).toBe('job_1');
    expect(ledger.workerUse('worker_1')).toMatchObject({ cores: 0, jobs: 0 });
    expect(ledger.shareUse('alpha/default').jobs).toBe(0);
    const released: string[] = [];
    ledger.onReleased((workerId) => released.push(workerId));
    ledger.retainOnly([]);
    expect(ledger.bookings('worker_1')).toBeUndefined();
    expect(released).toEqual(['worker_1']);
  });

  it('returns the same device bookings of a worker until they change', () => {
    const ledger = new Ledger();
    const gpu = aGpu({ share: 250 });
    const requirements = { ...someRequirements(), gpu };
    ledger.add(anEntry({ requirements, deviceIds: ['GPU-1'] }));
    const first = ledger.bookings('worker_1');
    expect(first?.get('GPU-1')).toMatchObject({ thousandths: 250, unnamedThousandths: 250 });
    ledger.add(anEntry({ jobId: 'job_2' }));
    ledger.add(anEntry({ jobId: 'job_3', workerId: 'worker_2', deviceIds: ['GPU-1'] }));
    expect(ledger.bookings('worker_1')).toBe(first);
    ledger.add(anEntry({ jobId: 'job_4', requirements, deviceIds: ['GPU-1'] }));
    expect(first?.get('GPU-1')?.thousandths).toBe(250);
    expect(ledger.bookings('worker_1')?.get('GPU-1')?.thousandths).toBe(500);
    ledger.release('job_1', 8);
    ledger.release('job_4', 8);
    expect(ledger.bookings('worker_1')).toBeUndefined();
  });

  it('conserves sums: after any history they equal those of the remaining entries', () => {
    const anyEvent = fc.record({
      kind: fc.constantFrom('add', 'begin', 'release'),
      job: fc.integer({ min: 0, max: 5 }),
      worker: fc.integer({ min: 0, max: 2 }),
      share: fc.constantFrom('alpha/a', 'alpha/b', 'beta/a'),
      owner: fc.constantFrom('ada', 'bob'),
      fence: fc.integer({ min: 0, max: 40 }),
      cores: fc.integer({ min: 1, max: 8 }),
      device: fc.option(fc.constantFrom('GPU-1', 'GPU-2'), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
        const ledger = new Ledger();
        for (const { kind, job, worker, share, owner, fence, cores, device } of events) {
          if (kind === 'release') ledger.release(`job_${job}`, fence);
          else if (kind === 'begin') ledger.advance(`job_${job}`, fence, 'RUNNING');
          else {
            const requirements = { cores, memoryMiB: 10 * cores, diskMiB: cores };
            const deviceIds = device ? [device] : [];
            ledger.add(
              anEntry({
                jobId: `job_${job}`,
                workerId: `worker_${worker}`,
                share,
                owner,
                fence,
                requirements,
                deviceIds,
              }),
            );
          }
        }
        const left = [...ledger.entries()];
        expect(new Set(ledger.sent())).toEqual(new Set(left.filter(({ state }) => state === 'SENT')));
        expect(new Set(ledger.workers())).toEqual(new Set(left.map(({ workerId }) => workerId)));
        expect(new Set(left.map(({ jobId }) => jobId)).size).toBe(left.length);
        const sum = (keep: (entry: Readonly<LedgerEntry>) => boolean): number =>
          left.filter(keep).reduce((total, { requirements }) => total + requirements.cores, 0);
        for (const worker of ['worker_0', 'worker_1', 'worker_2']) {
          expect(ledger.workerUse(worker).cores).toBe(sum((entry) => entry.workerId === worker));
          expect(ledger.jobsOf(worker)).toEqual(
            new Set(left.filter((entry) => entry.workerId === worker).map(({ jobId }) => jobId)),
          );
        }
        for (const share of ['alpha/a', 'alpha/b', 'beta/a']) {
          expect(ledger.shareUse(share).cores).toBe(sum((entry) => entry.share === share));
          for (const owner of ['ada', 'bob']) {
            expect(ledger.ownerCores(share, owner)).toBe(
              sum((entry) => entry.share === share && entry.owner === owner),
            );
          }
        }
        expect(ledger.queueJobs('queue_1')).toBe(left.length);
        for (const experiment of ['alpha', 'beta']) {
          const own = left.filter(({ share }) => share.startsWith(`${experiment}/`));
          const cores = sum(({ share }) => share.startsWith(`${experiment}/`));
          expect(ledger.queueUse('queue_1', experiment)).toMatchObject({ cores, jobs: own.length });
        }
      }),
    );
  });
});
