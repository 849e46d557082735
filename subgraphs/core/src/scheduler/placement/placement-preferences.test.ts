import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { oneGpu, type Passes, passes } from '../../../test/support/passes.fixture.js';
import { aQueue, aWorker } from '../../../test/support/scheduler.fixture.js';
import { CandidateGroups } from './candidate-group.js';
import { QueueAllowance } from './queue-limits.js';
import { PreferenceTurns } from '../cache/preference-turns.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { SelectorView } from '../requirements/selector.js';

let fleet: Passes['fleet'];
let ledger: Passes['ledger'];
let host: Passes['host'];
let ready: Passes['ready'];
let pass: Passes['pass'];

beforeEach(() => {
  ({ fleet, ledger, host, ready, pass } = passes());
});

/** Calls of the conditions of the classes from now on. */
function countEvaluations(classes: readonly RequirementClass[]): jest.Mock {
  const evaluated = jest.fn();
  for (const { preferences } of classes)
    for (const { selector } of preferences?.terms ?? []) {
      const { accepts } = selector;
      Object.assign(selector, { accepts: (view: SelectorView) => (evaluated(), accepts(view)) });
    }
  return evaluated;
}

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

  it('distinguishes workers of one shape by host and labels, and evaluates no preference for each job', () => {
    for (const [id, rack] of [
      ['a', 'r1'],
      ['b', 'r2'],
      ['c', 'r2'],
    ] as const)
      fleet.set(aWorker({ id, host: id, name: id, labels: [{ key: 'rack', value: rack }] }));
    const preferences = [
      { expression: 'worker.labels.rack == "r2"', weight: 2 },
      { expression: 'worker.host == "b"', weight: 1 },
    ];
    const evaluated = countEvaluations([ready(20, { cores: 1, preferences })]);
    const placed = Object.entries(pass()).map(([id, jobs]) => [id, jobs.length]);
    expect(Object.fromEntries(placed)).toEqual({ b: 8, c: 8, a: 4 });
    const scores = [...ledger.entries()].map(({ workerId, preference }) => [workerId, preference?.met]);
    expect(Object.fromEntries(scores)).toEqual({ b: [0, 1], c: [0], a: [] });
    // Two terms on three workers.
    expect(evaluated).toHaveBeenCalledTimes(6);
  });

  it('keeps the number of groups bounded, and every worker usable', () => {
    for (let at = 0; at < 100; at += 1)
      fleet.set(aWorker({ id: `w${at}`, host: `w${at}`, name: `w${at}`, hardware: { cores: 1 } }));
    // Each of the hosts meets other preferences.
    const classes = Array.from({ length: 7 }, (_, digit) => {
      const hosts = Array.from({ length: 100 }, (_, at) => at).filter((at) => (at >> digit) % 2 === 1);
      const names = hosts.map((at) => `"w${at}"`).join(', ');
      return ready(1, { cores: 1, preferences: [{ expression: `worker.host in [${names}]`, weight: 1 }] });
    });
    const groups = new CandidateGroups(new PreferenceTurns().next(classes));
    const allowance = new QueueAllowance(aQueue({}), ledger);
    for (const worker of fleet.workers()) groups.groupOf({ worker, request: {} }, allowance);
    // The first group of the shape, 64 more, and that of all other candidates.
    expect(groups.all).toHaveLength(66);
    ready(93, { cores: 1 });
    expect(Object.keys(pass())).toHaveLength(100);
  });

  it('compares queues also where there are more shapes than groups, and for more classes than have turns', () => {
    const names = Array.from({ length: 70 }, (_, at) => `q${at}`);
    fleet.setQueues(names.map((name) => aQueue({ id: name, name, site: name === 'q69' ? 'CERN' : 'X' })));
    for (const id of names)
      for (const host of [`${id}-a`, `${id}-b`])
        fleet.set(aWorker({ id: host, host, name: host, queueId: id, hardware: { cores: 20 } }));
    for (let at = 0; at < 20; at += 1) {
      const preferences = [
        { expression: 'queue.site == "CERN"', weight: 100 },
        { expression: `worker.host.endsWith("-${at % 2 ? 'a' : 'b'}") && ${at} >= 0`, weight: 1 },
      ];
      ready(1, { cores: 1, preferences });
    }
    const placed = Object.entries(pass()).map(([id, jobs]) => [id, jobs.length]);
    expect(placed.map(([id]) => id).sort()).toEqual(['q69-a', 'q69-b']);
  });

  it('evaluates a bounded part of the preferences in a pass, and the rest in the next ones', () => {
    for (let at = 0; at < 3000; at += 1)
      fleet.set(aWorker({ id: `w${at}`, host: `w${at}`, name: `w${at}`, hardware: { cores: 1 } }));
    const classes = Array.from({ length: 16 }, (_, at) =>
      ready(1, { cores: 1, preferences: [{ expression: `worker.host == "w${2900 + at}"`, weight: 1 }] }),
    );
    const evaluated = countEvaluations(classes);
    const allowance = new QueueAllowance(aQueue({}), ledger);
    const counts = Array.from({ length: 4 }, () => {
      evaluated.mockClear();
      const groups = new CandidateGroups(fleet.preferenceTurns.next(classes));
      for (const worker of fleet.workers()) groups.groupOf({ worker, request: {} }, allowance);
      return { evaluations: evaluated.mock.calls.length, groups: groups.all.length };
    });
    for (const { evaluations } of counts) expect(evaluations).toBeLessThanOrEqual(20_000);
    expect(counts.map(({ groups }) => groups)).toEqual([1, 1, 17, 17]);
    expect(counts.at(-1)?.evaluations).toBe(0);
  });

  it('follows what was measured for the class at queues and hosts', () => {
    for (const id of ['bad', 'good']) fleet.set(aWorker({ id, host: id, name: id, hardware: { cores: 2 } }));
    const preferences = [{ expression: 'measured.hostSuccessRate > 0.9', weight: 1 }];
    const place = (failing: string): Readonly<Record<string, number>> => {
      const cls = ready(1, { cores: 1, preferences });
      if (!cls.preferences) throw new Error('the class has no preferences');
      const { name: queue, site } = aQueue({});
      const hosts = ['bad', 'good'].map((host) => ({
        ...{ queue, host, finished: 1, seconds: 10 },
        failed: host === failing ? 1 : 0,
      }));
      const queues = [{ queue, site, finished: 2, failed: 1, seconds: 20 }];
      cls.preferences.record = { revision: failing === 'bad' ? 1 : 2, queues, hosts };
      return Object.fromEntries(Object.entries(pass()).map(([id, jobs]) => [id, jobs.length]));
    };
    expect(place('bad')).toEqual({ good: 1 });
    expect(place('good')).toEqual({ bad: 1 });
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
