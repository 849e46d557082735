import { describe, expect, it } from '@jest/globals';
import { failureOf } from './conclusion.js';
import type { Notice } from './notice.js';
import type { PayloadResult } from './payload.js';

const limits = { walltimeSeconds: 60, memoryMiB: 100, diskMiB: 100, graceSeconds: 5 };
const usage = {
  cpuSeconds: 1,
  wallSeconds: 1,
  peakMemoryMiB: 1,
  readBytes: 0,
  writeBytes: 0,
  isPartial: false,
} as PayloadResult['usage'];
const drain: Notice = { reason: 'DRAIN', endsAt: '2030-01-01T00:00:00.000Z' };
const walltime: Notice = { ...drain, reason: 'WALLTIME' };

const codeOf = (result: Partial<PayloadResult>, checkpointExitCode: number | null = 75) => {
  const whole = { exitCode: null, signal: null, isStarted: true, exceeded: null, usage, peakDiskMiB: 0 };
  const failure = failureOf({ ...whole, survivors: 0, ...result }, limits, checkpointExitCode);
  return failure && `${failure.family} ${failure.code} ${failure.retryable ? 'retried' : 'final'}`;
};

describe('failureOf', () => {
  it.each<[string, Partial<PayloadResult>, string | undefined]>([
    ['succeeds', { exitCode: 0 }, undefined],
    ['fails', { exitCode: 75 }, 'PAYLOAD EXIT_CODE retried'],
    ['succeeds after a notice', { exitCode: 0, notice: drain }, undefined],
    ['has saved its state', { exitCode: 75, notice: walltime }, 'PAYLOAD CHECKPOINTED retried'],
    ['has saved its state in a drain', { exitCode: 75, notice: drain }, 'PAYLOAD CHECKPOINTED retried'],
    ['fails before its walltime', { exitCode: 1, notice: walltime }, 'PAYLOAD EXIT_CODE retried'],
    ['runs on', { exceeded: 'WALLTIME', notice: walltime }, 'LIMIT WALLTIME_EXCEEDED final'],
    ['fails in a drain', { exitCode: 1, notice: drain }, 'WORKER DRAINED retried'],
    ['ends by a signal in a drain', { signal: 'SIGTERM', notice: drain }, 'WORKER DRAINED retried'],
    ['runs on in a drain', { exceeded: 'NOTICE', notice: drain }, 'WORKER DRAINED retried'],
    ['uses too much in a drain', { exceeded: 'MEMORY', notice: drain }, 'LIMIT MEMORY_EXCEEDED final'],
    [
      'reaches its walltime in a drain',
      { exceeded: 'WALLTIME', notice: drain },
      'LIMIT WALLTIME_EXCEEDED final',
    ],
  ])('describes a payload that %s', (_, result, expected) => {
    expect(codeOf(result)).toBe(expected);
  });

  it('knows no exit code of a checkpoint unless the job names one', () => {
    expect(codeOf({ exitCode: 75, notice: walltime }, null)).toBe('PAYLOAD EXIT_CODE retried');
    expect(codeOf({ signal: 'SIGKILL', notice: walltime }, null)).toBe('PAYLOAD SIGNAL retried');
  });
});
