/** Payloads whose pilot is killed, replaced or launched again, with real processes. */
import { describe, expect, it } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { identityOf, nameOf, type ProcessIdentity } from '../processes/process-identity.js';
import { readProcessTable } from '../processes/process-table.js';
import type { FailReport, FinishReport, Registration } from '../protocol/core-protocol.js';
import { writeDurably } from '../spool/durable-file.js';
import { commandLine } from '../testing/command-lines.js';
import { carriersOf, pilotProcesses, type PilotProcess } from '../testing/pilot-processes.js';
import type { RecordedAssignment } from './attempt-record.js';

const setup = pilotProcesses();
const named = ['--name', 'p1'];

/** A payload that says "up" and its process, and ends with "down" and an output once the gate is open. */
function gated(jobId: string, continueSeconds?: number): void {
  const go = join(setup.folder, 'go');
  setup.core.add({
    jobId,
    shell: `echo up $$; until test -e ${go}; do sleep 0.05; done; echo down $$ | tee $RHIZOME_OUTPUTS/o`,
    payload: { outputs: ['o'] },
    ...(continueSeconds === undefined ? {} : { continueSeconds }),
  });
}

const openGate = async (): Promise<void> => writeFile(join(setup.folder, 'go'), '');
const options = (): readonly string[] => [...named, '--readable-folder', setup.folder];

/** Waits until the payload is up. Returns the ids of its processes on the host. */
async function up(jobId: string): Promise<readonly number[]> {
  await setup.core.until(`${jobId} is up`, () => /^up \d+\n/.test(setup.core.logOf(jobId)));
  return carriersOf(jobId).filter(lasts);
}

/** False for `sleep`, also before it has replaced the copy of its parent, and for what has ended. */
function lasts(pid: number): boolean {
  const line = commandLine(pid);
  const parent = readProcessTable().get(pid)?.parent;
  if (line.length === 0 || line[0] === 'sleep' || parent === undefined) return false;
  return commandLine(parent).join(' ') !== line.join(' ');
}

const ended = (jobId: string) => (): boolean =>
  setup.core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed');

const registrations = (): readonly Registration[] =>
  setup.core.said.filter(({ what }) => what === 'registered').map(({ detail }) => detail as Registration);

async function registered(count: number): Promise<void> {
  await setup.core.until(`${count} registrations`, () => registrations().length >= count);
}

async function kill({ child }: PilotProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Name of the supervisor's part of the scratch folder. */
function partName(): string {
  const [name = ''] = readdirSync(join(setup.folder, 'scratch')).filter((one) => one.startsWith('payloads-'));
  return name;
}

const supervisor = (): number => Number(partName().split('-')[1]);

/** Makes the recorded assignment one of a pilot that knew no checkpoints. */
async function forgetCheckpoints(): Promise<void> {
  const part = join(setup.folder, 'scratch', partName());
  const [record = ''] = readdirSync(part).filter((name) => name.endsWith('.record'));
  const path = join(part, record, 'assignment.json');
  const recorded = JSON.parse(await readFile(path, 'utf8')) as RecordedAssignment;
  const { checkpoints, payload, ...assignment } = recorded.assignment;
  const { keptCheckpoints, ...others } = payload;
  expect([checkpoints, keptCheckpoints]).toEqual([[], 2]);
  await writeFile(path, JSON.stringify({ ...recorded, assignment: { ...assignment, payload: others } }));
}

/** Checks that the one attempt of the job ended well, with the log and the output of one process. */
function expectOneRun(jobId: string): void {
  expect(setup.core.logOf(jobId)).toMatch(/^up (\d+)\ndown \1\n$/);
  expect(setup.core.about(jobId).filter((what) => what === 'sent')).toHaveLength(1);
  const { detail } = setup.core.said.find(({ what, jobId: id }) => what === 'FINISHED' && id === jobId) ?? {};
  expect(detail as FinishReport).toMatchObject({ exitCode: 0, outputs: [{ name: 'o' }] });
  expect((detail as FinishReport).usage.peakMemoryMiB).toBeGreaterThan(0);
}

describe('a payload whose pilot is killed with SIGKILL', () => {
  it('continues, in the same processes, under the next pilot of the same name', async () => {
    gated('job_a');
    const killed = setup.start(...options());
    const processes = await up('job_a');
    await kill(killed);
    expect(processes.length).toBeGreaterThan(0);
    setup.start(...options());
    await registered(2);
    expect(registrations()[1]?.jobs).toEqual([{ jobId: 'job_a', fence: 1 }]);
    expect(carriersOf('job_a')).toEqual(expect.arrayContaining([...processes]));
    await openGate();
    await setup.core.until('job_a ends', ended('job_a'));
    expect(setup.core.about('job_a')).toEqual([
      'sent',
      'RUNNING',
      'adopted',
      'HOLDING',
      'TRANSFERRING',
      'FINISHED',
    ]);
    expectOneRun('job_a');
  });

  it('is reported with log and outputs if it ends before the next pilot starts', async () => {
    gated('job_a');
    const killed = setup.start(...options());
    await up('job_a');
    await kill(killed);
    await openGate();
    await setup.core.until('its processes end', () => carriersOf('job_a').length === 0);
    const next = setup.start(...options());
    await setup.core.until('job_a ends', ended('job_a'));
    expectOneRun('job_a');
    next.child.kill('SIGTERM');
    await once(next.child, 'exit');
    expect(await readdir(join(setup.folder, 'scratch'))).toEqual([]);
  });

  it('is prepared again if it was not started yet, also after a pilot that knew no checkpoints', async () => {
    let requests = 0;
    // The first pilot waits for its input until it is killed.
    const source = createServer((_, response) => {
      requests += 1;
      if (requests > 1) response.end('content\n');
    }).listen(0, '127.0.0.1');
    await once(source, 'listening');
    const location = `http://127.0.0.1:${(source.address() as AddressInfo).port}/in`;
    setup.core.add({ jobId: 'job_a', shell: 'cat in', payload: { inputs: [{ name: 'in', location }] } });
    const killed = setup.start(...options());
    await setup.core.until('the first request for the input', () => requests === 1);
    await kill(killed);
    await forgetCheckpoints();
    setup.start(...options());
    await setup.core.until('job_a ends', ended('job_a'));
    source.close();
    expect(setup.core.about('job_a')).toEqual(['sent', 'STARTING', 'adopted', 'RUNNING', 'FINISHED']);
    expect(setup.core.logOf('job_a')).toBe('content\n');
  });

  it('ends with the lease if its job has onDisconnect STOP, with all its processes', async () => {
    setup.core.lease = { heartbeatSeconds: 1, leaseSeconds: 3 };
    const stubborn = 'trap \\"\\" TERM HUP INT; while :; do sleep 0.05; done';
    const shell = `setsid sh -c "${stubborn}" & (setsid sh -c "${stubborn}" &); echo up 1; trap "" TERM; while :; do sleep 0.05; done`;
    setup.core.add({ jobId: 'job_a', shell, continueSeconds: 0 });
    const killed = setup.start(...options());
    await up('job_a');
    await kill(killed);
    await setup.core.until('nothing of it runs', () => carriersOf('job_a').length === 0);
    setup.start(...options());
    await setup.core.until('job_a ends', ended('job_a'));
    const { detail } = setup.core.said.find(({ what }) => what === 'failed') ?? {};
    expect((detail as FailReport).error).toMatchObject({ family: 'WORKER', code: 'CONTACT_LOST' });
  });

  it('ends, and is not named by the next pilot, if its folders are gone', async () => {
    gated('job_a');
    const killed = setup.start(...options());
    await up('job_a');
    await kill(killed);
    const part = join(setup.folder, 'scratch', partName());
    const folders = readdirSync(part).filter((name) => name.startsWith('att_') && !name.endsWith('.record'));
    expect(folders).not.toEqual([]);
    for (const name of folders) await rm(join(part, name), { recursive: true });
    setup.start(...options());
    await registered(2);
    expect(registrations()[1]?.jobs).toEqual([]);
    expect(carriersOf('job_a')).toEqual([]);
  });

  it('is not named by the next pilot if its supervisor was killed, too', async () => {
    gated('job_a');
    const killed = setup.start(...options());
    await up('job_a');
    await kill(killed);
    process.kill(supervisor(), 'SIGKILL');
    await setup.core.until('nothing of it runs', () => carriersOf('job_a').length === 0);
    setup.start(...options());
    await registered(2);
    expect(registrations()[1]?.jobs).toEqual([]);
  });

  it('is not started a second time if the disk did not take the record of its start', async () => {
    gated('job_a');
    const killed = setup.start(...options());
    await up('job_a');
    await kill(killed);
    process.kill(supervisor(), 'SIGKILL');
    await setup.core.until('nothing of it runs', () => carriersOf('job_a').length === 0);
    const part = join(setup.folder, 'scratch', partName());
    const [record = ''] = readdirSync(part).filter((name) => name.endsWith('.record'));
    await rm(join(part, record, 'start.json'));
    setup.start(...options());
    await registered(2);
    expect(registrations()[1]?.jobs).toEqual([]);
  });
});

describe('a payload whose outputs are on their way when its pilot ends', () => {
  it.each(['SIGKILL', 'SIGINT'] as const)('gets them stored by the next one after %s', async (signal) => {
    const stored: string[] = [];
    let requests = 0;
    // The first pilot waits for the store until it ends.
    const store = createServer((request, response) => {
      requests += 1;
      if (requests === 1) return;
      void text(request).then((content) => {
        stored.push(content);
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(store, 'listening');
    const url = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    gated('job_a');
    const { child } = setup.start(...options(), '--store', url);
    await up('job_a');
    await openGate();
    await setup.core.until('the transfer begins', () => requests === 1);
    child.kill(signal);
    await once(child, 'exit');
    setup.start(...options(), '--store', url);
    await setup.core.until('job_a ends', ended('job_a'));
    store.close();
    expectOneRun('job_a');
    expect(stored).toEqual([expect.stringMatching(/^down \d+\n$/)]);
    // Core would have given the job to another worker.
    expect(setup.core.said.map(({ what }) => what)).not.toContain('ended');
  });
});

describe('a supervisor that is killed', () => {
  it('takes its payloads with it, is replaced, and the attempts fail', async () => {
    gated('job_a');
    setup.start(...options());
    await up('job_a');
    process.kill(supervisor(), 'SIGKILL');
    await setup.core.until('job_a ends', ended('job_a'));
    expect(carriersOf('job_a')).toEqual([]);
    const { detail } = setup.core.said.find(({ what }) => what === 'failed') ?? {};
    expect((detail as FailReport).error).toMatchObject({ family: 'WORKER', code: 'PILOT_FAULT' });
    setup.core.add({ jobId: 'job_b', shell: 'echo b' });
    await setup.core.until('job_b ends', ended('job_b'));
    expect(setup.core.about('job_b').at(-1)).toBe('FINISHED');
  });
});

describe('rhizome-pilot handover', () => {
  function running({ pid = 0 }: ChildProcess): ProcessIdentity {
    const found = identityOf(pid);
    if (found === undefined) throw new Error(`process ${pid} does not run`);
    return found;
  }

  it('replaces the pilot under its payloads, as the same worker', async () => {
    gated('job_a');
    const old = setup.start(...options());
    const processes = await up('job_a');
    setup.command('handover', ...options());
    const [code] = (await once(old.child, 'exit')) as [number];
    expect(code).toBe(0);
    await registered(2);
    expect(registrations()[1]).toMatchObject({ name: 'p1', jobs: [{ jobId: 'job_a', fence: 1 }] });
    expect(carriersOf('job_a')).toEqual(expect.arrayContaining([...processes]));
    await openGate();
    await setup.core.until('job_a ends', ended('job_a'));
    expectOneRun('job_a');
    expect(setup.core.said.map(({ what }) => what)).not.toContain('draining');
  });

  it('refuses a pilot of a version that would die with its payloads', async () => {
    const old = spawn('sleep', ['600']);
    const folder = join(setup.folder, 'scratch', nameOf('spool', running(old)));
    await mkdir(folder, { recursive: true });
    const owner = { queue: 'q', name: 'p1', host: hostname() };
    await writeDurably(join(folder, 'owner.json'), JSON.stringify(owner));
    const { child } = setup.command('handover', ...options());
    const [code] = (await once(child, 'exit')) as [number];
    expect(old.signalCode).toBeNull();
    old.kill('SIGKILL');
    expect(code).toBe(64);
    expect(setup.pilots[0]?.log).toContain('Pilot p1 has a version that cannot leave its payloads');
  });

  it('refuses a pilot whose payloads end with it', async () => {
    gated('job_a');
    setup.start(...options(), '--end-with-pilot', 'true');
    await up('job_a');
    const { child } = setup.command('handover', ...options());
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(64);
    expect(setup.pilots[1]?.log).toContain('The payloads of pilot p1 end with it (--end-with-pilot true)');
    await openGate();
    await setup.core.until('job_a ends', ended('job_a'));
    expectOneRun('job_a');
  });

  it('says so if no pilot runs', async () => {
    const { child } = setup.command('handover', ...options());
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(64);
    expect(setup.pilots[0]?.log).toContain('No pilot of queue q with name p1 runs');
  });
});

describe('rhizome-pilot launch', () => {
  /** Pilots that a launcher has started. */
  const pilotsOf = ({ child }: PilotProcess): readonly number[] =>
    [...readProcessTable().values()]
      .filter(({ parent, isZombie }) => parent === child.pid && !isZombie)
      .map(({ pid }) => pid);

  it('starts a pilot again that was killed or has handed over, and ends with it', async () => {
    gated('job_a');
    const launcher = setup.command('launch', ...options());
    const processes = await up('job_a');
    const [first = 0] = pilotsOf(launcher);
    process.kill(first, 'SIGKILL');
    await registered(2);
    const handover = setup.command('handover', ...options());
    const [handoverCode] = (await once(handover.child, 'exit')) as [number];
    await registered(3);
    expect(handoverCode).toBe(0);
    expect(pilotsOf(launcher)).toHaveLength(1);
    expect(carriersOf('job_a')).toEqual(expect.arrayContaining([...processes]));
    await openGate();
    await setup.core.until('job_a ends', ended('job_a'));
    expectOneRun('job_a');
    launcher.child.kill('SIGTERM');
    const [code] = (await once(launcher.child, 'exit')) as [number];
    expect(code).toBe(0);
    expect(setup.core.said.at(-1)?.what).toBe('ended');
  });

  it('does not start a pilot again whose configuration is invalid', async () => {
    const { child } = setup.command('launch', '--cores', 'many');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(64);
  });
});
