/** Wrong changes of jobs and tasks that exist. */
import { type BadInput, casesOf, type Row } from '../case.js';
import { nobody } from '../good-inputs.js';
import { emptyKey, tooLong, unknownField } from './rows.js';

/** A choice of jobs, which five mutations share. */
const selectionRows: readonly Row[] = [
  [
    'a job that is not there',
    'selection.ids',
    [nobody],
    { at: 'selection.ids.0', names: nobody, code: 'JOB_NOT_FOUND' },
  ],
  ['no ids', 'selection.ids', [], { names: '0 ids' }],
  [
    'too many ids',
    'selection.ids',
    Array.from({ length: 10_001 }, (_, index) => `job_${index}`),
    { names: '10001 ids' },
  ],
  ['a filter without a condition', 'selection', { filter: {} }, { at: 'selection.filter', names: '{}' }],
  [
    'a condition that only lists know',
    'selection',
    { filter: { text: 'night' } },
    { at: 'selection.filter.text', names: 'night' },
  ],
  ['neither ids nor a filter', 'selection', {}, { code: 'BAD_USER_INPUT', names: 'input.selection' }],
  [
    'both ids and a filter',
    'selection',
    { ids: [nobody], filter: {} },
    { code: 'BAD_USER_INPUT', names: 'input.selection' },
  ],
  emptyKey,
  unknownField,
];

/** Cases of the mutations that change several jobs. */
export const bulk = [
  ...casesOf('cancelJobs', 'INVALID_VALUE', [...selectionRows, tooLong]),
  // Its key must be given, so that even this answer is kept, as an operation; the key stays free.
  ...casesOf(
    'retryJobs',
    'INVALID_VALUE',
    selectionRows.map(([wrong, path, value, expectation]): Row => {
      if (expectation?.code !== 'JOB_NOT_FOUND') return [wrong, path, value, expectation];
      const also: BadInput['change'] = [['idempotencyKey', 'of nobody']];
      return [wrong, path, value, { ...expectation, also, keeps: 'core.bulkOperations' }];
    }),
  ),
  ...casesOf('holdJobs', 'INVALID_VALUE', [...selectionRows, tooLong, ['no reason', 'reason', '']]),
  ...casesOf('releaseJobs', 'INVALID_VALUE', selectionRows),
  ...casesOf('setJobPriority', 'INVALID_VALUE', [
    ...selectionRows,
    ['a priority out of range', 'priority', -1001],
  ]),
];

const taskRows: readonly Row[] = [
  ['a task that is not there', 'taskId', 'task_nowhere', { code: 'TASK_NOT_FOUND', names: 'task_nowhere' }],
  tooLong,
  unknownField,
];

/** Cases of the mutations that change a task. */
export const taskCommands = [
  ...casesOf('pauseTask', 'INVALID_VALUE', [...taskRows, ['no reason', 'reason', '']]),
  ...['resumeTask', 'finishTask', 'abortTask'].flatMap((name) => casesOf(name, 'INVALID_VALUE', taskRows)),
  ...casesOf('changeTask', 'INVALID_VALUE', [
    ...taskRows,
    ['no value', 'changes', {}],
    ['no memory', 'changes', { memoryMiB: 0 }, { at: 'changes.memoryMiB', names: '0' }],
    ['no running job', 'changes', { maxRunningJobs: 0 }, { at: 'changes.maxRunningJobs', names: '0' }],
    [
      'a queue that is not there',
      'changes',
      { queue: 'nowhere' },
      { code: 'QUEUE_NOT_FOUND', at: 'changes.queue', names: 'nowhere' },
    ],
    [
      'a share that is not there',
      'changes',
      { share: 'nowhere' },
      { code: 'SHARE_NOT_FOUND', at: 'changes.share', names: 'nowhere' },
    ],
  ]),
  ...casesOf('endScouting', 'INVALID_VALUE', [
    ...taskRows,
    ['no memory', 'requirements', { memoryMiB: 0 }, { at: 'requirements.memoryMiB', names: '0' }],
  ]),
];
