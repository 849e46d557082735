import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createLogger, silentLogger } from '@rhizome/log';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { FailReport, FinishReport } from '../protocol/core-protocol.js';
import { readProcessTable } from '../processes/process-table.js';
import { testPilotOptions } from '../testing/pilot-options.js';
import { ScriptedCore, type ScriptedJob } from '../testing/scripted-core.js';
import { Pilot, type PilotOptions } from './pilot.js';

jest.setTimeout(30_000);

let folder: string;
let core: ScriptedCore;
let pilot: Pilot | undefined;
let running: Promise<void> | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilot-'));
  core = new ScriptedCore();
});
afterEach(async () => {
  core.mood = 'here';
  pilot?.stop('the test is over');
  await running;
  const left = [...readProcessTable().values()].filter(
    ({ parent, isZombie }) => parent === process.pid && !isZombie,
  );
  expect(left.map(({ pid }) => commandLine(pid))).toEqual([]);
  await rm(folder, { recursive: true, force: true });
  pilot = running = undefined;
});

function start(options: Partial<Omit<PilotOptions, 'host'>> & { cores?: number } = {}): Pilot {
  const { cores = 4, ...rest } = options;
  const log = process.env['PILOT_TEST_LOG']
    ? createLogger({ name: 'pilot', level: 'debug' })
    : silentLogger();
  const started = new Pilot(core, testPilotOptions(folder, { host: { cores }, ...rest }), log);
  pilot = started;
  running = started.run();
  return started;
}

/** Processes of payloads; watchdogs wait for the next one. */
function payloadsOfThisProcess(): number[] {
  return [...readProcessTable().values()]
    .filter(
      ({ pid, parent, isZombie }) =>
        parent === process.pid && !isZombie && !commandLine(pid).includes('rhizome-watchdog'),
    )
    .map(({ pid }) => pid);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

const ended = (jobId: string) => (): boolean =>
  core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed');
const isRunning = (jobId: string) => (): boolean => core.about(jobId).includes('RUNNING');
const detailOf = <T>(what: string, jobId: string): T =>
  core.said.find((one) => one.what === what && one.jobId === jobId)?.detail as T;

describe('a job', () => {
  test('runs in its own surroundings and is reported with its log and what it used', async () => {
    core.add({
      jobId: 'job_a',
      attempt: 2,
      shell: 'env | sort; pwd; echo oops >&2',
      payload: { environment: [{ name: 'MINE', value: 'a b' }] },
    });
    start();
    await core.until('job_a ends', ended('job_a'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    const log = core.logOf('job_a');
    expect(log).toMatch(/^RHIZOME_JOB_ID=job_a$/m);
    expect(log).toMatch(/^RHIZOME_ATTEMPT=2$/m);
    expect(log).toMatch(/^RHIZOME_ATTEMPT_ID=att_job_a_2_/m);
    expect(log).toMatch(/^RHIZOME_OUTPUTS=\/.*\/outputs$/m);
    expect(log).toMatch(/^MINE=a b$/m);
    expect(log).toMatch(/^HOME=(.*\/work)$/m);
    expect(log).toContain('oops\n');
    expect(log).not.toMatch(/NODE_OPTIONS|JEST/);
    const { exitCode, usage } = detailOf<FinishReport>('FINISHED', 'job_a');
    expect(exitCode).toBe(0);
    expect(usage.wallSeconds).toBeGreaterThan(0);
  });

  test('that declares outputs is HOLDING, TRANSFERRING and FINISHED, and its child reads them', async () => {
    core.add({
      jobId: 'job_p',
      shell: 'echo content > "$RHIZOME_OUTPUTS/data.txt"',
      payload: { outputs: ['data.txt'] },
    });
    start();
    await core.until('job_p ends', ended('job_p'));
    expect(core.about('job_p')).toEqual(['sent', 'RUNNING', 'HOLDING', 'TRANSFERRING', 'FINISHED']);
    const { outputs } = detailOf<FinishReport>('FINISHED', 'job_p');
    expect(outputs).toEqual([expect.objectContaining({ name: 'data.txt', sizeBytes: 8 })]);
    core.add({
      jobId: 'job_c',
      shell: 'cat "$RHIZOME_INPUTS/job_p/data.txt" "$RHIZOME_INPUTS_MANIFEST"',
      parents: [{ jobId: 'job_p', outputs }],
    });
    await core.until('job_c ends', ended('job_c'));
    expect(core.about('job_c')).toEqual(['sent', 'STARTING', 'RUNNING', 'FINISHED']);
    expect(core.logOf('job_c')).toMatch(/^content\n\{/);
    expect(await readFile(join(folder, 'store', outputs[0]?.location ?? ''), 'utf8')).toBe('content\n');
  });

  test.each<[string, Omit<ScriptedJob, 'jobId'>, object]>([
    [
      'its exit code',
      { shell: 'echo why; exit 3' },
      { exitCode: 3, signal: null, error: { family: 'PAYLOAD', code: 'EXIT_CODE' } },
    ],
    [
      'its signal',
      { shell: 'kill -9 $$' },
      { exitCode: null, signal: 'SIGKILL', error: { family: 'PAYLOAD', code: 'SIGNAL' } },
    ],
    [
      'its walltime',
      { shell: 'exec sleep 30', walltimeSeconds: 0.2 },
      { error: { family: 'LIMIT', code: 'WALLTIME_EXCEEDED', retryable: false } },
    ],
    [
      'a program that is not there',
      { payload: { command: 'nonesuch' } },
      { exitCode: null, error: { family: 'WORKER', code: 'START_FAILED' } },
    ],
    [
      'a missing output',
      { payload: { outputs: ['gone'] } },
      { exitCode: 0, error: { family: 'DATA', code: 'OUTPUT_MISSING' } },
    ],
    [
      'a missing input',
      { payload: { inputs: [{ name: 'x', location: 'no/x' }] } },
      { usage: null, error: { family: 'DATA', code: 'INPUT_UNAVAILABLE' } },
    ],
    [
      'an image',
      { payload: { image: 'docker://x' } },
      { usage: null, error: { family: 'WORKER', code: 'IMAGE_UNSUPPORTED' } },
    ],
    [
      'its scratch space',
      { shell: 'head -c 3000000 /dev/zero > data', diskMiB: 2 },
      {
        error: {
          family: 'LIMIT',
          code: 'DISK_EXCEEDED',
          message: 'the payload had 3 MiB in its scratch space; its limit is 2 MiB',
          retryable: false,
        },
      },
    ],
  ])('that fails is reported with %s', async (_, job, expected) => {
    core.add({ jobId: 'job_f', ...job });
    start();
    await core.until('job_f ends', ended('job_f'));
    expect(detailOf<FailReport>('failed', 'job_f')).toMatchObject(expected);
    if (job.shell?.includes('why')) expect(core.logOf('job_f')).toBe('why\n');
  });

  test('leaves nothing in the scratch space', async () => {
    core.add({
      jobId: 'job_a',
      shell: 'mkdir -p deep/er; echo x > deep/er/file; chmod 000 deep/er; chmod 500 deep',
    });
    start();
    await core.until('job_a ends', ended('job_a'));
    const [mine = ''] = await readdir(join(folder, 'scratch'));
    const left = async (): Promise<string[]> =>
      (await readdir(join(folder, 'scratch', mine))).filter((name) => !name.startsWith('pipe-'));
    for (let i = 0; i < 100 && (await left()).length > 0; i += 1) await pause(10);
    expect(await left()).toEqual([]);
    pilot?.drain('enough');
    await running;
    expect(await readdir(join(folder, 'scratch'))).toEqual([]);
  });
});

describe('slots', () => {
  test('are filled and never overfilled, and reports of several jobs travel together', async () => {
    for (let i = 0; i < 12; i += 1) core.add({ jobId: `job_${i}`, shell: 'sleep 0.3' });
    let most = 0;
    const runningNow = (): number =>
      Array.from({ length: 12 }, (_, i) => `job_${i}`).filter(
        (id) => core.about(id).includes('sent') && !ended(id)(),
      ).length;
    start({ cores: 4 });
    await core.until('all jobs end', () => {
      most = Math.max(most, runningNow());
      return Array.from({ length: 12 }, (_, i) => ended(`job_${i}`)()).every(Boolean);
    });
    expect(most).toBe(4);
    expect(core.calls.filter((call) => call === 'startJobs').length).toBeLessThanOrEqual(8);
  });

  test('a job that needs more than is free waits until there is enough', async () => {
    core.add({ jobId: 'job_small', shell: 'sleep 0.3', cores: 1 });
    core.add({ jobId: 'job_big', cores: 2 });
    start({ cores: 2 });
    await core.until('both end', () => ended('job_small')() && ended('job_big')());
    expect(
      core.said
        .map(({ what, jobId }) => `${jobId} ${what}`)
        .filter((text) => /small FINISHED|big sent/.test(text)),
    ).toEqual(['job_small FINISHED', 'job_big sent']);
  });

  test('an idle pilot has a new job at once', async () => {
    start();
    await core.until('the pilot waits for work', () => core.calls.includes('heartbeat'));
    const before = performance.now();
    core.add({ jobId: 'job_a' });
    await core.until('job_a runs', isRunning('job_a'));
    expect(performance.now() - before).toBeLessThan(500);
  });
});

describe('orders', () => {
  test('KILL ends the payload within a second, and nothing more is said of the job', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 30 & sleep 30' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    const before = performance.now();
    core.take('job_a', 'KILL');
    await core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    // A second is what is promised; a busy machine is given three.
    expect(performance.now() - before).toBeLessThan(3 * 1000);
    core.add({ jobId: 'job_b', cores: 4 });
    await core.until('its slots are free', ended('job_b'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('DROP ends also a payload that does not want to: after the grace it is killed', async () => {
    core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    const before = performance.now();
    core.take('job_a', 'DROP');
    await core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(performance.now() - before).toBeGreaterThanOrEqual(500);
    core.add({ jobId: 'job_b', cores: 4 });
    await core.until('its slots are free', ended('job_b'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('a job that was taken away while its worker could not hear it is dropped at the next sign of life', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.take('job_a', 'DROP', false);
    await core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
  });

  test('an order about an older assignment of the job does not touch this one', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.order({ kind: 'KILL', jobId: 'job_a', fence: 0, reason: 'late' });
    await core.until('job_a ends', ended('job_a'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  test('DRAIN: the job ends, no other is taken, and the pilot says that it has ended', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.order({ kind: 'DRAIN', jobId: null, fence: null, reason: 'maintenance' });
    await core.until('it drains', () => core.said.some(({ what }) => what === 'draining'));
    core.add({ jobId: 'job_b' });
    await running;
    expect(core.about('job_a').at(-1)).toBe('FINISHED');
    expect(core.about('job_b')).toEqual([]);
    expect(core.said.at(-1)).toEqual({ what: 'ended', detail: 'maintenance' });
  });
});

describe('when core cannot be reached', () => {
  test('for less than the lease, the job goes on and its end is told once core is back', async () => {
    core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.3; echo down' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.mood = 'away';
    await pause(1500);
    core.mood = 'here';
    await core.until('job_a ends', ended('job_a'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
    expect(core.logOf('job_a')).toBe('up\ndown\n');
  });

  test('and its answers are lost, what was said twice counts once', async () => {
    core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 5 };
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.3; echo down' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.mood = 'mute';
    await core.until(
      'the log was sent twice',
      () => core.calls.filter((call) => call === 'appendJobLog').length >= 4,
    );
    core.mood = 'here';
    await core.until(
      'the pilot has nothing left to say',
      () => payloadsOfThisProcess().length === 0 && ended('job_a')(),
    );
    expect(core.logOf('job_a')).toBe('up\ndown\n');
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'FINISHED']);
  });

  test('for longer than the lease, its jobs end unsaid and it comes back as another worker', async () => {
    core.lease = { heartbeatSeconds: 0.2, leaseSeconds: 1 };
    core.add({ jobId: 'job_a', shell: 'trap "" TERM; echo up; while :; do sleep 0.05; done' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.mood = 'away';
    const before = performance.now();
    await core.until('nothing of it runs', () => payloadsOfThisProcess().length === 0);
    // The lease counts from the last sign of life that was answered; after it SIGTERM, the grace, SIGKILL.
    expect(performance.now() - before).toBeLessThan(1000 + 500 + 1500);
    core.mood = 'here';
    core.add({ jobId: 'job_b' });
    await core.until('job_b ends', ended('job_b'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(core.said.filter(({ what }) => what === 'registered')).toHaveLength(2);
  });

  test('a job that ended while its fence was raised is not told: core refuses it, once', async () => {
    const go = join(folder, 'go');
    core.add({ jobId: 'job_a', shell: `echo up; until [ -e ${go} ]; do sleep 0.02; done` });
    core.lease = { heartbeatSeconds: 30, leaseSeconds: 60 };
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    core.take('job_a', 'DROP', false);
    await writeFile(go, '');
    await core.until('its word was refused', () => core.about('job_a').includes('refused'));
    core.add({ jobId: 'job_b' });
    await core.until('job_b ends', ended('job_b'));
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING', 'refused']);
  });
});

describe('the end of a pilot', () => {
  test('that drains lets its jobs end, and only then goes', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; sleep 0.5; echo down' });
    start();
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    pilot?.drain('SIGTERM');
    await running;
    expect(core.about('job_a').at(-1)).toBe('FINISHED');
    expect(core.logOf('job_a')).toBe('up\ndown\n');
  });

  test('that may not take long drops what has not ended by then', async () => {
    core.add({ jobId: 'job_a', shell: 'echo up; exec sleep 30' });
    start({ drainSeconds: 0.3 });
    await core.until('job_a is up', () => core.logOf('job_a') === 'up\n');
    pilot?.drain('SIGTERM');
    await running;
    expect(core.about('job_a')).toEqual(['sent', 'RUNNING']);
    expect(core.said.at(-1)?.what).toBe('ended');
  });

  test('that is idle comes at once, with its last word', async () => {
    start();
    await core.until('the pilot waits for work', () => core.calls.includes('heartbeat'));
    const before = performance.now();
    pilot?.drain('SIGTERM');
    await running;
    expect(performance.now() - before).toBeLessThan(2000);
    expect(core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whose time is over comes by itself, and says how much is left when it asks for work', async () => {
    start({ lifetimeSeconds: 1 });
    await running;
    expect(core.said.map(({ what }) => what)).toEqual(['registered', 'draining', 'ended']);
  });

  test('whom nobody answers when it comes up can be stopped', async () => {
    core.mood = 'away';
    start();
    await core.until('it tried', () => core.calls.length > 1);
    pilot?.drain('SIGTERM');
    await running;
    expect(core.said).toEqual([]);
  });
});
