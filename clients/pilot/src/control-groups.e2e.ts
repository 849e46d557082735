/** A pilot on a host with cgroup v2, which the test mounts in a namespace of its own: that takes root. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@rhizome/testkit';
import { pilotProgram } from './index.js';
import type { FinishReport } from './protocol/core-protocol.js';
import { processesWith } from './testing/command-lines.js';
import { serveScriptedCore, type GraphqlCore } from './testing/graphql-core.js';
import { ScriptedCore } from './testing/scripted-core.js';

const inHierarchy = ['--mount', 'sh', '-c', 'mount -t cgroup2 none "$0" && exec "$@"'];
const canMount = spawnSync('unshare', [...inHierarchy, tmpdir(), 'true']).status === 0;

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

/** Groups that the pilot has made and not removed. */
async function groups(): Promise<readonly string[]> {
  const all = await readdir(`/proc/${pilot.pid}/root${hierarchy}`);
  return all.filter((name) => name.startsWith('rhizome-'));
}

/** Takes the mark of another pilot's attempt, and no other of its own, and leaves a process behind. */
const hidden = (seconds: number): string =>
  `env -i /usr/bin/prlimit --locks=${2 ** 40}:${2 ** 40} setsid sh -c "sleep ${seconds} & exit 0"`;

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
    core.add({ jobId: 'job_a', shell: hidden(318) });
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

  it('reports the CPU time of processes that no sample has seen', async () => {
    const burn = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done';
    core.add({ jobId: 'job_b', shell: `env -i setsid sh -c '${burn}' & wait` });
    start();
    const { usage } = await endOf('job_b');
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    await stop('SIGTERM');
  });

  it('leaves nothing of a job behind when it is killed', async () => {
    core.add({ jobId: 'job_c', shell: `${hidden(319)}; sleep 320` });
    start();
    await waitFor('the hidden process', () => processesWith('319').length === 1, { deadlineMs: 60_000 });
    await stop('SIGKILL');
    await waitFor('its end', () => processesWith('319').length === 0, { deadlineMs: 60_000 });
    expect(processesWith('320')).toEqual([]);
  });
}

describe('a pilot with control groups', () => {
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
