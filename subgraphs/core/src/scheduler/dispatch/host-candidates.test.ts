import { describe, expect, it } from '@jest/globals';
import { aQueue, aWorker } from '../../../test/support/scheduler.fixture.js';
import { Fleet } from '../cache/fleet.js';
import { hostKeyOf, type HostStanding } from '../cache/host-standing.types.js';
import type { CandidateRequest } from '../placement/matcher.types.js';
import { candidatesOfHosts } from './host-candidates.js';
import { HostTests } from './host-tests.js';

const standing = (state: HostStanding['state'], until: Date | null = null): HostStanding => ({
  ...{ state, until, reason: 'x' },
});
const standings = new Map([
  ['main out', standing('EXCLUDED', new Date(5000))],
  ['main gone', standing('EXCLUDED')],
  ['main open', standing('HALF_OPEN')],
  ['main odd', standing('SUSPECT')],
]);

/** Requests of workers, given as `host cores`. */
function requests(...workers: string[]): (readonly [string, CandidateRequest])[] {
  const fleet = new Fleet({ of: (host) => standings.get(hostKeyOf(host)), onChanged: () => () => undefined });
  fleet.setQueues([aQueue({})]);
  return workers.map((text) => {
    const [host = '', cores = '1'] = text.split(' ');
    const worker = fleet.set(aWorker({ id: text, host }));
    if (!worker) throw new Error('no worker');
    const free = { cores: Number(cores), memoryMiB: 1, diskMiB: 1 };
    return [text, { worker, limit: 4, request: { workerId: text, count: 4, free, freeDeviceIds: [] } }];
  });
}

describe('candidatesOfHosts', () => {
  it('leaves out excluded hosts, and finds the first end', () => {
    const found = candidatesOfHosts(requests('fine', 'out', 'gone'), new HostTests(), 1000);
    expect(found.candidates.map(([name, { limit, isTest }]) => [name, limit, isTest])).toEqual([
      ['fine', 4, undefined],
    ]);
    expect(found).toMatchObject({ withheld: ['out', 'gone'], nextMs: 4000 });
  });

  it('tests a host by one job, on the worker with the most free cores', () => {
    const found = candidatesOfHosts(requests('open 1', 'open 4', 'open 2', 'odd'), new HostTests(), 1000);
    expect(found.candidates.map(([name, { limit, isTest }]) => [name, limit, isTest])).toEqual([
      ['open 4', 1, true],
      ['odd', 1, true],
    ]);
    expect([...found.withheld].sort()).toEqual(['open 1', 'open 2']);
  });

  it('knows which canary jobs judge the hosts that they test', () => {
    const tests = new HostTests();
    tests.begin({ queue: 'main', host: 'open' }, { jobId: 'job_1', attempt: 1 }, true);
    tests.begin({ queue: 'main', host: 'odd' }, { jobId: 'job_2', attempt: 1 });
    expect(['job_1', 'job_2', 'job_3'].map((id) => tests.isCanaryTest(id))).toEqual([true, false, false]);
  });

  it('marks a host that only canary jobs may test', () => {
    const tests = new HostTests();
    tests.useCanaries({
      onlyUntil: ({ queue, host }) => (queue === 'main' && host === 'open' ? new Date(9000) : undefined),
      hostProblem: () => undefined,
    });
    const found = candidatesOfHosts(requests('fine', 'open', 'odd'), tests, 1000);
    expect(found.candidates.map(([name, { isCanaryOnly }]) => [name, isCanaryOnly])).toEqual([
      ['fine', undefined],
      ['open', true],
      ['odd', undefined],
    ]);
  });

  it('gives a host no other job until its test has ended', () => {
    const tests = new HostTests();
    tests.begin({ queue: 'main', host: 'open' }, { jobId: 'job_1', attempt: 2 });
    expect([tests.has({ jobId: 'job_1', attempt: 1 }), tests.has({ jobId: 'job_1', attempt: 2 })]).toEqual([
      false,
      true,
    ]);
    expect(candidatesOfHosts(requests('open'), tests, 0).candidates).toEqual([]);
    tests.end('job_1');
    expect(candidatesOfHosts(requests('open'), tests, 0).candidates).toHaveLength(1);
  });
});
