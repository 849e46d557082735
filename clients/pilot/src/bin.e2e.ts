import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pilotProgram } from './index.js';
import { readProcessTable } from './processes/process-table.js';
import type { FailReport, FinishReport, Registration } from './protocol/core-protocol.js';
import { serveScriptedCore, type GraphqlCore } from './testing/graphql-core.js';
import { ScriptedCore } from './testing/scripted-core.js';

let folder: string;
let core: ScriptedCore;
let gateway: GraphqlCore;
let token: string;
let pilots: { child: ChildProcess; log: string }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-bin-'));
  core = new ScriptedCore();
  core.lease = { heartbeatSeconds: 1, leaseSeconds: 20 };
  token = 'secret-token-1';
  gateway = await serveScriptedCore(core, () => token);
  pilots = [];
  await writeFile(join(folder, 'token'), `${token}\n`);
});
afterEach(async () => {
  for (const { child } of pilots) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGINT');
    await once(child, 'exit');
  }
  await core.close();
  await gateway.close();
  expect(gateway.faults).toEqual([]);
  expect(pilots.map(({ log }) => log).join('')).not.toContain('secret-token');
  await rm(folder, { recursive: true, force: true });
});

function start(...more: string[]): (typeof pilots)[number] {
  const place = [
    '--scratch',
    join(folder, 'scratch'),
    '--store',
    join(folder, 'store'),
    '--token-file',
    join(folder, 'token'),
  ];
  const args = ['--url', gateway.url, '--queue', 'q', '--grace-seconds', '0.5', ...place, ...more];
  const child = spawn(process.execPath, [pilotProgram, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], RHIZOME_PILOT_CORES: '3', SECRET_OF_THE_PILOT: 'x' },
  });
  const pilot = { child, log: '' };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (pilot.log += String(text)));
  pilots.push(pilot);
  return pilot;
}

const ended = (jobId: string) => (): boolean =>
  core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed');
const detailOf = <T>(what: string, jobId?: string): T =>
  core.said.find((one) => one.what === what && one.jobId === jobId)?.detail as T;

/** Processes that carry the id of an attempt of the job. */
function carriers(jobId: string): number {
  const pattern = `att_${jobId}_`;
  return [...readProcessTable().values()].filter(
    (entry) => !entry.isZombie && environmentOf(entry.pid).includes(`RHIZOME_ATTEMPT_ID=${pattern}`),
  ).length;
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

describe('the program', () => {
  test('registers with what the host is, and runs a job over the real schema', async () => {
    core.add({
      jobId: 'job_a',
      shell: 'env; echo "$RHIZOME_ATTEMPT" > "$RHIZOME_OUTPUTS/out"',
      payload: { outputs: ['out'] },
    });
    start(
      '--label',
      'site=A',
      '--label',
      'rack=7=x',
      '--memory-mib',
      '2048',
      '--network',
      'false',
      '--name',
      'p1',
      '--lifetime-seconds',
      '3600',
    );
    await core.until('job_a ends', ended('job_a'));
    const registration = detailOf<Registration & { hardware: object; host: string }>('registered');
    expect(registration).toMatchObject({
      queue: 'q',
      name: 'p1',
      host: hostname(),
      labels: [
        { key: 'site', value: 'A' },
        { key: 'rack', value: '7=x' },
      ],
      hardware: { architecture: expect.any(String), cores: 3, memoryMiB: 2048, network: false },
    });
    expect(Date.parse(String(registration.endsAt)) - Date.now()).toBeGreaterThan(3_500_000);
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    const { outputs, exitCode, usage } = detailOf<FinishReport>('FINISHED', 'job_a');
    expect({ exitCode, outputs }).toMatchObject({ exitCode: 0, outputs: [{ name: 'out', sizeBytes: 2 }] });
    expect(usage.wallSeconds).toBeGreaterThan(0);
    expect(core.logOf('job_a')).not.toMatch(/SECRET_OF_THE_PILOT|RHIZOME_PILOT/);
  });

  test('reports a failure, and hears a KILL at once over the stream of orders', async () => {
    core.lease = { heartbeatSeconds: 60, leaseSeconds: 120 };
    core.add({ jobId: 'job_f', shell: 'exit 3' });
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 30 & sleep 30' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    await core.until('job_f ends', ended('job_f'));
    expect(detailOf<FailReport>('failed', 'job_f')).toMatchObject({
      exitCode: 3,
      error: { family: 'PAYLOAD', code: 'EXIT_CODE' },
    });
    const before = performance.now();
    core.take('job_a');
    await core.until('nothing of it runs', () => carriers('job_a') === 0);
    // A second is what is promised; a busy machine is given three.
    expect(performance.now() - before).toBeLessThan(3 * 1000);
  });

  test('drains on SIGTERM: its job ends, and it goes with exit code 0', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.7; echo down' });
    const { child } = start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(core.about('job_a').at(-1)).toBe('FINISHED');
    expect(core.said.at(-1)?.what).toBe('ended');
  });

  test('ends at once on SIGINT: the payload is killed, core is told that the worker has ended', async () => {
    core.add({ jobId: 'job_a', shell: 'trap "" TERM INT; echo up; while :; do sleep 0.05; done' });
    const { child } = start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    const before = performance.now();
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(performance.now() - before).toBeLessThan(2500);
    expect(code).toBe(0);
    expect(carriers('job_a')).toBe(0);
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(core.said.at(-1)?.what).toBe('ended');
  });

  test('killed with SIGKILL leaves no process, and the next one takes up its scratch space', async () => {
    const stubborn = 'trap \\"\\" TERM HUP INT; while :; do sleep 0.05; done';
    core.add({
      jobId: 'job_a',
      shell: `setsid sh -c "${stubborn}" & (setsid sh -c "${stubborn}" &); echo up; trap "" TERM; while :; do sleep 0.05; done`,
    });
    const { child } = start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n' && carriers('job_a') >= 3);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await core.until('nothing of it runs', () => carriers('job_a') === 0);
    expect(await readdir(join(folder, 'scratch'))).toHaveLength(1);
    core.add({ jobId: 'job_b' });
    start();
    await core.until('job_b ends', ended('job_b'));
    const [left = ''] = await readdir(join(folder, 'scratch'));
    expect(left).toContain(`pilot-${pilots[1]?.child.pid}-`);
  });
});

describe('its token', () => {
  test('is read again for each request: a fresh one in the file is taken up', async () => {
    start();
    await core.until('it lives', () => core.calls.includes('heartbeat'));
    token = 'secret-token-2';
    await pause(300);
    await writeFile(join(folder, 'token'), token);
    core.add({ jobId: 'job_a' });
    await core.until('job_a ends', ended('job_a'));
    expect(core.said.filter(({ what }) => what === 'registered')).toHaveLength(1);
  });

  test('that is wrong ends it with exit code 2 and the reason', async () => {
    await writeFile(join(folder, 'token'), 'secret-token-wrong');
    const { child } = start();
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(pilots[0]?.log).toContain('UNAUTHENTICATED');
  });

  test('is never on the command line', async () => {
    const { child } = start('--token', 'secret');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(pilots[0]?.log).toContain("unknown option '--token'");
  });
});

describe('what is wrong with its setting-up', () => {
  test('a queue that does not exist ends it with exit code 2 and the reason', async () => {
    const { child } = start('--queue', 'nowhere');
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(pilots[0]?.log).toContain('there is no queue \\"nowhere\\"');
  });

  test('all faults are told at once, with the names of options or variables', async () => {
    const { child } = start('--cores', 'many', '--label', 'nonsense', '--url', 'ftp://x', '--token-file', '');
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    for (const text of [
      '--cores is "many"',
      '--label (0) is "nonsense"; expected KEY=VALUE',
      '--url is "ftp://x"',
      '--token-file',
    ]) {
      expect(pilots[0]?.log).toContain(text);
    }
  });

  test('presents a simulated fleet over the real schema; a file that is none is named', async () => {
    const fleet = join(folder, 'fleet.json');
    const t4 = { vendor: 'NVIDIA', model: 'Tesla T4', id: 'GPU-1', memoryMiB: 15360, utilisation: 0.5 };
    await writeFile(fleet, JSON.stringify({ devices: [t4] }));
    start('--gpu-simulate', fleet);
    await core.until('it registers', () => core.said.some(({ what }) => what === 'registered'));
    const { devices } = detailOf<Registration>('registered');
    expect(devices).toMatchObject([{ ...t4, health: 'HEALTHY' }]);
    expect(devices[0]?.sources).toContainEqual({ fact: 'model', source: 'simulated by fleet.json' });

    await writeFile(fleet, '{}');
    const { child } = start('--gpu-simulate', fleet);
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    expect(pilots[1]?.log).toContain(`Simulated fleet ${fleet} is invalid`);
  });

  test('a token file that is not there is named', async () => {
    const { child } = start('--token-file', join(folder, 'none'));
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    expect(pilots[0]?.log).toContain(`Token file ${join(folder, 'none')} cannot be read`);
  });
});
