import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Contents of the reports that pilots keep on disk. */
function reportsOnDisk(): readonly string[] {
  const scratch = join(folder, 'scratch');
  return readdirSync(scratch, { recursive: true })
    .map(String)
    .filter((path) => /^spool-.*\/\d+\.json$/.test(path))
    .map((path) => readFileSync(join(scratch, path), 'utf8'));
}

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

describe('rhizome-pilot', () => {
  it("registers with the host's facts, and runs a job over the real schema", async () => {
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
      '--batch-job-id',
      '815',
    );
    await core.until('job_a ends', ended('job_a'));
    const registration = detailOf<Registration & { hardware: object; host: string }>('registered');
    expect(registration).toMatchObject({
      queue: 'q',
      name: 'p1',
      host: hostname(),
      batchJobId: '815',
      labels: [
        { key: 'site', value: 'A' },
        { key: 'rack', value: '7=x' },
      ],
      hardware: { architecture: expect.any(String), cores: 3, memoryMiB: 2048, hasNetwork: false },
    });
    expect(Date.parse(String(registration.endsAt)) - Date.now()).toBeGreaterThan(3_500_000);
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    const { outputs, exitCode, usage } = detailOf<FinishReport>('FINISHED', 'job_a');
    expect({ exitCode, outputs }).toMatchObject({ exitCode: 0, outputs: [{ name: 'out', sizeBytes: 2 }] });
    expect(usage.wallSeconds).toBeGreaterThan(0);
    expect(core.logOf('job_a')).not.toMatch(/SECRET_OF_THE_PILOT|RHIZOME_PILOT/);
  });

  it('reports a failure, and receives KILL over the command stream', async () => {
    core.lease = { heartbeatSeconds: 600, leaseSeconds: 1200 };
    core.add({ jobId: 'job_f', shell: 'exit 3' });
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 600 & sleep 600' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    await core.until('job_f ends', ended('job_f'));
    expect(detailOf<FailReport>('failed', 'job_f')).toMatchObject({
      exitCode: 3,
      error: { family: 'PAYLOAD', code: 'EXIT_CODE' },
    });
    // The next heartbeat is 600 s away: only the stream can bring the command.
    core.withdraw('job_a');
    await core.until('nothing of it runs', () => carriers('job_a') === 0);
  });

  it('drains on SIGTERM: its job ends, and it exits with 0', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.7; echo down' });
    const { child } = start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(core.about('job_a').at(-1)).toBe('FINISHED');
    expect(core.said.at(-1)?.what).toBe('ended');
  });

  it('ends at once on SIGINT: the payload is killed, and core knows that the worker has ended', async () => {
    core.add({ jobId: 'job_a', shell: 'trap "" TERM INT; echo up; while :; do sleep 0.05; done' });
    const { child } = start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(carriers('job_a')).toBe(0);
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(core.said.at(-1)?.what).toBe('ended');
  });

  it('leaves no process after SIGKILL, and the next one cleans its scratch space', async () => {
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
    expect(await readdir(join(folder, 'scratch'))).toHaveLength(2);
    core.add({ jobId: 'job_b' });
    start();
    await core.until('job_b ends', ended('job_b'));
    const left = await readdir(join(folder, 'scratch'));
    const own = pilots[1]?.child.pid;
    expect(left.sort()).toEqual([
      expect.stringContaining(`pilot-${own}-`),
      expect.stringContaining(`spool-${own}-`),
    ]);
  });

  it('sends the results that a killed pilot of its name could not send', async () => {
    const go = join(folder, 'go');
    const options = ['--name', 'p1', '--readable-folder', folder];
    core.lease = { heartbeatSeconds: 1, leaseSeconds: 2 };
    const shell = `echo up; until test -e ${go}; do sleep 0.05; done; echo down > $RHIZOME_OUTPUTS/o; echo down`;
    core.add({ jobId: 'job_a', shell, payload: { outputs: ['o'] } });
    core.add({ jobId: 'job_b', shell: 'echo up; sleep 600' });
    const killed = start(...options);
    for (const jobId of ['job_a', 'job_b'])
      await core.until(`${jobId} is up`, () => core.logOf(jobId) === 'up\n');
    core.mood = 'away';
    await writeFile(go, '');
    await core.until('the end of job_a is on disk', () =>
      reportsOnDisk().some((text) => text.includes('FINISHED')),
    );
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');
    core.mood = 'here';
    start(...options);
    await core.until('job_a ends', ended('job_a'));
    expect(core.about('job_a')).toEqual([
      'sent',
      'RUNNING',
      'adopted',
      'HOLDING',
      'TRANSFERRING',
      'FINISHED',
    ]);
    expect(detailOf<FinishReport>('FINISHED', 'job_a')).toMatchObject({
      exitCode: 0,
      outputs: [{ name: 'o' }],
    });
    expect(core.logOf('job_a')).toBe('up\ndown\n');
    const [, second] = core.said.filter(({ what }) => what === 'registered');
    expect((second?.detail as Registration).jobs).toEqual([{ jobId: 'job_a', fence: 1 }]);
  });
});

describe('rhizome-pilot without a name', () => {
  it('takes the first free number of its host and queue, also that of a pilot that was killed', async () => {
    core.lease = { heartbeatSeconds: 600, leaseSeconds: 1200 };
    const queue = `q-${process.pid}`;
    const startNext = async (scratch: string): Promise<{ child: ChildProcess; name: string }> => {
      const pilot = start('--queue', queue, '--scratch', join(folder, scratch));
      await core.until('it registers', () => pilot.log.includes('"msg":"worker registered"'));
      const { detail } = core.said.findLast(({ what }) => what === 'registered') ?? {};
      return { child: pilot.child, name: (detail as Registration).name };
    };
    const [first, second] = [await startNext('one'), await startNext('two')];
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const third = await startNext('three');
    expect([first, second, third].map(({ name }) => name)).toEqual(
      [1, 2, 1].map((number) => `${hostname()}-${number}`),
    );
  });
});

describe('the token of rhizome-pilot', () => {
  it('is read again for each request', async () => {
    start();
    await core.until('it lives', () => core.calls.includes('heartbeat'));
    token = 'secret-token-2';
    await core.until('it is refused with the old token', () => gateway.refusals > 0);
    await writeFile(join(folder, 'token'), token);
    core.add({ jobId: 'job_a' });
    await core.until('job_a ends', ended('job_a'));
    expect(core.said.filter(({ what }) => what === 'registered')).toHaveLength(1);
  });

  it('ends the program with exit code 2 and the reason if it is invalid', async () => {
    await writeFile(join(folder, 'token'), 'secret-token-wrong');
    const { child } = start();
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(pilots[0]?.log).toContain('UNAUTHENTICATED');
  });

  it('is never on the command line', async () => {
    const { child } = start('--token', 'secret');
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
    expect(pilots[0]?.log).toContain("unknown option '--token'");
  });
});

describe('rhizome-pilot with a wrong configuration', () => {
  it('exits with 2 and the reason for a queue that does not exist', async () => {
    const { child } = start('--queue', 'nowhere');
    const [code] = await once(child, 'exit');
    expect(code).toBe(2);
    expect(pilots[0]?.log).toContain('Queue \\"nowhere\\" not found');
  });

  it('lists all errors at once, by option or variable', async () => {
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

  it('names a simulated fleet that is invalid, and presents a valid one over the real schema', async () => {
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

  it('names a token file that does not exist', async () => {
    const { child } = start('--token-file', join(folder, 'none'));
    const [code] = await once(child, 'exit');
    expect(code).toBe(64);
    expect(pilots[0]?.log).toContain(`Token file ${join(folder, 'none')} cannot be read`);
  });
});
