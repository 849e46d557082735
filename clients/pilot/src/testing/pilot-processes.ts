/** For tests: pilots as processes on a scripted core, new for each test, that leave no process behind. */
import { afterEach, beforeEach, expect } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endSupervisors, pilotProgram } from '../index.js';
import { readProcessTable } from '../processes/process-table.js';
import { serveScriptedCore, type GraphqlCore } from './graphql-core.js';
import { ScriptedCore } from './scripted-core.js';

/** A pilot, or a launcher of pilots, and what it has written. */
export interface PilotProcess {
  readonly child: ChildProcess;
  log: string;
}

/** Set-up of the current test. */
export interface PilotProcesses {
  readonly folder: string;
  readonly core: ScriptedCore;
  readonly gateway: GraphqlCore;
  readonly pilots: readonly PilotProcess[];
  /** The token that core accepts. */
  token: string;
  /** Starts a pilot. */
  start(...options: readonly string[]): PilotProcess;
  /** Runs a command of the program with the options of a pilot. */
  command(name: string, ...options: readonly string[]): PilotProcess;
}

/** Creates the set-up for each test of the file. */
export function pilotProcesses(): PilotProcesses {
  let folder: string;
  let core: ScriptedCore;
  let gateway: GraphqlCore;
  let token: string;
  let pilots: PilotProcess[];
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
    for (const name of readdirSync(folder)) await endSupervisors(join(folder, name));
    await core.close();
    await gateway.close();
    expect(gateway.faults).toEqual([]);
    expect(pilots.map(({ log }) => log).join('')).not.toContain('secret-token');
    await rm(folder, { recursive: true, force: true });
  });
  const run = (before: readonly string[], more: readonly string[]): PilotProcess => {
    const place = (name: string): string => join(folder, name);
    const places = ['--scratch', place('scratch'), '--store', place('store'), '--token-file', place('token')];
    const networks = ['--allow-network', '127.0.0.1'];
    const args = [
      '--url',
      gateway.url,
      '--queue',
      'q',
      '--grace-seconds',
      '0.5',
      ...places,
      ...networks,
      ...more,
    ];
    const child = spawn(process.execPath, [pilotProgram, ...before, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', RHIZOME_PILOT_CORES: '3', SECRET_OF_THE_PILOT: 'x' },
    });
    const pilot = { child, log: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (pilot.log += String(text)));
    pilots.push(pilot);
    return pilot;
  };
  return {
    get folder() {
      return folder;
    },
    get core() {
      return core;
    },
    get gateway() {
      return gateway;
    },
    get pilots() {
      return pilots;
    },
    get token() {
      return token;
    },
    set token(changed) {
      token = changed;
    },
    start: (...options) => run([], options),
    command: (name, ...options) => run([name], options),
  };
}

/** Processes that carry the id of an attempt of the job, from the core of this process. */
export function carriersOf(jobId: string): readonly number[] {
  const mark = new RegExp(`RHIZOME_ATTEMPT_ID=att_${jobId}_\\d+_${process.pid}_`);
  return [...readProcessTable().values()]
    .filter((entry) => !entry.isZombie && mark.test(environmentOf(entry.pid)))
    .map(({ pid }) => pid);
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}
