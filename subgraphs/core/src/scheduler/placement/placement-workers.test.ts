import { beforeEach, describe, expect, it } from '@jest/globals';
import { oneGpu, type Passes, passes } from '../../../test/support/passes.fixture.js';
import { aQueue } from '../../../test/support/scheduler.fixture.js';

let fleet: Passes['fleet'];
let ledger: Passes['ledger'];
let host: Passes['host'];
let ready: Passes['ready'];
let pass: Passes['pass'];
let checkBookings: Passes['checkBookings'];

beforeEach(() => {
  ({ fleet, ledger, host, ready, pass, checkBookings } = passes());
});

describe('placement on several workers of a host', () => {
  it('grants the free capacity of a worker with two open calls once, by its latest offer', () => {
    host('a', [{}, {}]);
    const [worker] = [...fleet.workers()];
    ready(4, oneGpu);
    const got = worker ? pass(1000, [worker, worker]) : {};
    expect(Object.values(got).flat().flat().sort()).toEqual(['a-0', 'a-1']);
    checkBookings();
  });

  it('grants a device that two workers of one host report once, in one pass and over several', () => {
    const devices = ['GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f', 'PCI-0000:3b:00.0'].map((id) => ({ id }));
    for (const id of ['a', 'b']) host(id, devices, { host: 'n1' });
    ready(1, oneGpu);
    pass();
    ready(4, oneGpu);
    pass();
    expect([...ledger.entries()].flatMap(({ deviceIds }) => deviceIds).sort()).toEqual(
      devices.map(({ id }) => id),
    );
    // Local names of workers, and bus addresses on other hosts, do not identify a device.
    host('c', [{ id: 'PCI-0000:3b:00.0' }, { id: 'gpu0' }], { host: 'n2' });
    host('d', [{ id: 'gpu0' }], { host: 'n2' });
    expect(Object.values(pass()).flat()).toHaveLength(3);
    // Not even where the workers share another device.
    for (const worker of ['e', 'f']) host(worker, [...devices, { id: 'gpu0' }], { host: 'n3' });
    ready(4, oneGpu);
    for (let count = 0; count < 4; count++) pass();
    expect(['e', 'f'].map((worker) => ledger.bookings(worker)?.has('gpu0'))).toEqual([true, true]);
  });

  it('grants the devices of a host to its workers, whatever workers of other sites report', () => {
    const id = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
    fleet.setQueues([aQueue({}), aQueue({ id: 'queue_far', name: 'far', site: 'FAR' })]);
    host('thief', [{ id }], { host: 'wn01.cern.ch', queueId: 'queue_far' });
    ready(1, oneGpu);
    expect(pass()['thief']).toHaveLength(1);
    host('victim', [{ id }], { host: 'wn01.cern.ch' });
    ready(1, oneGpu);
    expect(pass()['victim']).toHaveLength(1);
    // A pilot that returns with an ended one's host and device does not hold them either.
    fleet.remove('thief', true);
    host('neighbour', [{ id }], { host: 'wn01.cern.ch' });
    ready(1, oneGpu);
    expect(pass()).toEqual({});
  });

  it('withholds from a new worker what jobs of its ended predecessor still hold on the host', () => {
    const id = 'GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f';
    host('old', [{ id }], { host: 'n1' });
    ready(2, oneGpu);
    pass();
    fleet.remove('old', true);
    host('new', [{ id }], { host: 'n1' });
    expect(pass()).toEqual({});
    for (const { jobId } of [...ledger.entries()]) ledger.release(jobId, Number.MAX_SAFE_INTEGER);
    fleet.sharedDevices.forget('old');
    expect(pass()['new']).toHaveLength(1);
  });
});
