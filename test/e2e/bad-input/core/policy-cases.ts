/** Wrong policies. */
import { casesOf, type Row } from '../case.js';

const unknownScope: readonly Row[] = [
  ['an unknown experiment', 'scope.experiment', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
  [
    'an unknown queue',
    'scope',
    { queue: 'nowhere' },
    { code: 'QUEUE_NOT_FOUND', at: 'scope.queue', names: 'nowhere' },
  ],
  [
    'an unknown task',
    'scope',
    { taskId: 'task_other' },
    { code: 'TASK_NOT_FOUND', at: 'scope.taskId', names: 'task_other' },
  ],
];

/** Cases of policies. */
export const policies = [
  ...casesOf('addPolicyVersion', 'INVALID_VALUE', [
    ...unknownScope,
    ['no rules', 'rules', []],
    ['a criterion that is no code', 'rules.0.match.codes.0', 'exit'],
    ['a condition on something unknown', 'rules.0.match.condition', 'failure.colour == "red"'],
    ['a pattern with a back reference', 'rules.0.match.logPattern', '(a)\\1'],
    [
      'too many attempts',
      'rules.0.action',
      { retry: { maxAttempts: 21 } },
      { at: 'rules.0.action.retry.maxAttempts', names: '21' },
    ],
  ]),
  ...casesOf('enablePolicy', 'INVALID_VALUE', [
    ...unknownScope,
    ['no version', 'version', 0],
    ['an unknown version', 'version', 99, { code: 'VERSION_NOT_FOUND' }],
  ]),
  ...casesOf('disablePolicy', 'INVALID_VALUE', [...unknownScope]),
];
