/** The pilot program on a host whose `nvidia-smi` prints what the test sets. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReportedDevice } from './hardware/gpus/detected-device.js';
import { pilotProgram } from './index.js';
import type { FailReport, FinishReport, Registration } from './protocol/core-protocol.js';
import * as amd from './testing/gpu-samples/amd.js';
import * as intel from './testing/gpu-samples/intel.js';
import { gpuXml, smiXml, volatileErrors } from './testing/gpu-samples/nvidia.js';
import { serveScriptedCore, type GraphqlCore } from './testing/graphql-core.js';
import { ScriptedCore } from './testing/scripted-core.js';

let folder: string;
let core: ScriptedCore;
let gateway: GraphqlCore;
let pilot: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-gpus-'));
  core = new ScriptedCore();
  // Heartbeats are far apart: what arrives sooner was reported at once.
  core.lease = { heartbeatSeconds: 300, leaseSeconds: 1000 };
  gateway = await serveScriptedCore(core, () => 'token');
  await writeFile(join(folder, 'token'), 'token\n');
  await mkdir(join(folder, 'bin'));
});
afterEach(async () => {
  pilot?.kill('SIGINT');
  if (pilot?.exitCode === null) await once(pilot, 'exit');
  await core.close();
  await gateway.close();
  expect(gateway.faults).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

/** A tool of another vendor that answers by the beginning of its arguments. */
async function toolIs(name: string, answers: Readonly<Record<string, string>>): Promise<void> {
  const cases = Object.entries(answers).map(([to, says]) => `'${to}'*) cat <<'TEXT'\n${says}\nTEXT\n;;`);
  await writeFile(
    join(folder, 'bin', name),
    `#!/bin/sh\ncase "$*" in\n${cases.join('\n')}\n*) exit 3;;\nesac\n`,
  );
  await chmod(join(folder, 'bin', name), 0o755);
}

/** Replaced in one step. A probe whose calls see two states is followed by one that does not. */
async function hostIs(gpus: readonly Gpu[], driver = '570.124.06'): Promise<void> {
  const query = gpus.map((gpu) => lineOf(gpu, driver)).join('\n');
  const xml = smiXml(gpus.map(xmlOf), driver, '12.8');
  const list = gpus.map(listOf).join('\n');
  const script = `#!/bin/sh
case "$*" in
--query-gpu=*) cat <<'TEXT'
${query}
TEXT
;;
'-q -x') cat <<'TEXT'
${xml}
TEXT
;;
-L) cat <<'TEXT'
${list}
TEXT
;;
esac
`;
  await writeFile(join(folder, 'next'), script);
  await chmod(join(folder, 'next'), 0o755);
  await rename(join(folder, 'next'), join(folder, 'bin', 'nvidia-smi'));
}

interface Gpu {
  readonly index: number;
  readonly errors?: number;
  /** Profiles, if it is divided. */
  readonly slices?: readonly string[];
}

const uuidOf = (index: number): string => `GPU-${String(index).repeat(8)}-1111-2222-3333-444444444444`;
const sliceOf = (index: number, at: number, profile: string): string =>
  `MIG-${String(index).repeat(7)}${at}-1111-2222-3333-${profile.replaceAll(/\D/g, '').padStart(12, '0')}`;
const busOf = (index: number): string => `00000000:0${index + 1}:00.0`;

function lineOf({ index, slices }: Gpu, driver: string): string {
  const mode = slices ? 'Enabled' : 'Disabled';
  const use = slices ? '[N/A]' : '30';
  return `${index}, ${uuidOf(index)}, NVIDIA A100-SXM4-40GB, ${busOf(index)}, 0x20B010DE, 40960, 512, ${use}, ${driver}, Enabled, ${mode}, 8.0`;
}

function xmlOf({ index, errors = 0, slices }: Gpu): string {
  return gpuXml({
    bus: busOf(index),
    name: 'NVIDIA A100-SXM4-40GB',
    uuid: uuidOf(index),
    deviceId: '20B0',
    memory: [40960, 512],
    more: volatileErrors(errors),
    ...(slices ? { mig: '' } : { utilisation: '30 %' }),
  });
}

function listOf({ index, slices = [] }: Gpu): string {
  const lines = slices.map(
    (profile, at) => `  MIG ${profile}     Device  ${at}: (UUID: ${sliceOf(index, at, profile)})`,
  );
  return [`GPU ${index}: NVIDIA A100-SXM4-40GB (UUID: ${uuidOf(index)})`, ...lines].join('\n');
}

function start(environment: Readonly<Record<string, string>> = {}): void {
  const options = {
    url: gateway.url,
    queue: 'q',
    'grace-seconds': '0.5',
    'gpu-poll-seconds': '0.1',
    scratch: join(folder, 'scratch'),
    'token-file': join(folder, 'token'),
    'readable-folder': folder,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  pilot = spawn(process.execPath, [pilotProgram, ...args], {
    stdio: 'ignore',
    env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}`, ...environment },
  });
}

const detailOf = <T>(what: string, jobId?: string): T | undefined =>
  core.said.findLast((one) => one.what === what && one.jobId === jobId)?.detail as T | undefined;
const healthOf = (devices: readonly ReportedDevice[] = []): string[] =>
  devices.map(({ id, health }) => `${id} ${health}`);
const registered = async (): Promise<string[]> => {
  await core.until('it registers', () => core.said.some(({ what }) => what === 'registered'));
  return healthOf(detailOf<Registration>('registered')?.devices);
};
const reported = async (expected: readonly string[]): Promise<void> =>
  core.until(`core gets the report ${expected.join()}`, () => {
    return healthOf(detailOf<readonly ReportedDevice[]>('devices')).join() === expected.join();
  });
const waiting = (): string => `while [ ! -e ${folder}/go ]; do sleep 0.05; done`;

describe('rhizome-pilot on a host with GPUs', () => {
  it('offers only the device of its batch slot, whatever happens to the others', async () => {
    await hostIs([{ index: 0 }, { index: 1 }]);
    start({ CUDA_VISIBLE_DEVICES: '1' });
    expect(await registered()).toEqual([`${uuidOf(1)} HEALTHY`]);
    const show = 'echo "$CUDA_VISIBLE_DEVICES"';
    core.add({ jobId: 'job_1', shell: `${show}; ${waiting()}`, deviceIds: [uuidOf(1)] });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    await hostIs([{ index: 1, errors: 1 }]);
    await reported([`${uuidOf(1)} UNHEALTHY`]);
    await hostIs([{ index: 1 }]);
    await reported([`${uuidOf(1)} HEALTHY`]);
    await writeFile(join(folder, 'go'), '');
    await core.until('it ends', () => core.about('job_1').includes('FINISHED'));
    expect(core.logOf('job_1')).toBe(`${uuidOf(1)}\n`);
    expect(detailOf<FinishReport>('FINISHED', 'job_1')).toMatchObject({
      metrics: { gpuUtilisation: 0.3, gpuPeakMemoryMiB: 512 },
    });
  });

  it('passes folders of driver libraries to jobs with a GPU', async () => {
    await hostIs([{ index: 0 }]);
    const libraries = join(folder, 'driver');
    await mkdir(libraries);
    await writeFile(join(libraries, 'libcuda.so.1'), '');
    start({ LD_LIBRARY_PATH: `${join(folder, 'bin')}:${libraries}:` });
    await registered();
    const show = { shell: 'echo "<$LD_LIBRARY_PATH>"' };
    const declared = { environment: [{ name: 'LD_LIBRARY_PATH', value: '/sw/lib' }] };
    core.add({ jobId: 'job_gpu', ...show, deviceIds: [uuidOf(0)] });
    core.add({ jobId: 'job_own', ...show, deviceIds: [uuidOf(0)], payload: declared });
    core.add({ jobId: 'job_cpu', ...show });
    const ended = (jobId: string): boolean => core.about(jobId).includes('FINISHED');
    await core.until('all end', () => ['job_gpu', 'job_own', 'job_cpu'].every(ended));
    expect(core.logOf('job_gpu')).toBe(`<${libraries}>\n`);
    expect(core.logOf('job_own')).toBe(`</sw/lib:${libraries}>\n`);
    expect(core.logOf('job_cpu')).toBe('<>\n');
  });

  it('gives each job the devices of one vendor, and hides those of the others', async () => {
    await hostIs([{ index: 0, slices: ['3g.20gb'] }]);
    await toolIs('amd-smi', {
      static: amd.amdSmi.static,
      metric: amd.amdSmi.metric,
      version: amd.amdSmi.version,
    });
    await toolIs('xpu-smi', {
      'discovery -j': intel.discovery,
      'discovery -d': intel.details,
      stats: intel.stats,
      health: intel.health('OK'),
    });
    start();
    const [slice, mi300x, max1100] = [
      sliceOf(0, 0, '3g.20gb'),
      'GPU-6f1f0a2b3c4d5e6f',
      '00000000-0000-0029-0000-002f0bda8086',
    ];
    expect(await registered()).toEqual([
      `${slice} HEALTHY`,
      `${mi300x} HEALTHY`,
      'GPU-6f1f0a2b3c4d5e70 UNHEALTHY',
      `${max1100} HEALTHY`,
      '00000000-0000-009a-0000-002f0bda8086 HEALTHY',
    ]);
    const shell = 'echo "$CUDA_VISIBLE_DEVICES|$ROCR_VISIBLE_DEVICES|$ZE_AFFINITY_MASK|$HIP_VISIBLE_DEVICES"';
    core.add({ jobId: 'job_slice', shell, deviceIds: [slice] });
    core.add({ jobId: 'job_amd', shell, deviceIds: [mi300x] });
    core.add({ jobId: 'job_intel', shell, deviceIds: [max1100] });
    core.add({ jobId: 'job_cpu', shell });
    const jobs = ['job_slice', 'job_amd', 'job_intel', 'job_cpu'];
    await core.until('all end', () => jobs.every((jobId) => core.about(jobId).includes('FINISHED')));
    expect(jobs.map((jobId) => core.logOf(jobId))).toEqual([
      `${slice}||10000|\n`,
      `|${mi300x}|10000|\n`,
      '||0|\n',
      '||10000|\n',
    ]);
  });

  it('reports a device with errors during a job, and blames the device', async () => {
    await hostIs([{ index: 0 }, { index: 1 }]);
    start();
    await registered();
    core.add({ jobId: 'job_1', shell: `${waiting()}; exit 3`, deviceIds: [uuidOf(0)] });
    await core.until('it runs', () => core.about('job_1').includes('RUNNING'));
    await hostIs([{ index: 0, errors: 2 }, { index: 1 }]);
    await reported([`${uuidOf(0)} UNHEALTHY`, `${uuidOf(1)} HEALTHY`]);
    const [bad] = detailOf<readonly ReportedDevice[]>('devices') ?? [];
    expect(bad?.sources).toContainEqual({
      fact: 'health',
      source: 'nvidia-smi -q -x: 2 uncorrectable memory errors',
    });
    await writeFile(join(folder, 'go'), '');
    await core.until('it fails', () => core.about('job_1').includes('failed'));
    expect(detailOf<FailReport>('failed', 'job_1')?.error).toMatchObject({
      family: 'WORKER',
      code: 'DEVICE_FAULT',
    });
  });

  it('follows a GPU that is divided differently, gets a new driver, is lost and comes back', async () => {
    await hostIs([{ index: 0, slices: ['3g.20gb', '3g.20gb'] }, { index: 1 }]);
    start();
    const slice = (at: number, profile: string): string => sliceOf(0, at, profile);
    expect(await registered()).toEqual([
      `${slice(0, '3g.20gb')} HEALTHY`,
      `${slice(1, '3g.20gb')} HEALTHY`,
      `${uuidOf(1)} HEALTHY`,
    ]);
    await hostIs([{ index: 0, slices: ['7g.40gb'] }, { index: 1 }]);
    await reported([`${slice(0, '7g.40gb')} HEALTHY`, `${uuidOf(1)} HEALTHY`]);
    await hostIs([{ index: 0, slices: ['7g.40gb'] }]);
    await reported([`${slice(0, '7g.40gb')} HEALTHY`, `${uuidOf(1)} UNHEALTHY`]);
    await hostIs([{ index: 0 }, { index: 1 }], '580.95.05');
    await reported([`${uuidOf(0)} HEALTHY`, `${uuidOf(1)} HEALTHY`]);
    const now = detailOf<readonly ReportedDevice[]>('devices') ?? [];
    expect(now.map(({ driverVersion }) => driverVersion)).toEqual(['580.95.05', '580.95.05']);
    core.add({ jobId: 'job_1', shell: 'echo "$CUDA_VISIBLE_DEVICES"', deviceIds: [uuidOf(0)] });
    await core.until('it ends', () => core.about('job_1').includes('FINISHED'));
    expect(core.logOf('job_1')).toBe(`${uuidOf(0)}\n`);
  });
});
