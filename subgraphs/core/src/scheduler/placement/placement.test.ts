import { beforeEach, describe, expect, it } from '@jest/globals';
import { oneGpu, type Passes, passes } from '../../../test/support/passes.fixture.js';
import { aGpu, aWorker } from '../../../test/support/scheduler.fixture.js';

let fleet: Passes['fleet'];
let host: Passes['host'];
let ready: Passes['ready'];
let pass: Passes['pass'];
let checkBookings: Passes['checkBookings'];

beforeEach(() => {
  ({ fleet, host, ready, pass, checkBookings } = passes());
});

describe('placement', () => {
  it('keeps jobs without GPUs off GPU hosts while others are free, and uses GPU hosts when none is', () => {
    host('gpu', [{}, {}]);
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu', hardware: { cores: 4 } }));
    ready(6, { cores: 1 });
    const got = pass();
    expect(got['cpu']).toHaveLength(4);
    expect(got['gpu']).toHaveLength(2);
  });

  it('fills hosts that are in use with GPU jobs, so that whole hosts stay whole', () => {
    for (const id of ['a', 'b', 'c']) host(id, [{}, {}, {}, {}]);
    ready(1, oneGpu);
    const [first] = Object.keys(pass());
    ready(3, oneGpu);
    expect(Object.keys(pass())).toEqual([first]);
    ready(2, { ...oneGpu, gpu: aGpu({ count: 4 }) });
    expect(Object.keys(pass())).toHaveLength(2);
  });

  it('chooses the host with the smallest devices that are sufficient', () => {
    host('large', [{ model: 'NVIDIA A100-SXM4-80GB', memoryMiB: 81_251 }]);
    host('small', [{ model: 'NVIDIA A30', memoryMiB: 24_258 }]);
    host('middle', [{}]);
    ready(1, { ...oneGpu, gpu: aGpu({ minMemoryMiB: 40_960 }) });
    expect(Object.keys(pass(1))).toEqual(['middle']);
    ready(1, oneGpu);
    expect(Object.keys(pass(1))).toEqual(['small']);
  });

  it('takes several devices from one host', () => {
    host('a', [{}, {}]);
    host('b', [{}, {}, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 3 }) });
    expect(pass()['b']?.[0]).toHaveLength(3);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 3 }) });
    expect(pass()).toEqual({});
  });

  it('grants optional GPUs where there are some, and runs the job without them elsewhere', () => {
    host('gpu', [{}]);
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu' }));
    ready(2, { cores: 2, gpu: aGpu({ optional: true }) });
    const got = pass();
    expect(got['gpu']).toEqual([['gpu-0']]);
    expect(got['cpu']).toEqual([[]]);
  });

  it('grants an optional GPU while any is free, whichever host is filled first', () => {
    for (const id of ['a', 'b']) host(id, [{}]);
    ready(3, { cores: 2, gpu: aGpu({ optional: true }) });
    expect(
      Object.values(pass())
        .flat()
        .map((ids) => ids.length)
        .sort(),
    ).toEqual([0, 1, 1]);
  });

  it('prefers, of equivalent hosts, the one with the smaller free device, although another has less free', () => {
    const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };
    for (const id of ['a', 'b']) host(id, [t4, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ models: ['T4'] }) });
    const [filled = ''] = Object.keys(pass());
    ready(1, oneGpu);
    expect(Object.values(pass()).flat()).toEqual([[`${filled === 'a' ? 'b' : 'a'}-0`]]);
  });

  it('prefers several devices of one model, on whichever host, and mixes models only where it must', () => {
    const t4 = { model: 'Tesla T4', memoryMiB: 15_360 };
    host('mixed', [t4, {}]);
    host('equal', [t4, {}, {}]);
    ready(1, { ...oneGpu, gpu: aGpu({ count: 2 }) });
    expect(pass()).toEqual({ equal: [['equal-1', 'equal-2']] });
    ready(1, { ...oneGpu, gpu: aGpu({ count: 2 }) });
    expect(Object.values(pass()).flat()).toHaveLength(1);
    checkBookings();
  });

  it('grants a class that requires a host all that it has free, although equivalent hosts were skipped', () => {
    for (const id of ['n1', 'n2']) host(id, [{}, {}]);
    ready(1, { ...oneGpu, selector: 'worker.host == "n1"' });
    pass();
    ready(2, { ...oneGpu, selector: 'worker.host == "n2"' });
    expect(pass()['n2']).toHaveLength(2);
  });

  it('withholds a slice while its GPU is held as a whole from before it was divided', () => {
    host('a', [{}]);
    ready(1, oneGpu);
    pass();
    host('a', [{}, { migProfile: '1g.5gb', parentId: 'a-0' }]);
    ready(1, { ...oneGpu, gpu: aGpu({ migProfile: '1g.5gb' }) });
    expect(pass()).toEqual({});
  });

  it('grants no unhealthy device and none of its slices', () => {
    host('a', [{ health: 'HEALTHY' }]);
    host('a', [{ health: 'UNHEALTHY' }]);
    host('b', [{ health: 'UNHEALTHY' }, { migProfile: '1g.5gb', parentId: 'b-0' }]);
    ready(1, oneGpu);
    ready(1, { ...oneGpu, gpu: aGpu({ migProfile: '1g.5gb' }) });
    expect(pass()).toEqual({});
  });
});
