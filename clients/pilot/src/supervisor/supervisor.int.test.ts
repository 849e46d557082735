/** A supervisor and the connections of pilots to it, without core. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, silentLogger } from '@rhizome/log';
import { pauseProcess, waitFor as waitUntil } from '@rhizome/testkit';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning, nameOf, ownIdentity } from '../processes/process-identity.js';
import { SecretFiles } from '../secrets/secret-files.js';
import { processesWith } from '../testing/command-lines.js';
import { AttemptRecord } from './attempt-record.js';
import { connectIn } from './control-socket.js';
import { endSupervisors } from './end-supervisors.js';
import type { StartRequest } from './messages.js';
import { monotonicMs } from './monotonic.js';
import { type PayloadHandle, PayloadTaken } from './payload-handle.js';
import { startSupervisor } from './start-supervisor.js';
import { SupervisorClient } from './supervisor-client.js';
import type { SupervisorOptions } from './supervisor-options.js';
import { Supervisors } from './supervisors.js';

const waitFor = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
  void (await waitUntil(what, holds, { deadlineMs: 60_000 }));

let scratch: string;
let started = 0;

beforeEach(async () => {
  // Longer than the address of a Unix socket may be.
  scratch = join(await mkdtemp(join(tmpdir(), 'supervisor-')), 'long'.repeat(40));
  await mkdir(scratch);
});
afterEach(async () => {
  await endSupervisors(scratch);
  await rm(join(scratch, '..'), { recursive: true, force: true });
});

const optionsOf = (endsWithPilot = false): SupervisorOptions => ({
  scratch,
  owner: { queue: 'q', name: 'p', host: 'h' },
  version: '1',
  endsWithPilot,
  maxProcesses: 1000,
  sampleMs: 200,
  diskPeriodMs: 600,
  companions: [],
});

const open = async (endsWithPilot = false): Promise<SupervisorClient> => {
  const client = await startSupervisor(optionsOf(endsWithPilot));
  client.contact({ answeredAtMs: monotonicMs(), leaseSeconds: 60 });
  return client;
};

/** Starts a shell script as a payload. */
async function start(
  client: SupervisorClient,
  script: string,
  more: Partial<StartRequest> = {},
): Promise<{ readonly payload: PayloadHandle; readonly record: AttemptRecord }> {
  started += 1;
  const attemptId = `att_supervised_${process.pid}_${started}`;
  const record = new AttemptRecord(client.folder, attemptId);
  await mkdir(record.folder);
  const environment = { PATH: '/usr/bin:/bin', RHIZOME_ATTEMPT_ID: attemptId };
  const payload = await client.start({
    attemptId,
    spec: { command: 'sh', arguments: ['-c', script], environment, folder: scratch, scratch },
    limits: { walltimeSeconds: 60, memoryMiB: 1024, diskMiB: 100, graceSeconds: 1 },
    capture: { head: 1000, tail: 100, buffer: 10_000 },
    continueSeconds: 600,
    masked: [],
    secrets: null,
    ...more,
  });
  return { payload, record };
}

async function logOf({ output }: PayloadHandle): Promise<string> {
  let text = '';
  for (;;) {
    const chunks = await output.nextChunks(2);
    if (chunks.length === 0) return text;
    text += chunks.map((chunk) => chunk.text).join('');
  }
}

const ended = async (record: AttemptRecord): Promise<void> =>
  void (await waitFor('the end of the payload', async () => (await record.end()) !== undefined));

describe('a supervisor', () => {
  it('lets only its user reach it, and reports exit code, use and a bounded log', async () => {
    const client = await open();
    expect(statSync(client.folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(client.folder, 'control')).mode & 0o777).toBe(0o600);
    const { payload, record } = await start(client, 'yes 123456789 | head -c 5000; echo end; exit 7');
    expect(await payload.result).toMatchObject({ exitCode: 7, exceeded: null, survivors: 0 });
    const log = await logOf(payload);
    expect(log).toContain('bytes of STDOUT left out here');
    expect(log).toMatch(/^123456789\n/);
    expect(log).toMatch(/end\n$/);
    await ended(record);
    payload.forget();
    await record.remove();
    const { process: supervisor } = client;
    await client.close();
    expect(isRunning(supervisor)).toBe(false);
    expect(await readdir(scratch)).toEqual([]);
  });

  it('reports a payload that cannot be started', async () => {
    const client = await open();
    const folder = join(scratch, 'nowhere');
    const spec = { command: 'true', arguments: [], environment: {}, folder, scratch };
    await expect(start(client, '', { spec })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('enforces the walltime, and records the end, while no pilot runs; then it ends', async () => {
    const client = await open();
    const limits = { walltimeSeconds: 1, memoryMiB: 1024, diskMiB: 100, graceSeconds: 60 };
    const { record } = await start(client, 'echo up; exec sleep 4317', { limits });
    const { process: supervisor } = client;
    await client.close();
    await waitFor('the end of the supervisor', () => !isRunning(supervisor));
    expect(processesWith('4317')).toEqual([]);
    const end = await record.end();
    expect(end?.result).toMatchObject({ exceeded: 'WALLTIME', signal: 'SIGTERM' });
    expect(readFileSync(record.outputPath, 'utf8')).toContain('"text":"up\\n"');
  });

  it('gives notice of the walltime while no pilot runs, and then kills the payload', async () => {
    const client = await open();
    const notice = { seconds: 2, signal: null, file: join(scratch, 'deadline') };
    const limits = { walltimeSeconds: 3, memoryMiB: 1024, diskMiB: 100, graceSeconds: 600, notice };
    const script = `trap "" TERM; until test -e ${notice.file}; do sleep 0.05; done; cat ${notice.file}; exec sleep 4318`;
    const { record } = await start(client, script, { limits });
    const { process: supervisor } = client;
    await client.close();
    await waitFor('the end of the supervisor', () => !isRunning(supervisor));
    expect(processesWith('4318')).toEqual([]);
    const end = await record.end();
    expect(end?.result).toMatchObject({ exceeded: 'WALLTIME', signal: 'SIGKILL' });
    expect(end?.result.notice?.reason).toBe('WALLTIME');
    expect(readFileSync(record.outputPath, 'utf8')).toContain('reason=WALLTIME');
  });

  it('gives notice for its pilot', async () => {
    const client = await open();
    const notice = { seconds: 60, signal: 'SIGUSR2', file: join(scratch, 'deadline') } as const;
    const limits = { walltimeSeconds: 600, memoryMiB: 1024, diskMiB: 100, graceSeconds: 1, notice };
    const script = `trap '. ${notice.file}; echo $reason; exit 5' USR2; touch ${join(scratch, 'ready')}; while :; do sleep 0.05; done`;
    const { payload } = await start(client, script, { limits });
    await waitFor('the payload is ready', () => existsSync(join(scratch, 'ready')));
    payload.notify('DRAIN', 100);
    expect(await payload.result).toMatchObject({ exitCode: 5, notice: { reason: 'DRAIN' } });
    expect(await logOf(payload)).toBe('DRAIN\n');
  });

  it('ends if nobody has a use for the end of its payload: its folder was removed', async () => {
    const client = await open();
    const gate = join(scratch, 'gate');
    const { record } = await start(client, `until test -e ${gate}; do sleep 0.05; done`);
    const { process: supervisor } = client;
    await client.close();
    await record.remove();
    await writeFile(gate, '');
    await waitFor('the end of the supervisor', () => !isRunning(supervisor));
    expect(existsSync(client.folder)).toBe(false);
  });

  it('passes a running payload with its log to the next pilot, and closes the one before', async () => {
    const client = await open();
    const gate = join(scratch, 'gate');
    const script = `echo up; until test -e ${gate}; do sleep 0.05; done; echo down`;
    const { payload, record } = await start(client, script);
    const next = await SupervisorClient.connect(client.folder);
    await expect(payload.result).rejects.toThrow(PayloadTaken);
    expect(client.isClosed).toBe(true);
    const adopted = next?.payload(record.attemptId);
    await writeFile(gate, '');
    expect(await adopted?.result).toMatchObject({ exitCode: 0 });
    expect(adopted && (await logOf(adopted))).toBe('up\ndown\n');
  });

  it('goes on if its pilot is killed before it has read all messages', async () => {
    const client = await open();
    const gate = join(scratch, 'gate');
    const script = `echo up; until test -e ${gate}; do sleep 0.05; done; echo down`;
    const { record } = await start(client, script);
    const busy = `require('node:net').connect('control').pause().on('connect', () => process.kill(process.pid, 'SIGSTOP'))`;
    const pilot = spawn(process.execPath, ['-e', busy], { cwd: client.folder, stdio: 'ignore' });
    await waitFor('the end of the first connection', () => client.isClosed);
    pilot.kill('SIGKILL');
    await once(pilot, 'exit');
    const next = await SupervisorClient.connect(client.folder);
    await writeFile(gate, '');
    expect(await next?.payload(record.attemptId)?.result).toMatchObject({ exitCode: 0 });
    expect(isRunning(client.process)).toBe(true);
  });

  it('is killed, and its payloads end, if it does not answer', async () => {
    const client = await open();
    const { record } = await start(client, 'exec sleep 4320');
    const { process: supervisor } = client;
    await pauseProcess(supervisor.pid);
    expect(await SupervisorClient.connect(client.folder, { checkMs: 20 })).toBeUndefined();
    await waitFor('the end of the supervisor', () => !isRunning(supervisor));
    await waitFor('the end of the payload', () => processesWith('4320').length === 0);
    expect(await record.end()).toBeUndefined();
  });

  it('ends a payload whose time without core is over', async () => {
    const client = await open();
    const { payload } = await start(client, 'exec sleep 4318', { continueSeconds: 1 });
    client.contact({ answeredAtMs: monotonicMs(), leaseSeconds: 1 });
    expect(await payload.result).toMatchObject({ exceeded: 'CONTACT' });
  });

  it('hides texts in the log, also later ones, and removes the folder of the secrets', async () => {
    const client = await open();
    const secrets = join(scratch, 'secrets');
    await mkdir(secrets);
    const masked = [Buffer.from('first-secret').toString('base64')];
    const gate = join(scratch, 'gate');
    const script = `echo first-secret; until test -e ${gate}; do sleep 0.05; done; echo second-secret`;
    const { payload } = await start(client, script, { masked, secrets });
    await payload.mask([Buffer.from('second-secret')]);
    await writeFile(gate, '');
    await payload.result;
    expect(await logOf(payload)).toBe('***\n***\n');
    expect(existsSync(secrets)).toBe(false);
  });

  it('removes secrets for which no payload was started when it ends', async () => {
    const client = await open();
    const { folder } = await SecretFiles.open(scratch, client.process);
    expect(existsSync(folder)).toBe(true);
    await client.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('ends with its payloads when the pilot dies, with endsWithPilot', async () => {
    const client = await open(true);
    await start(client, 'exec sleep 4319');
    const { process: supervisor } = client;
    await client.close();
    await waitFor('the end of the supervisor', () => !isRunning(supervisor));
    await waitFor('the end of the payload', () => processesWith('4319').length === 0);
  });
});

describe('Supervisors', () => {
  it('gives new payloads only to a supervisor with the same settings', async () => {
    const left = await open();
    await start(left, 'exec sleep 4321');
    await left.close();
    const pidWith = async (endsWithPilot: boolean): Promise<number> => {
      const supervisors = await Supervisors.open(optionsOf(endsWithPilot), silentLogger());
      const { facts } = await supervisors.current();
      await supervisors.close();
      return facts.pid;
    };
    expect(await pidWith(false)).toBe(left.process.pid);
    expect(await pidWith(true)).not.toBe(left.process.pid);
  });

  it('starts one other supervisor when one has ended by a fault, and logs the fault', async () => {
    let logged = '';
    const destination = { write: (line: string) => void (logged += line) };
    const supervisors = await Supervisors.open(optionsOf(), createLogger({ name: 'p', destination }));
    const ended = await supervisors.current();
    const socket = await connectIn(ended.folder);
    socket.on('error', () => undefined).write('null\n');
    await waitFor('the end of the supervisor', () => !isRunning(ended.process));
    await waitFor('the end of the connection', () => ended.isClosed);
    const [one, other] = await Promise.all([supervisors.current(), supervisors.current()]);
    expect(other).toBe(one);
    expect(one.facts.pid).not.toBe(ended.facts.pid);
    expect(logged).toMatch(/"fault":"TypeError.*"msg":"supervisor ended unexpectedly"/);
    await supervisors.close();
  });

  it('starts a supervisor as soon as that is possible again', async () => {
    const supervisors = await Supervisors.open(optionsOf(), silentLogger());
    const ended = await supervisors.current();
    const aside = `${scratch}-aside`;
    await rename(scratch, aside);
    await writeFile(scratch, '');
    process.kill(ended.process.pid, 'SIGKILL');
    await waitFor('the end of the connection', () => ended.isClosed);
    await expect(supervisors.current()).rejects.toThrow('The supervisor of payloads did not start');
    await rm(scratch);
    await rename(aside, scratch);
    expect((await supervisors.current()).isClosed).toBe(false);
    await supervisors.close();
  });

  it('removes what killed pilots without a supervisor have left', async () => {
    const ended = join(scratch, 'pilot-4194305-1');
    const running = join(scratch, nameOf('pilot', ownIdentity()));
    for (const folder of [ended, running]) await mkdir(join(folder, 'att_1'), { recursive: true });
    const supervisors = await Supervisors.open(optionsOf(), silentLogger());
    await supervisors.close();
    expect([existsSync(ended), existsSync(running)]).toEqual([false, true]);
  });
});
