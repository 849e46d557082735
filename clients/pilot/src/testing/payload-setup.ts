/** For tests: payloads without a pilot, which must leave no process behind. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { OutputCapture, type CaptureLimits, type LogChunk } from '../payload/output-capture.js';
import { Payload, type PayloadLimits, type PayloadResult, type PayloadServices } from '../payload/payload.js';
import { PipePool } from '../payload/pipe-pool.js';
import { ProcessMonitor } from '../payload/process-monitor.js';
import { ReapedAccounts } from '../payload/reaped-accounts.js';
import { readAttemptId } from '../processes/attempt-processes.js';
import { readProcessTable } from '../processes/process-table.js';
import { Watchdogs } from '../watchdog/watchdog.js';

/** Set-up of the current test. */
export interface PayloadSetup {
  /** Working folder and scratch space, removed at the end of the test. */
  readonly folder: string;
  /** Services of the next payload; a test may replace some. */
  services: PayloadServices;
  /** Starts a shell script. */
  readonly start: (
    script: string,
    limits?: Partial<PayloadLimits>,
    captured?: CaptureLimits,
  ) => Promise<StartedPayload>;
  /** Runs a shell script to its end. @returns its result and output */
  readonly run: (
    script: string,
    limits?: Partial<PayloadLimits>,
  ) => Promise<PayloadResult & { readonly out: string; readonly err: string }>;
}

/** A running payload and its output. */
export interface StartedPayload {
  readonly payload: Payload;
  readonly capture: OutputCapture;
}

const largeCapture: CaptureLimits = { head: 1 << 20, tail: 1 << 16, buffer: 1 << 19 };

/** Creates the set-up for each test of the file. */
export function payloadSetup(): PayloadSetup {
  let services: PayloadServices;
  let folder: string;
  let attempts: string[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'payload-'));
    attempts = [];
    services = {
      monitor: new ProcessMonitor(150),
      reaped: new ReapedAccounts(),
      watchdogs: new Watchdogs(),
      pipes: new PipePool(folder),
      diskPeriodMs: 100,
    };
  });
  afterEach(async () => {
    await services.watchdogs.close();
    const left = attempts.flatMap((id) =>
      [...readProcessTable().values()].filter((entry) => !entry.isZombie && readAttemptId(entry) === id),
    );
    expect(left).toEqual([]);
    await rm(folder, { recursive: true, force: true });
  });
  const start: PayloadSetup['start'] = async (script, limits = {}, captured = largeCapture) => {
    const attemptId = `att_test_${process.pid}_${attempts.length}_${performance.now()}`;
    attempts.push(attemptId);
    const environment = { PATH: '/usr/bin:/bin', RHIZOME_ATTEMPT_ID: attemptId, GREETING: 'hello' };
    const payload = await Payload.start(
      attemptId,
      { command: 'sh', arguments: ['-c', script], environment, folder, scratch: folder },
      { walltimeSeconds: 60, memoryMiB: 4096, diskMiB: 1000, graceSeconds: 5, ...limits },
      services,
    );
    const streams = { STDOUT: payload.stdout, STDERR: payload.stderr };
    return { payload, capture: new OutputCapture(streams, captured, () => new Date()) };
  };
  return {
    get folder() {
      return folder;
    },
    get services() {
      return services;
    },
    set services(changed) {
      services = changed;
    },
    start,
    run: async (script, limits = {}) => {
      const { payload, capture } = await start(script, limits);
      const [result, chunks] = await Promise.all([payload.result, readAll(capture)]);
      return { ...result, out: textOf(chunks, 'STDOUT'), err: textOf(chunks, 'STDERR') };
    },
  };
}

/** Takes all chunks to the end of the output. */
export async function readAll(capture: OutputCapture): Promise<LogChunk[]> {
  const all: LogChunk[] = [];
  for (;;) {
    const chunks = await capture.nextChunks(100);
    if (chunks.length === 0) return all;
    all.push(...chunks);
  }
}

/** Text of one stream. */
export const textOf = (chunks: readonly LogChunk[], stream: string): string =>
  chunks.flatMap((chunk) => (chunk.stream === stream ? [chunk.text] : [])).join('');
