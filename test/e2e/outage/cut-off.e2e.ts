// A host is cut off beyond its lease and comes back: before its jobs are given away, while another worker has
// the grant but has not started, and after another worker has started.
import { beforeAll, describe, expect, it } from '@jest/globals';
import { leftovers, type TestProcess, waitFor } from '@rhizome/testkit';
import type { Api } from '../system/api.js';
import { jobOf } from '../system/jobs.js';
import { type Grant, type SpokenWorker, speakAsWorker, startPilot } from '../system/pilots.js';
import { alive, untilGone } from '../system/processes.js';
import { type Proxy, startProxy } from '../system/proxy.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';
import { PayloadGroup, type PayloadPlace } from './payloads.js';

interface Contact {
  readonly state: string;
  readonly attempts: readonly { readonly unreachableSince: string | null }[];
}

const limits = { heartbeatSeconds: 1, leaseSeconds: 2 };
let system: ServiceSystem;
let api: Api;
let network: Proxy;

beforeAll(async () => {
  network = await startProxy(() => Number(new URL(system.url).port));
  // Pilots prove their keys for the address that they use.
  const gatewayEnv = { RHIZOME_GATEWAY_IDENTITY_ISSUER: `http://127.0.0.1:${network.port}` };
  system = await startServices({ experiments: [], gatewayEnv });
  api = system.api();
});

/** A queue of its own for each case, so that no case gets the jobs of another. */
async function makePlace(queue: string, leaseSeconds = limits.leaseSeconds): Promise<PayloadPlace> {
  await api.change('createQueue', { name: queue, site: 'STORY', limits: { ...limits, leaseSeconds } });
  return { api, data: system.data, queue };
}

/** A pilot whose way to the gateway can be cut. */
async function startDistantPilot(name: string, queue: string): Promise<TestProcess> {
  const url = system.url.replace(/:\d+/, `:${network.port}`);
  return startPilot({ ...system, url }, { name, queue });
}

async function contactOf(id: string): Promise<Contact> {
  const { job } = await api.data<{ job: Contact }>(
    'query ($id: ID!) { job(id: $id) { state attempts { unreachableSince } } }',
    { id },
  );
  return job;
}

const untilUnreachable = async (id: string): Promise<void> =>
  void (await waitFor(
    'an attempt that is out of reach',
    async () => (await contactOf(id)).attempts[0]?.unreachableSince,
    { deadlineMs: 120_000 },
  ));

const untilState = async (id: string, state: string): Promise<void> =>
  void (await waitFor(`${id} ${state}`, async () => (await contactOf(id)).state === state, {
    deadlineMs: 120_000,
  }));

/** A job without another attempt would not be given away. */
const withContinuity = (reassignAfterSeconds: number): object => ({
  continuity: { continueSeconds: 3600, reassignAfterSeconds },
  retry: { maxAttempts: 2, retryOn: ['WORKER'] },
});

describe('a host that is cut off beyond its lease', () => {
  it('continues a job that nobody else has got', async () => {
    const place = await makePlace('kept');
    const pilot = await startDistantPilot('kept', place.queue);
    const group = await PayloadGroup.submit(place, 'kept', 3, withContinuity(3600));
    await group.untilRunning();
    const before = group.processes();
    network.cut();
    for (const id of group.ids) await untilUnreachable(id);
    expect((await group.jobs()).map(({ state }) => state)).toEqual(['RUNNING', 'RUNNING', 'RUNNING']);
    expect(alive(before)).toHaveLength(3);
    network.mend();
    await waitFor(
      'contact again',
      async () => (await contactOf(group.ids[0] ?? '')).attempts[0]?.unreachableSince === null,
      { deadlineMs: 120_000 },
    );
    group.open();
    await group.untilEnded();
    await group.expectResults();
    await pilot.kill('SIGTERM');
  });

  it('continues jobs that wait for another worker, and reports those that ended meanwhile', async () => {
    const place = await makePlace('waiting');
    const pilot = await startDistantPilot('waiting', place.queue);
    const [running, ending] = [
      await PayloadGroup.submit(place, 'runs on', 1, withContinuity(0)),
      await PayloadGroup.submit(place, 'ends', 1, withContinuity(0)),
    ];
    for (const group of [running, ending]) await group.untilRunning();
    const before = running.processes();
    network.cut();
    for (const group of [running, ending]) await untilState(group.ids[0] ?? '', 'ACTIVATED');
    ending.open();
    await waitFor('its end', () => ending.processes().length === 0, { deadlineMs: 120_000 });
    network.mend();
    for (const id of [...running.ids, ...ending.ids])
      await waitFor(
        `${id} is adopted`,
        async () => ['RUNNING', 'FINISHED'].includes((await contactOf(id)).state),
        { deadlineMs: 120_000 },
      );
    expect(alive(before)).toHaveLength(1);
    running.open();
    for (const group of [running, ending]) {
      await group.untilEnded();
      await group.expectResults();
    }
    await pilot.kill('SIGTERM');
  });

  it('takes a job back from a worker that has not started it', async () => {
    const place = await makePlace('granted');
    const pilot = await startDistantPilot('granted', place.queue);
    const group = await PayloadGroup.submit(place, 'granted', 1, withContinuity(0));
    const [id = ''] = group.ids;
    await group.untilRunning();
    network.cut();
    await untilState(id, 'ACTIVATED');
    const other = await speakAsWorker(system, { name: 'other', queue: place.queue });
    const grant = await grantOf(other);
    const stopBeats = beat(other, grant);
    network.mend();
    await untilState(id, 'RUNNING');
    expect(await other.start(grant, 'RUNNING')).toMatchObject({
      acceptedIds: [],
      userErrors: [{ code: 'FENCE_STALE' }],
    });
    stopBeats();
    group.open();
    await group.untilEnded();
    await group.expectResults();
    await pilot.kill('SIGTERM');
  });

  it('stops the payload of a job that another worker has started', async () => {
    const place = await makePlace('replaced');
    const pilot = await startDistantPilot('replaced', place.queue);
    const group = await PayloadGroup.submit(place, 'replaced', 1, withContinuity(0));
    const [id = ''] = group.ids;
    await group.untilRunning();
    const before = group.processes();
    network.cut();
    await untilState(id, 'ACTIVATED');
    const other = await speakAsWorker(system, { name: 'other', queue: place.queue });
    const grant = await grantOf(other);
    await other.start(grant, 'RUNNING');
    const stopBeats = beat(other, grant);
    expect(alive(before)).toHaveLength(1);
    network.mend();
    await untilGone(before, 120_000);
    expect(await jobOf(api, id)).toMatchObject({ state: 'RUNNING', worker: { name: 'other' } });
    const output = { name: 'result', location: 'elsewhere', sizeBytes: 1, sha256: '0'.repeat(64) };
    expect(await other.finish(grant, 'FINISHED', [output])).toMatchObject({ acceptedIds: [id] });
    stopBeats();
    expect(await jobOf(api, id)).toMatchObject({ state: 'FINISHED' });
    await pilot.kill('SIGTERM');
  });
});

describe('a pilot that is killed', () => {
  it('continues its payloads when it starts again, and all their results arrive', async () => {
    const place = await makePlace('killed');
    const options = { name: 'killed', queue: place.queue, keepsPayloads: true };
    const killed = await startPilot(system, options);
    const group = await PayloadGroup.submit(place, 'killed', 4);
    await group.untilRunning();
    const before = group.processes();
    await killed.kill('SIGKILL');
    const next = await startPilot(system, options);
    expect(alive(before)).toHaveLength(4);
    group.open();
    await group.untilEnded();
    await group.expectResults();
    await next.kill('SIGTERM');
  });

  it('reports payloads that ended before it started again', async () => {
    const place = await makePlace('late');
    const options = { name: 'late', queue: place.queue, keepsPayloads: true };
    const killed = await startPilot(system, options);
    const group = await PayloadGroup.submit(place, 'late', 4);
    await group.untilRunning();
    const before = group.processes();
    await killed.kill('SIGKILL');
    group.open();
    await untilGone(before, 120_000);
    const next = await startPilot(system, options);
    await group.untilEnded();
    await group.expectResults();
    await next.kill('SIGTERM');
  });
});

describe('a job that asks for STOP', () => {
  it('runs again after an outage of core beyond the lease, at no cost of an attempt', async () => {
    // On a busy machine, a heartbeat may be late by seconds; STOP would then end the job by its lease.
    const place = await makePlace('stopped', 15);
    const pilot = await startPilot(system, { name: 'stopped', queue: place.queue });
    const group = await PayloadGroup.submit(place, 'stopped', 1, { continuity: { onDisconnect: 'STOP' } });
    const [id = ''] = group.ids;
    await group.untilRunning();
    const before = group.processes();
    system.service('core').signal('SIGKILL');
    await system.service('core').exited;
    await untilGone(before, 120_000);
    await system.startAgain('core');
    group.open();
    await group.untilEnded();
    expect(await jobOf(api, id)).toMatchObject({
      state: 'FINISHED',
      attempts: [{ error: { family: 'WORKER', code: 'CONTACT_LOST' } }, { outcome: 'FINISHED', error: null }],
    });
    await pilot.kill('SIGTERM');
  });
});

/** Sends heartbeats of a worker with its job. @returns a function that stops them */
function beat(worker: SpokenWorker, grant: Grant): () => void {
  const beats = setInterval(() => void worker.heartbeat([grant]).catch(() => undefined), 500);
  const stop = (): void => clearInterval(beats);
  leftovers.defer('the heartbeats of a worker', stop);
  return stop;
}

async function grantOf(worker: SpokenWorker): Promise<Grant> {
  return waitFor('a grant', async () => (await worker.acquire(1, { waitSeconds: 60 }))[0], {
    deadlineMs: 240_000,
  });
}
