/** A pilot on a host with cgroup v2, which the test mounts in a namespace of its own: that takes root. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@rhizome/testkit';
import { endSupervisors, pilotProgram } from './index.js';
import type { FinishReport } from './protocol/core-protocol.js';
import { processesWith } from './testing/command-lines.js';
import { serveScriptedCore, type GraphqlCore } from './testing/graphql-core.js';
import { ScriptedCore } from './testing/scripted-core.js';

const inHierarchy = ['--mount', 'sh', '-c', 'mount -t cgroup2 none "$0" && exec "$@"'];
const canMount = spawnSync('unshare', [...inHierarchy, tmpdir(), 'true']).status === 0;
/** Controllers of version 2 on this host; those that version 1 has are not among them. */
const controllers = outputOf(['cat', join(tmpdir(), 'cgroup.controllers')], tmpdir()).split(' ');
const canLimit = ['memory', 'pids'].every((name) => controllers.includes(name));

/** Output of a command that sees the hierarchy in a folder. */
function outputOf(command: readonly string[], at: string): string {
  return spawnSync('unshare', [...inHierarchy, at, ...command], { encoding: 'utf8' }).stdout.trim();
}

let folder: string;
let hierarchy: string;
let core: ScriptedCore;
let gateway: GraphqlCore;
let pilot: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-groups-'));
  hierarchy = join(folder, 'cgroup');
  await mkdir(hierarchy);
  core = new ScriptedCore();
  core.lease = { heartbeatSeconds: 1, leaseSeconds: 20 };
  gateway = await serveScriptedCore(core, () => 'token');
  await writeFile(join(folder, 'token'), 'token');
});
afterEach(async () => {
  await endSupervisors(join(folder, 'scratch'));
  await core.close();
  await gateway.close();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a pilot whose payloads see the host. @param wrapper runs it with control groups */
function start(wrapper: readonly string[] = ['unshare', ...inHierarchy, hierarchy]): void {
  const place = ['--scratch', join(folder, 'scratch'), '--token-file', join(folder, 'token')];
  const options = ['--url', gateway.url, '--queue', 'q', '--grace-seconds', '0.5', '--isolation', 'none'];
  const [program = '', ...rest] = [...wrapper, process.execPath, pilotProgram, ...options, ...place];
  pilot = spawn(program, rest, { stdio: 'ignore' });
}

async function stop(signal: NodeJS.Signals): Promise<void> {
  pilot.kill(signal);
  if (pilot.exitCode === null && pilot.signalCode === null) await once(pilot, 'exit');
}

/** Process id of the supervisor, as the name of its folder has it. */
function supervisor(): number {
  const found = readdirSync(join(folder, 'scratch')).find((name) => name.startsWith('payloads-'));
  return Number(found?.split('-')[1]);
}

/** Groups that the supervisor has made and not removed. */
async function groups(): Promise<readonly string[]> {
  const all = await readdir(`/proc/${pilot.pid}/root${hierarchy}`);
  // Other supervisors of this host are in the same hierarchy.
  return all.filter((name) => name.startsWith(`rhizome-${supervisor()}-`));
}

/** Takes the mark of another pilot's attempt, and no other of its own, and leaves a process behind. */
const hidden = (command: string): string =>
  `env -i /usr/bin/prlimit --locks=${2 ** 40}:${2 ** 40} setsid sh -c "${command} & exit 0"`;

/** The report on the end of a job. */
async function endOf(job: string): Promise<FinishReport> {
  const isEnd = ({ what, jobId }: { what: string; jobId?: string | undefined }): boolean =>
    jobId === job && (what === 'FINISHED' || what === 'failed');
  await core.until(`${job} ends`, () => core.said.some(isEnd));
  expect(core.about(job)).toContain('FINISHED');
  return core.said.find(isEnd)?.detail as FinishReport;
}

function describeWithGroups(): void {
  it('ends a process of a job that has removed all other marks', async () => {
    core.add({ jobId: 'job_a', shell: hidden('sleep 318') });
    start();
    await endOf('job_a');
    expect(processesWith('318')).toEqual([]);
    expect(await groups()).toEqual([]);
    const registered = core.said.find(({ what }) => what === 'registered')?.detail;
    expect(registered).toMatchObject({
      hardware: { processContainment: ['CONTROL_GROUPS', 'PROCESS_MARKS'] },
    });
    await stop('SIGTERM');
  });

  it('reports the CPU time of processes that no mark finds, and that nobody has waited for', async () => {
    const [script, done] = [join(folder, 'burn.cjs'), join(folder, 'done')];
    const burn = 'while (process.cpuUsage().user < 1e6);';
    const stay = 'setTimeout(() => undefined, 600_000);';
    await writeFile(script, `${burn} require('node:fs').writeFileSync(${JSON.stringify(done)}, ''); ${stay}`);
    const wait = `while [ ! -e ${done} ]; do sleep 1; done`;
    core.add({ jobId: 'job_b', shell: `${hidden(`${process.execPath} ${script}`)}; ${wait}` });
    start();
    const { usage } = await endOf('job_b');
    // The shell that waits uses a small part of that.
    expect(usage.cpuSeconds).toBeGreaterThan(1);
    expect(processesWith(script)).toEqual([]);
    await stop('SIGTERM');
  });

  it('leaves nothing of a job behind when its supervisor is killed', async () => {
    core.add({ jobId: 'job_c', shell: `${hidden('sleep 319')}; sleep 320` });
    start();
    await waitFor('the hidden process', () => processesWith('319').length === 1, { deadlineMs: 60_000 });
    await stop('SIGKILL');
    process.kill(supervisor(), 'SIGKILL');
    await waitFor('its end', () => processesWith('319').length === 0, { deadlineMs: 60_000 });
    expect(processesWith('320')).toEqual([]);
  });
}

/** Only where version 2 has the controllers of memory and processes. */
function describeLimits(): void {
  it('limits the memory and the processes of a group', async () => {
    core.add({ jobId: 'job_e', shell: 'sleep 321', memoryMiB: 2048 });
    start();
    const firstGroup = async () => (await groups())[0] ?? false;
    const group = await waitFor('a group', firstGroup, { deadlineMs: 60_000 });
    const limitOf = async (file: string): Promise<number> =>
      Number(await readFile(`/proc/${pilot.pid}/root${hierarchy}/${group}/${file}`, 'utf8'));
    expect(await limitOf('memory.max')).toBe(2560 * 1024 ** 2);
    expect(await limitOf('pids.max')).toBe(8192 + 16);
    await stop('SIGKILL');
  });

  it('reports a payload that the kernel has ended for its memory', async () => {
    const allocate = `/usr/bin/python3 -c 'x = bytearray(2 * 1024 ** 3)'`;
    core.add({ jobId: 'job_f', shell: hidden(allocate) + '; sleep 600', memoryMiB: 64 });
    start();
    await core.until('job_f ends', () => core.about('job_f').includes('failed'));
    expect(core.said.find(({ what }) => what === 'failed')?.detail).toMatchObject({
      error: { code: 'MEMORY_EXCEEDED' },
    });
    await stop('SIGTERM');
  });
}

describe('a pilot with control groups', () => {
  if (canMount && canLimit) describeLimits();
  if (canMount) return describeWithGroups();
  it('marks processes where the test may mount no control groups', async () => {
    core.add({ jobId: 'job_d', shell: 'true' });
    start([]);
    await endOf('job_d');
    const registered = core.said.find(({ what }) => what === 'registered')?.detail;
    expect(registered).toMatchObject({
      hardware: { processContainment: expect.arrayContaining(['PROCESS_MARKS']) },
    });
    await stop('SIGTERM');
  });
});
