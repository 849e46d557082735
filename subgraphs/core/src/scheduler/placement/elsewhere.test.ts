import { describe, expect, it } from '@jest/globals';
import { aQueue, aReadyJob, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { Fleet } from '../cache/fleet.js';
import { prepareClass } from '../requirements/requirement-class.js';
import { Alternatives, alternatives, Elsewhere } from './elsewhere.js';

const requirements = someRequirements();
const cls = prepareClass(classIdOf(requirements), 0, requirements);
const avoid = { hosts: ['host-1'], sites: [], until: new Date(60_000) };
const job = aReadyJob('job_1', { avoid });

/** A fleet with workers on some hosts, and the number of times that its workers were visited. */
function fleetOf(...hosts: readonly string[]) {
  const fleet = new Fleet();
  fleet.setQueues([aQueue({})]);
  hosts.forEach((host, index) => fleet.set(aWorker({ id: `worker_${index}`, host })));
  let rounds = 0;
  const workers = () => {
    rounds += 1;
    return fleet.workers();
  };
  return { fleet, workers, rounds: () => rounds };
}

describe('Elsewhere', () => {
  it('lets a job go anywhere if no worker on another host could run it', () => {
    const alone = fleetOf('host-1');
    expect(new Elsewhere(alone, 0).destinationOf(job, cls, 'alpha')).toBeUndefined();
    const other = fleetOf('host-1', 'host-2');
    const destination = new Elsewhere(other, 0).destinationOf(job, cls, 'alpha');
    const accepted = [...other.fleet.workers()].filter((worker) => destination?.accepts(worker));
    expect(accepted.map(({ facts }) => facts.host)).toEqual(['host-2']);
    expect(new Elsewhere(other, 60_000).destinationOf(job, cls, 'alpha')).toBeUndefined();
  });

  it.each([
    ['is down before the job would end', { queueId: 'queue_2' }],
    ['ends before the job would', { endsAt: new Date(60_000) }],
  ])('lets a job go anywhere if the only worker on another host %s', (_, change) => {
    const { fleet } = fleetOf('host-1');
    const downtimes = [{ startsAt: new Date(60_000), endsAt: new Date(90_000), reason: 'cooling' }];
    fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2', name: 'second', downtimes })]);
    fleet.set(aWorker({ id: 'worker_2', host: 'host-2', ...change }));
    expect(new Elsewhere(fleet, 0).destinationOf(job, cls, 'alpha')).toBeUndefined();
    expect(alternatives(avoid, { fleet, wallMs: 0 }, cls, 'alpha')).toEqual({
      elsewhere: 0,
      onAnotherHost: 0,
    });
  });

  it('visits the workers once a second for all jobs that avoid the same hosts', () => {
    const alternatives = new Alternatives();
    const { workers, rounds } = fleetOf('host-1');
    for (const wallMs of [0, 0, 400, 999]) {
      const pass = new Elsewhere({ workers }, wallMs, alternatives);
      for (const id of ['job_1', 'job_2']) pass.destinationOf(aReadyJob(id, { avoid }), cls, 'alpha');
      expect(rounds()).toBe(1);
    }
    new Elsewhere({ workers }, 1000, alternatives).destinationOf(job, cls, 'alpha');
    expect(rounds()).toBe(2);
  });
});
