import { beforeEach, describe, expect, it } from '@jest/globals';
import { oneGpu, type Passes, passes } from '../../../test/support/passes.fixture.js';
import { aGpu, aQueue, aShare } from '../../../test/support/scheduler.fixture.js';

let fleet: Passes['fleet'];
let ledger: Passes['ledger'];
let host: Passes['host'];
let ready: Passes['ready'];
let pass: Passes['pass'];
let checkBookings: Passes['checkBookings'];

beforeEach(() => {
  ({ fleet, ledger, host, ready, pass, checkBookings } = passes());
});

describe('placement within limits of shares and devices', () => {
  it('never exceeds the GPUs a share may borrow: it leaves out optional ones, and larger requests wait', () => {
    fleet.setShares([aShare({ nominalGpus: 0, borrowLimitGpus: 0.6 })]);
    host('a30', [{ model: 'NVIDIA A30', memoryMiB: 24_258, migProfile: '4g.24gb', parentId: 'p' }]);
    host('whole', [{}]);
    ready(1, { cores: 1, gpu: aGpu({ migProfile: '4g.24gb' }) });
    ready(1, { cores: 2, gpu: aGpu({ optional: true }) });
    expect(Object.values(pass()).flat()).toEqual([[]]);
    ready(1, { cores: 1, gpu: aGpu({ migFraction: 500, exclusive: true }) });
    expect(pass()).toEqual({});
  });

  it('combines shares on a device only where the queue allows it, and never with an exclusive job', () => {
    fleet.setQueues([
      aQueue({ limits: { gpuSharing: true } }),
      aQueue({ id: 'queue_2', name: 'alone', limits: {} }),
    ]);
    host('alone', [{}], { queueId: 'queue_2' });
    host('shared', [{}, {}]);
    ready(3, { cores: 1, gpu: aGpu({ share: 300 }) });
    const got = pass();
    expect(Object.keys(got)).toEqual(['shared']);
    expect(new Set(got['shared']?.flat()).size).toBe(1);
    ready(2, oneGpu);
    const whole = pass();
    expect(whole['alone']).toHaveLength(1);
    expect(whole['shared']).toHaveLength(1);
    ready(1, { cores: 1, gpu: aGpu({ share: 101 }) });
    expect(pass()).toEqual({});
    checkBookings();
  });

  it('charges parts of GPUs, and stops borrowing at the limit of the share', () => {
    fleet.setShares([aShare({ nominalGpus: 1, borrowLimitGpus: 0.5 })]);
    host('a', [{}, {}, {}]);
    ready(2, { cores: 1, gpu: aGpu({ share: 500 }) });
    pass();
    expect(ledger.shareUse('alpha/default').gpus).toBe(1);
    ready(1, oneGpu);
    expect(pass()).toEqual({});
    ready(2, { cores: 1, gpu: aGpu({ share: 400 }) });
    expect(Object.values(pass()).flat()).toHaveLength(1);
  });

  it('serves an owner with few cores and many GPUs after one with few of both', () => {
    host('a', [{}, {}, {}, {}]);
    ready(2, { ...oneGpu, cores: 1 }, 'gpus/default');
    pass();
    ready(1, { ...oneGpu, cores: 1 }, 'gpus/default');
    ready(1, { cores: 4, memoryMiB: 1024 }, 'cores/default');
    pass(1);
    expect(ledger.shareUse('cores/default').jobs).toBe(1);
    expect(ledger.shareUse('gpus/default').jobs).toBe(2);
  });
});
