import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { classIdOf } from '../model/requirement-class-id.js';
import type { StoredPayload, StoredRequirements } from '../model/job.types.js';
import type { JobInputErrorCode } from '../submit/job-input-error.types.js';
import { changedJob, checkRetryChanges, environmentProblem, type RetryChanges } from './retry-changes.js';

const requirements: StoredRequirements = {
  cores: 2,
  memoryMiB: 1001,
  diskMiB: 50,
  walltimeSeconds: 3600,
  network: true,
  queue: 'north',
};
const payload: StoredPayload = {
  command: 'run',
  arguments: ['a'],
  environment: [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ],
  inputs: [{ name: 'in', location: 'https://example.org/in' }],
  outputs: ['out'],
};
const before = { requirements, payload, classId: classIdOf(requirements) };

describe('changedJob', () => {
  it('returns the same class, requirements and payload without changes', () => {
    expect(changedJob(before, undefined)).toEqual(before);
  });

  it('multiplies memory and walltime, rounded up, and changes nothing else', () => {
    const changes = { requirements: { memory: { factor: 1.5 }, walltime: { factor: 2 } } };
    const { requirements: changed, classId, payload: same } = changedJob(before, changes);
    expect(changed).toEqual({ ...requirements, memoryMiB: 1502, walltimeSeconds: 7200 });
    expect(classId).toBe(classIdOf(changed));
    expect(classId).not.toBe(before.classId);
    expect(same).toEqual(payload);
  });

  it('keeps a product within the limits of jobs', () => {
    const changes = { requirements: { memory: { factor: 100 }, walltime: { factor: 0.00001 } } };
    const large = { ...before, requirements: { ...requirements, memoryMiB: 16_000_000 } };
    expect(changedJob(large, changes).requirements).toMatchObject({
      memoryMiB: 16_777_216,
      walltimeSeconds: 1,
    });
  });

  it.each<[string | null | undefined, object]>([
    [undefined, { queue: 'north' }],
    ['south', { queue: 'south' }],
  ])('sets the queue %s', (queue, expected) => {
    expect(changedJob(before, { requirements: { queue } }).requirements).toMatchObject(expected);
  });

  it('removes the queue with null', () => {
    expect(changedJob(before, { requirements: { queue: null } }).requirements).not.toHaveProperty('queue');
  });

  it('sets, adds and removes variables, and keeps the order of the others', () => {
    const environment = [
      { name: 'C', value: '3' },
      { name: 'A', value: null },
      { name: 'B', value: '9' },
    ];
    expect(changedJob(before, { payload: { environment } }).payload.environment).toEqual([
      { name: 'B', value: '9' },
      { name: 'C', value: '3' },
    ]);
  });

  it('requires a container runtime for a new image, and keeps a named one', () => {
    const changes = { payload: { image: 'docker.io/library/debian:12' } };
    expect(changedJob(before, changes)).toMatchObject({
      requirements: { containerRuntime: 'any' },
      payload: { image: 'docker.io/library/debian:12', command: 'run', outputs: ['out'] },
    });
    const named = { ...before, requirements: { ...requirements, containerRuntime: 'apptainer' } };
    expect(changedJob(named, changes).requirements.containerRuntime).toBe('apptainer');
  });
});

describe('checkRetryChanges', () => {
  it.each<[RetryChanges, string, string]>([
    [{ requirements: { cores: 0 } }, 'changes.requirements.cores', 'at least 1'],
    [{ requirements: { memory: { value: 0 } } }, 'changes.requirements.memory.memoryMiB', '1'],
    [{ requirements: { memory: { factor: 0 } } }, 'changes.requirements.memory.factor', 'at most 100'],
    [{ requirements: { walltime: { factor: 101 } } }, 'changes.requirements.walltime.factor', 'at most 100'],
    [
      { requirements: { walltime: { factor: Number.NaN } } },
      'changes.requirements.walltime.factor',
      'at most 100',
    ],
    [{ requirements: { queue: '' } }, 'changes.requirements.queue', '1 to 63'],
    [{ payload: { command: '' } }, 'changes.payload.command', '1 to 4096'],
    [
      { payload: { environment: [{ name: 'RHIZOME_X', value: null }] } },
      'changes.payload.environment.0.name',
      'RHIZOME_',
    ],
    [
      {
        payload: {
          environment: [
            { name: 'A', value: '1' },
            { name: 'A', value: null },
          ],
        },
      },
      'changes.payload.environment',
      '',
    ],
  ])('refuses %j', (changes, path, message) => {
    const errors = new InputErrors<JobInputErrorCode>();
    checkRetryChanges(changes, errors);
    expect(errors.all.map((error) => error.path.join('.'))).toEqual([expect.stringContaining(path)]);
    expect(errors.all[0]?.message).toContain(message);
  });

  it('accepts a change of everything', () => {
    const errors = new InputErrors<JobInputErrorCode>();
    checkRetryChanges(
      {
        requirements: { cores: 8, memory: { factor: 2 }, diskMiB: 0, walltime: { value: 60 }, queue: null },
        payload: { command: 'c', arguments: [], image: 'i', environment: [{ name: 'A', value: null }] },
      },
      errors,
    );
    expect(errors.all).toEqual([]);
  });
});

describe('environmentProblem', () => {
  const named = (count: number, name: string) =>
    Array.from({ length: count }, (_, index) => ({ name: `${name}${index}`, value: 'x' }));
  const secret = { id: 'secret_1', name: 'TOKEN', scope: 'USER', as: 'VARIABLE', target: 'TOKEN' } as const;

  it.each<
    [string, Partial<StoredPayload>, { readonly name: string; readonly value: string | null }[], string]
  >([
    ['more than 1000 variables', { environment: named(600, 'A') }, named(401, 'B'), 'has 1001 variables'],
    [
      'more than 1048576 characters',
      { environment: [{ name: 'A', value: 'x'.repeat(1_048_570) }] },
      [{ name: 'B', value: '123456' }],
      'has 1048578 characters of variables; must be at most 1048576',
    ],
    ['a variable that a secret sets', { secrets: [secret] }, [{ name: 'TOKEN', value: 'x' }], 'TOKEN'],
  ])('names %s', (_, before, environment, expected) => {
    expect(environmentProblem({ ...payload, ...before }, { environment })).toContain(expected);
  });

  it('accepts the removal of a variable that a secret sets, and changes of others', () => {
    const before = { ...payload, environment: named(1000, 'A'), secrets: [secret] };
    const environment = [
      { name: 'TOKEN', value: null },
      { name: 'A0', value: 'changed' },
    ];
    expect(environmentProblem(before, { environment })).toBeUndefined();
    expect(environmentProblem(before, { command: 'other' })).toBeUndefined();
  });
});
