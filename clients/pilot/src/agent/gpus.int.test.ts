import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReportedDevice } from '../hardware/gpus/detected-device.js';
import type { FailReport, FinishReport, Registration } from '../protocol/core-protocol.js';
import { testPilotOptions } from '../testing/pilot-options.js';
import { ScriptedCore } from '../testing/scripted-core.js';
import { Pilot } from './pilot.js';

let folder: string;
let core: ScriptedCore;
let pilot: Pilot;
let running: Promise<void>;

const t4 = { vendor: 'NVIDIA', model: 'Tesla T4', memoryMiB: 15360, utilisation: 0.5, memoryUsedMiB: 4000 };
const lost = { vendor: 'AMD', model: 'MI210', id: 'GPU-c', health: 'UNHEALTHY' };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-gpus-'));
  core = new ScriptedCore();
  // Heartbeats are far apart: what arrives sooner was reported at once.
  core.lease = { heartbeatSeconds: 600, leaseSeconds: 2000 };
  await fleet([{ ...t4, id: 'GPU-a' }, { ...t4, id: 'GPU-b' }, lost]);
  const gpus = { simulate: join(folder, 'fleet.json'), periodMs: 50 };
  pilot = new Pilot(core, testPilotOptions(folder, { gpus, longestIdlePauseMs: 100 }), silentLogger());
  running = pilot.run();
});
afterEach(async () => {
  pilot.stop('the test is over');
  await running;
  await rm(folder, { recursive: true, force: true });
});

/** Replaces the fleet file in one step, because it may be read at any time. */
async function fleet(devices: readonly object[]): Promise<void> {
  await writeFile(join(folder, 'next.json'), JSON.stringify({ devices }));
  await rename(join(folder, 'next.json'), join(folder, 'fleet.json'));
}

const detailOf = <T>(what: string, jobId?: string): T =>
  core.said.findLast((one) => one.what === what && one.jobId === jobId)?.detail as T;
/** Waits until the pilot has started: an earlier change would be part of its first report. */
const registered = async (): Promise<void> =>
  core.until('it registers', () => core.said.some(({ what }) => what === 'registered'));
const ended = (jobId: string) => (): boolean => core.about(jobId).includes('FINISHED');

describe('a pilot on a host with devices', () => {
  it('registers them with their facts', async () => {
    await registered();
    const { devices } = detailOf<Registration>('registered');
    expect(devices.map(({ id, health }) => [id, health])).toEqual([
      ['GPU-a', 'HEALTHY'],
      ['GPU-b', 'HEALTHY'],
      ['GPU-c', 'UNHEALTHY'],
    ]);
    expect(devices[0]?.sources).toContainEqual({ fact: 'memoryMiB', source: 'simulated by fleet.json' });
  });

  it('shows a payload only its own devices, and reports their usage', async () => {
    const show = 'echo "cuda=$CUDA_VISIBLE_DEVICES rocr=$ROCR_VISIBLE_DEVICES ze=$ZE_AFFINITY_MASK."';
    const payload = { environment: [{ name: 'CUDA_VISIBLE_DEVICES', value: 'GPU-a,GPU-b' }] };
    core.add({ jobId: 'job_gpu', shell: `${show}; sleep 0.3`, deviceIds: ['GPU-b'], payload });
    core.add({ jobId: 'job_cpu', shell: show, payload });
    await core.until('both end', () => ended('job_gpu')() && ended('job_cpu')());
    expect(core.logOf('job_gpu')).toBe('cuda=GPU-b rocr= ze=10000.\n');
    expect(core.logOf('job_cpu')).toBe('cuda= rocr= ze=10000.\n');
    const { usage } = detailOf<FinishReport>('FINISHED', 'job_gpu');
    expect(usage).toMatchObject({ gpuUtilisation: 0.5, gpuPeakMemoryMiB: 4000 });
    expect(detailOf<FinishReport>('FINISHED', 'job_cpu').usage.gpuUtilisation).toBeUndefined();
  });

  it('never offers a device that a job holds, or that is unhealthy', async () => {
    core.add({
      jobId: 'job_1',
      shell: `while [ ! -e ${folder}/go ]; do sleep 0.05; done`,
      deviceIds: ['GPU-a'],
    });
    core.add({ jobId: 'job_2', deviceIds: ['GPU-a'] });
    core.add({ jobId: 'job_3', deviceIds: ['GPU-b'] });
    core.add({ jobId: 'job_4', deviceIds: ['GPU-c'] });
    await core.until('the free one is used', ended('job_3'));
    expect(core.about('job_2')).toEqual([]);
    await writeFile(join(folder, 'go'), '');
    await core.until('the next has its device', ended('job_2'));
    expect(core.about('job_4')).toEqual([]);
  });

  it('reports at once that a device fails during a job, and offers it no more', async () => {
    core.add({
      jobId: 'job_1',
      shell: `while [ ! -e ${folder}/go ]; do sleep 0.05; done`,
      deviceIds: ['GPU-a'],
    });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    await fleet([
      { ...t4, id: 'GPU-a', health: 'UNHEALTHY' },
      { ...t4, id: 'GPU-b' },
    ]);
    await core.until('core gets the report', () => core.said.some(({ what }) => what === 'devices'));
    // GPU-c is no longer in the fleet: it is lost, not forgotten.
    expect(detailOf<readonly ReportedDevice[]>('devices').map(({ id, health }) => [id, health])).toEqual([
      ['GPU-a', 'UNHEALTHY'],
      ['GPU-b', 'HEALTHY'],
      ['GPU-c', 'UNHEALTHY'],
    ]);
    core.add({ jobId: 'job_2', deviceIds: ['GPU-a'] });
    await writeFile(join(folder, 'go'), '');
    await core.until('the job ends', ended('job_1'));
    core.add({ jobId: 'job_3', deviceIds: ['GPU-b'] });
    await core.until('the healthy one is used', ended('job_3'));
    expect(core.about('job_2')).toEqual([]);
  });

  /** A slice of the GPU `GPU-m`. */
  const slice = (id: string, migProfile: string): object => ({
    vendor: 'NVIDIA',
    model: 'A100-SXM4-40GB',
    id,
    migProfile,
    parentId: 'GPU-m',
  });
  const reportedDevices = async (what: string, expected: readonly string[]): Promise<void> =>
    core.until(what, () => {
      const devices = detailOf<readonly ReportedDevice[] | undefined>('devices') ?? [];
      return devices.map(({ id, health }) => `${id} ${health}`).join() === expected.join();
    });

  it('offers the slices of a GPU that is divided differently, and forgets the old ones', async () => {
    await registered();
    await fleet([slice('MIG-1', '3g.20gb'), slice('MIG-2', '3g.20gb')]);
    await reportedDevices('the slices are there', [
      'MIG-1 HEALTHY',
      'MIG-2 HEALTHY',
      'GPU-a UNHEALTHY',
      'GPU-b UNHEALTHY',
      'GPU-c UNHEALTHY',
    ]);
    await fleet([slice('MIG-7', '7g.40gb'), { ...t4, id: 'GPU-a' }, { ...t4, id: 'GPU-b' }]);
    await reportedDevices('they are others', [
      'MIG-7 HEALTHY',
      'GPU-a HEALTHY',
      'GPU-b HEALTHY',
      'GPU-c UNHEALTHY',
    ]);
    core.add({ jobId: 'job_old', deviceIds: ['MIG-1'] });
    core.add({ jobId: 'job_new', deviceIds: ['MIG-7'], shell: 'echo "$CUDA_VISIBLE_DEVICES"' });
    await core.until('the new slice is used', ended('job_new'));
    expect(core.logOf('job_new')).toBe('MIG-7\n');
    expect(core.about('job_old')).toEqual([]);
  });

  it('blames the device if a payload fails after its slice vanished, so that it is retried', async () => {
    await registered();
    await fleet([slice('MIG-1', '3g.20gb'), slice('MIG-2', '3g.20gb')]);
    core.add({
      jobId: 'job_1',
      shell: `while [ ! -e ${folder}/go ]; do sleep 0.05; done; exit 7`,
      deviceIds: ['MIG-1'],
    });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    await fleet([slice('MIG-7', '7g.40gb')]);
    await core.until('core gets the report', () =>
      (detailOf<readonly ReportedDevice[] | undefined>('devices') ?? []).some(({ id }) => id === 'MIG-7'),
    );
    expect(detailOf<readonly ReportedDevice[]>('devices')).toContainEqual(
      expect.objectContaining({ id: 'MIG-1', health: 'UNHEALTHY' }),
    );
    await writeFile(join(folder, 'go'), '');
    await core.until('it failed', () => core.about('job_1').includes('failed'));
    const { error, exitCode } = detailOf<FailReport>('failed', 'job_1');
    expect(exitCode).toBe(7);
    expect(error).toMatchObject({ family: 'WORKER', code: 'DEVICE_FAULT', retryable: true });
    expect(error.message).toMatch(/^Device MIG-1 failed: .*exit code 7$/);
    await core.until('the slice is given back', () => {
      const devices = detailOf<readonly ReportedDevice[]>('devices');
      return !devices.some(({ id }) => id === 'MIG-1');
    });
  });

  it('blames the payload if its device was unhealthy for a while and has recovered', async () => {
    const seen = (health: string) => async () =>
      core.until(`GPU-a is ${health}`, () =>
        (detailOf<readonly ReportedDevice[] | undefined>('devices') ?? []).some(
          (one) => one.id === 'GPU-a' && one.health === health,
        ),
      );
    const gpu = { id: 'GPU-a', vendor: 'NVIDIA', model: 'T4' };
    await registered();
    await fleet([gpu]);
    core.add({
      jobId: 'job_1',
      shell: `while [ ! -e ${folder}/go ]; do sleep 0.05; done; exit 7`,
      deviceIds: ['GPU-a'],
    });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    await fleet([{ ...gpu, health: 'UNHEALTHY' }]);
    await seen('UNHEALTHY')();
    await fleet([gpu]);
    await seen('HEALTHY')();
    await writeFile(join(folder, 'go'), '');
    await core.until('it failed', () => core.about('job_1').includes('failed'));
    expect(detailOf<FailReport>('failed', 'job_1').error).toMatchObject({ code: 'EXIT_CODE' });
  });

  it('continues heartbeats and the job if core refuses a device report', async () => {
    await registered();
    core.takesDevices = false;
    core.add({
      jobId: 'job_1',
      shell: `while [ ! -e ${folder}/go ]; do sleep 0.05; done`,
      deviceIds: ['GPU-a'],
    });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    const heard = core.calls.filter((call) => call === 'heartbeat').length;
    await fleet([
      { ...t4, id: 'GPU-a' },
      { ...t4, id: 'GPU-b', health: 'UNHEALTHY' },
    ]);
    await core.until(
      'another sign of life follows the refused one at once',
      () => core.calls.filter((call) => call === 'heartbeat').length >= heard + 2,
    );
    expect(core.said.filter(({ what }) => what === 'devices')).toHaveLength(1);
    core.takesDevices = true;
    await fleet([
      { ...t4, id: 'GPU-a' },
      { ...t4, id: 'GPU-b' },
    ]);
    await core.until(
      'core gets the next change',
      () => core.said.filter(({ what }) => what === 'devices').length === 2,
    );
    await writeFile(join(folder, 'go'), '');
    await core.until('the job ends', ended('job_1'));
  });

  it('reports usage without facts, and facts only when they change', async () => {
    core.lease = { heartbeatSeconds: 0.1, leaseSeconds: 30 };
    await registered();
    pilot.stop('another begins');
    await running;
    const gpus = { simulate: join(folder, 'fleet.json'), periodMs: 20 };
    pilot = new Pilot(core, testPilotOptions(folder, { gpus }), silentLogger());
    running = pilot.run();
    const saidOf = (what: string) => core.said.filter((one) => one.what === what);
    await core.until('it registers', () => saidOf('registered').length === 2);
    await fleet([{ ...t4, id: 'GPU-a', utilisation: 0.9 }, { ...t4, id: 'GPU-b' }, lost]);
    await core.until('core gets the usage', () => saidOf('use').length > 0);
    expect(saidOf('use')[0]?.detail).toContainEqual(
      expect.objectContaining({ id: 'GPU-a', utilisation: 0.9 }),
    );
    expect(saidOf('devices')).toEqual([]);
    await fleet([
      { ...t4, id: 'GPU-a', utilisation: 0.9, driverVersion: '575.51' },
      { ...t4, id: 'GPU-b' },
      lost,
    ]);
    await core.until('core gets the facts', () => saidOf('devices').length > 0);
    expect(saidOf('devices')[0]?.detail).toContainEqual(expect.objectContaining({ driverVersion: '575.51' }));
  });

  it('blames a payload that fails on healthy devices', async () => {
    core.add({ jobId: 'job_1', shell: 'exit 7', deviceIds: ['GPU-a'] });
    await core.until('it failed', () => core.about('job_1').includes('failed'));
    expect(detailOf<FailReport>('failed', 'job_1').error).toMatchObject({ code: 'EXIT_CODE' });
  });
});
