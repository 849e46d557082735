import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitFor } from '@rhizome/testkit';
import { readAttemptId } from '../processes/attempt-processes.js';
import { readProcessTable, type ProcessEntry } from '../processes/process-table.js';
import { killAttempt } from '../processes/sweep.js';
import { commandLine } from '../testing/command-lines.js';

const payloadModule = new URL('../payload/payload.js', import.meta.url).href;
const watchdogModule = new URL('./watchdog.js', import.meta.url).href;
const pipesModule = new URL('../payload/pipe-pool.js', import.meta.url).href;
const monitorModule = new URL('../payload/process-monitor.js', import.meta.url).href;
const reapedModule = new URL('../payload/reaped-accounts.js', import.meta.url).href;

let folder: string;
let attemptId: string;
let pilots: ReturnType<typeof spawn>[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watchdog-'));
  attemptId = `att_watchdog_${process.pid}_${performance.now()}`;
  pilots = [];
});
afterEach(async () => {
  pilots.forEach((pilot) => pilot.kill('SIGKILL'));
  await killAttempt({ attemptId });
  await rm(folder, { recursive: true, force: true });
});

/**
 * A process that does one part of a pilot's work: it starts one payload. Returns the lines that it and the
 * payload print; `watchdog PID` means that another watchdog has been given the payload.
 */
function startPilot(script: string): { pilot: ReturnType<typeof spawn>; lines: AsyncIterator<string> } {
  const source = `
    import { Payload } from ${JSON.stringify(payloadModule)};
    import { ProcessMonitor } from ${JSON.stringify(monitorModule)};
    import { ReapedAccounts } from ${JSON.stringify(reapedModule)};
    import { PipePool } from ${JSON.stringify(pipesModule)};
    import { Watchdogs } from ${JSON.stringify(watchdogModule)};
    const spec = {
      command: 'sh', arguments: ['-c', ${JSON.stringify(script)}], folder: ${JSON.stringify(folder)},
      environment: { PATH: '/usr/bin:/bin', RHIZOME_ATTEMPT_ID: ${JSON.stringify(attemptId)} },
    };
    const limits = { walltimeSeconds: 60, memoryMiB: 1024, graceSeconds: 5 };
    const watchdogs = new Watchdogs();
    const shown = async (...args) => {
      const watchdog = await watchdogs.guard(...args);
      let pid = watchdog.pid;
      setInterval(() => {
        if (watchdog.pid !== pid) console.log('watchdog', (pid = watchdog.pid));
      }, 10).unref();
      return watchdog;
    };
    const services = {
      monitor: new ProcessMonitor(),
      reaped: new ReapedAccounts(),
      watchdogs: { guard: shown, close: () => watchdogs.close() },
      pipes: new PipePool(${JSON.stringify(folder)}),
    };
    const run = async (attemptId, payloadSpec) => {
      const payload = await Payload.start(attemptId, payloadSpec, limits, services);
      payload.stdout.pipe(process.stdout, { end: false });
      payload.stderr.resume();
      return payload.result;
    };
    // The watchdog and the pipes of the payload in question have served another one before.
    await run('att_before', { ...spec, arguments: ['-c', 'exit 0'] });
    const { exitCode } = await run(${JSON.stringify(attemptId)}, spec);
    console.log('ended', exitCode);
    await watchdogs.close();
  `;
  const pilot = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  pilots.push(pilot);
  return { pilot, lines: createInterface({ input: pilot.stdout ?? process.stdin })[Symbol.asyncIterator]() };
}

/** Processes that carry the attempt's id. */
function carriers(): ProcessEntry[] {
  return [...readProcessTable().values()].filter(
    (entry) => !entry.isZombie && readAttemptId(entry) === attemptId,
  );
}

/** Watchdogs of the pilot, and their successors after the pilot has died. */
function watchdogs(pilot: ReturnType<typeof spawn>): ProcessEntry[] {
  return [...readProcessTable().values()].filter(({ pid, parent, isZombie }) => {
    if (isZombie) return false;
    const line = commandLine(pid);
    const isOfPilot = parent === pilot.pid && line.includes('rhizome-watchdog');
    return isOfPilot || (line.some((one) => one.includes('watchdog-main')) && line.includes(attemptId));
  });
}

/** Usual time of a watchdog's work. */
const soon = { deadlineMs: 2000 };
const stubborn = 'trap "" TERM HUP INT; echo ready; while :; do sleep 0.05; done';

describe('a watchdog whose pilot is killed with SIGKILL', () => {
  it('ends a payload that has forked, called setsid and ignores SIGTERM', async () => {
    const deep = `setsid sh -c '${stubborn.replaceAll('"', '\\"')}'`;
    const { pilot, lines } = startPilot(`(${deep} &) ; ${deep} & ${stubborn}`);
    for (let i = 0; i < 3; i += 1) expect((await lines.next()).value).toBe('ready');
    const sessions = new Set(carriers().map(({ session }) => session));
    expect(sessions.size).toBe(3);
    const dogs = watchdogs(pilot).map(({ pid }) => pid);
    expect(dogs).toHaveLength(1);
    pilot.kill('SIGKILL');
    await once(pilot, 'exit');
    await waitFor('the payload has ended', () => carriers().length === 0, soon);
    await waitFor('the watchdogs have ended', () => dogs.every((pid) => !existsSync(`/proc/${pid}`)), soon);
  });

  it('ends a process that cleaned its environment, by its group or its parent', async () => {
    const loop = 'while :; do sleep 0.05; done';
    const marks = ['cleaned', 'escaped'].map(
      (name) => `${name}_${process.pid}_${Math.round(performance.now())}`,
    );
    const script = `env -i sh -c '${loop} # ${marks[0]}' & setsid env -i sh -c '${loop} # ${marks[1]}' & echo ready; ${loop}`;
    const { pilot, lines } = startPilot(script);
    expect((await lines.next()).value).toBe('ready');
    const marked = (): ProcessEntry[] =>
      [...readProcessTable().values()].filter(
        ({ pid, isZombie }) =>
          !isZombie &&
          commandLine(pid)[0] === 'sh' &&
          marks.some((mark) => commandLine(pid).at(-1)?.endsWith(`# ${mark}`)),
      );
    await waitFor('both processes run', () => marked().length === 2, soon);
    pilot.kill('SIGKILL');
    await waitFor('both processes have ended', () => marked().length === 0, soon);
  });

  it("survives a kill of the pilot's process group", async () => {
    const { pilot, lines } = startPilot(stubborn);
    await lines.next();
    process.kill(-(pilot.pid ?? 0), 'SIGKILL');
    await waitFor('the payload has ended', () => carriers().length === 0, soon);
  });
});

describe('a watchdog whose pilot is alive', () => {
  it('does nothing, is small, and ends with the pilot', async () => {
    const { pilot, lines } = startPilot('echo ready; sleep 0.3; exit 5');
    await lines.next();
    const [dog] = watchdogs(pilot);
    expect(dog).toBeDefined();
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${dog?.pid}/status`, 'utf8'))?.[1]);
    expect(kilobytes).toBeLessThan(8 * 1024);
    expect((await lines.next()).value).toBe('ended 5');
    await once(pilot, 'exit');
    expect(existsSync(`/proc/${dog?.pid}`)).toBe(false);
  });

  it('is replaced if it is killed, and the new one knows the payload', async () => {
    const { pilot, lines } = startPilot(stubborn);
    await lines.next();
    const [first] = watchdogs(pilot);
    process.kill(first?.pid ?? 0, 'SIGKILL');
    expect((await lines.next()).value).toMatch(/^watchdog \d+$/);
    expect(watchdogs(pilot).map(({ pid }) => pid)).not.toContain(first?.pid);
    pilot.kill('SIGKILL');
    await waitFor('the payload has ended', () => carriers().length === 0, soon);
  });
});
