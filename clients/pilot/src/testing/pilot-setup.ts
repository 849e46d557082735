/** For tests: a pilot on a scripted core, new for each test, which must leave no process behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { Pilot, type PilotOptions } from '../agent/pilot.js';
import { readProcessTable } from '../processes/process-table.js';
import { commandLine } from './command-lines.js';
import { testPilotOptions } from './pilot-options.js';
import { ScriptedCore } from './scripted-core.js';

/** Options of a pilot in a test. */
export type TestPilotOverrides = Partial<Omit<PilotOptions, 'host'>> & { readonly cores?: number };

/** Set-up of the current test. */
export interface PilotSetup {
  /** Scratch space, removed at the end of the test. */
  readonly folder: string;
  readonly core: ScriptedCore;
  /** The pilot that was started last. */
  readonly pilot: Pilot | undefined;
  /** Resolves when the pilot has ended. */
  readonly running: Promise<void> | undefined;
  /** Starts the pilot; stopped at the end of the test. */
  start(options?: TestPilotOverrides): Pilot;
  /** True if a job has ended, in any way. */
  ended(jobId: string): () => boolean;
  isRunning(jobId: string): () => boolean;
  /** Content of a report about a job. */
  detailOf<T>(what: string, jobId: string): T;
}

/** Creates the set-up for each test of the file. */
export function pilotSetup(): PilotSetup {
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
    expect(childrenOf(process.pid).map((pid) => commandLine(pid).join(' '))).toEqual([]);
    await rm(folder, { recursive: true, force: true });
    pilot = running = undefined;
  });
  return {
    get folder() {
      return folder;
    },
    get core() {
      return core;
    },
    get pilot() {
      return pilot;
    },
    get running() {
      return running;
    },
    start({ cores = 4, ...rest } = {}) {
      pilot = new Pilot(core, testPilotOptions(folder, { host: { cores }, ...rest }), silentLogger());
      running = pilot.run();
      return pilot;
    },
    ended: (jobId) => () => core.about(jobId).some((what) => what === 'FINISHED' || what === 'failed'),
    isRunning: (jobId) => () => core.about(jobId).includes('RUNNING'),
    detailOf: <T>(what: string, jobId: string) =>
      core.said.find((one) => one.what === what && one.jobId === jobId)?.detail as T,
  };
}

/** Supervisors that this process has started. */
export function supervisorsOfThisProcess(): number[] {
  return childrenOf(process.pid).filter((pid) => commandLine(pid)[0] === 'rhizome-supervisor');
}

/** Processes of payloads, without idle watchdogs: children of the supervisors of this process. */
export function payloadsOfThisProcess(): number[] {
  return supervisorsOfThisProcess()
    .flatMap(childrenOf)
    .filter((pid) => !commandLine(pid).includes('rhizome-watchdog'));
}

function childrenOf(process: number): number[] {
  return [...readProcessTable().values()]
    .filter(({ parent, isZombie }) => parent === process && !isZombie)
    .map(({ pid }) => pid);
}
