import { describe, expect, it } from '@jest/globals';
import { assignmentsOf, failInput, refusedOf, reportInput } from './mapping.js';

const reports = ['a', 'b', 'c'].map((jobId) => ({ jobId, fence: 1 }));
const error = (
  code: string,
  path: readonly string[],
): { code: string; message: string; path: readonly string[] } => ({ code, message: code, path });
const codes = (answer: ReturnType<typeof refusedOf>): Record<string, string> =>
  Object.fromEntries([...answer.refused].map(([jobId, { code }]) => [jobId, code]));

it('reports usage without facts, and nothing for unknown devices', () => {
  const known = { vendor: 'NVIDIA', model: 'T4', health: 'HEALTHY', sources: [] } as const;
  const devices = [
    { ...known, id: 'GPU-a', utilisation: 0.5, memoryUsedMiB: 4 },
    { ...known, id: 'GPU-b' },
    { ...known, id: 'GPU-c', utilisation: 0 },
  ];
  expect(reportInput({ devices, isUseOnly: true })).toEqual({
    deviceUse: [
      { id: 'GPU-a', utilisation: 0.5, memoryUsedMiB: 4 },
      { id: 'GPU-c', utilisation: 0 },
    ],
  });
  expect(reportInput({ devices, isUseOnly: false })).toEqual({ devices });
  expect(reportInput(null)).toEqual({});
});

it('drops a job that was taken back before its assignment was read', () => {
  const assigned = (id: string, environment: { name: string; value: string }[] | null) => ({
    fence: 1,
    attempt: 1,
    attemptId: `${id}-1`,
    continueSeconds: 86_400,
    deviceIds: [],
    checkpoints: [],
    job: {
      id,
      name: id,
      requirements: {
        cores: 1,
        memoryMiB: 1,
        diskMiB: 1,
        walltimeSeconds: 1,
        containerRuntime: 'podman',
        isNetworkRequired: false,
        gpu: null,
      },
      payload: {
        command: 'true',
        arguments: [],
        environment,
        image: null,
        inputs: [],
        outputs: [],
        uploadId: null,
        keepOnFailure: [],
        nodeInputs: [],
        secrets: [],
        isTokenRequired: false,
        notice: null,
        keptCheckpoints: 2,
      },
      dependsOn: [],
    },
  });
  const held = assigned('held', [{ name: 'A', value: 'b' }]);
  expect(assignmentsOf([assigned('lost', null), held])).toMatchObject([
    {
      jobId: 'held',
      requirements: { containerRuntime: 'podman' },
      payload: { environment: [{ name: 'A', value: 'b' }] },
    },
  ]);
});

describe('refusalsOf', () => {
  it('gives each job its own refusal, by its index in the input', () => {
    const answer = refusedOf(reports, {
      acceptedIds: ['b'],
      userErrors: [
        error('FENCE_STALE', ['jobs', '2', 'fence']),
        error('JOB_NOT_FOUND', ['input', 'jobs', '0', 'id']),
      ],
    });
    expect(codes(answer)).toEqual({ a: 'JOB_NOT_FOUND', c: 'FENCE_STALE' });
  });

  it('applies a refusal of the whole call to every job', () => {
    const answer = refusedOf(reports, { acceptedIds: [], userErrors: [error('WORKER_LOST', ['workerId'])] });
    expect(codes(answer)).toEqual({ a: 'WORKER_LOST', b: 'WORKER_LOST', c: 'WORKER_LOST' });
  });

  it('refuses a job without a result', () => {
    expect(codes(refusedOf(reports, { acceptedIds: ['a', 'c'], userErrors: [] }))).toEqual({
      b: 'INVALID_VALUE',
    });
  });
});

describe('failInput', () => {
  it.each([
    [3, null, { code: 3 }],
    [null, 'SIGKILL', { signal: 'SIGKILL' }],
    [null, null, null],
  ])('reports exit code %j and signal %j as %j', (exitCode, signal, exit) => {
    const failure = { family: 'PAYLOAD', code: 'X', message: 'm', retryable: true } as const;
    const report = { jobId: 'job_1', fence: 1, exitCode, signal, error: failure, usage: null };
    expect(failInput(report)).toMatchObject({ id: 'job_1', exit });
  });
});
