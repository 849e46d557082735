import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import type { CliDiagnosisFragment } from '../../operations.generated.js';
import { commandOf } from './action-command.js';
import { printDiagnosis } from './print-diagnosis.js';

const retry = {
  selection: { ids: ['job_1'] },
  idempotencyKey: 'diagnosis:job_1:7:memory=2400',
  isUnlessRetried: true,
  changes: { requirements: { memory: { memoryMiB: 2400 } } },
};

describe('commandOf', () => {
  it.each([
    [
      'retryJobs',
      { input: retry },
      "rhizome retry job_1 --memory 2400 --unless-retried --key 'diagnosis:job_1:7:memory=2400'",
    ],
    [
      'retryJobs',
      { input: { selection: { ids: ['job_2'] }, isWithDependents: true } },
      'rhizome retry job_2 --dependents',
    ],
    ['releaseJobs', { input: { selection: { ids: ['job_1'] } } }, 'rhizome release job_1'],
    ['resumeTask', { input: { taskId: 'task_1' } }, 'rhizome task resume task_1'],
    ['clearHost', { input: { queue: 'main', host: 'node-1' } }, undefined],
    ['retryJobs', { input: { selection: { filter: { taskIds: ['task_1'] } } } }, undefined],
    [null, null, undefined],
  ])('gives the command for %s, if there is one', (operation, variables, command) => {
    expect(commandOf({ operation, variables })).toBe(command);
  });
});

describe('printDiagnosis', () => {
  it('prints causes with their evidence, log lines without control characters, and commands', () => {
    const log = {
      kind: 'LOG_LINES',
      text: 'start\n\u001b[2JMemoryError',
      target: null,
      count: 1,
      since: null,
    } as const;
    const diagnosis: CliDiagnosisFragment = {
      summary: 'The job failed.',
      since: null,
      causes: [{ kind: 'MEMORY', statement: 'No memory.', confidence: 0.9, share: null, evidence: [log] }],
      helped: [
        {
          ...{ change: 'MORE_MEMORY', statement: '2 of 3 similar jobs finished.', triedCount: 3 },
          ...{ finishedCount: 2, jobIds: ['job_7'] },
        },
      ],
      actions: [
        {
          ...{ title: 'Retry with 2400 MiB', operation: 'retryJobs', variables: { input: retry } },
          ...{ effect: 'Submits a new job.', isUndoable: true },
        },
      ],
    };
    const stream = new PassThrough();
    printDiagnosis({ json: false, stream, errors: new PassThrough(), escapes: 'ALWAYS' }, diagnosis);
    expect(String(stream.read()).split('\n')).toEqual([
      'The job failed.',
      '',
      'MEMORY, 90 % certain: No memory.',
      '  | start',
      '  | \\x1b[2JMemoryError',
      '',
      'What helped other jobs:',
      '  2 of 3 similar jobs finished. job_7',
      '',
      'What may help:',
      "  Retry with 2400 MiB: rhizome retry job_1 --memory 2400 --unless-retried --key 'diagnosis:job_1:7:memory=2400'",
      '    Submits a new job.',
      '',
    ]);
  });
});
