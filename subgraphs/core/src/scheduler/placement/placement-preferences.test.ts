import { beforeEach, describe, expect, it } from '@jest/globals';
import { oneGpu, type Passes, passes } from '../../../test/support/passes.fixture.js';
import { aWorker } from '../../../test/support/scheduler.fixture.js';

let fleet: Passes['fleet'];
let ledger: Passes['ledger'];
let host: Passes['host'];
let ready: Passes['ready'];
let pass: Passes['pass'];

beforeEach(() => {
  ({ fleet, ledger, host, ready, pass } = passes());
});

describe('placement by preferences', () => {
  it('fills the workers that meet the most weight of the preferences first, and the others then', () => {
    const cpus: Record<string, string> = { old: 'Xeon', amd: 'EPYC', new: 'EPYC 9654' };
    for (const [id, cpuModel] of Object.entries(cpus))
      fleet.set(aWorker({ id, host: id, name: id, hardware: { cores: 2, cpuModel } }));
    const preferences = [
      { expression: 'worker.cpuModel.startsWith("EPYC")', weight: 1 },
      { expression: 'worker.cpuModel == "EPYC 9654"', weight: 3 },
    ];
    const placed = (count: number): Readonly<Record<string, number>> => {
      ready(count, { cores: 1, preferences });
      return Object.fromEntries(Object.entries(pass()).map(([id, jobs]) => [id, jobs.length]));
    };
    expect(placed(2)).toEqual({ new: 2 });
    expect(placed(3)).toEqual({ amd: 2, old: 1 });
    const scores = [...ledger.entries()].map(({ workerId, preference }) => [workerId, preference?.score]);
    expect(Object.fromEntries(scores)).toEqual({ new: 1, amd: 0.25, old: 0 });
  });

  it('prefers among GPU hosts before it chooses the best fit, and never takes a GPU host for it', () => {
    for (const [id, cpuModel] of [
      ['full', 'Xeon'],
      ['whole', 'EPYC'],
    ] as const)
      host(id, [{}, {}], { hardware: { ...aWorker({}).hardware, cores: 32, memoryMiB: 262_144, cpuModel } });
    fleet.set(aWorker({ id: 'cpu', host: 'cpu', name: 'cpu', hardware: { cores: 4, cpuModel: 'Xeon' } }));
    ready(1, { ...oneGpu, selector: 'worker.cpuModel == "Xeon"' });
    expect(Object.keys(pass())).toEqual(['full']);
    const preferences = [{ expression: 'worker.cpuModel == "EPYC"', weight: 1 }];
    ready(1, { ...oneGpu, preferences });
    expect(Object.keys(pass())).toEqual(['whole']);
    ready(1, { cores: 1, preferences });
    expect(Object.keys(pass())).toEqual(['cpu']);
  });
});
