/** Wrong inputs of core's mutations for people. */
import { type BadInput, casesOf, type Row } from './case.js';
import { nobody, queueName, smallJob, usedKey } from './good-inputs.js';

const text = (length: number) => 'x'.repeat(length);
const cut = (length: number) => `(${length} characters)`;
const emptyKey: Row = ['an empty key', 'idempotencyKey', ''];
const reused = (...also: BadInput['change']): Row => [
  'a key that was used with other content',
  'idempotencyKey',
  usedKey,
  { code: 'IDEMPOTENCY_KEY_REUSED', also },
];
const unknownField: Row = [
  'a field that there is not',
  'colour',
  'red',
  { code: 'BAD_USER_INPUT', names: 'colour' },
];
const noExperiment: Row = [
  'an unknown experiment',
  'experiment',
  'nowhere',
  { code: 'EXPERIMENT_NOT_FOUND' },
];

/** A job's own fields, at their place in the input. */
const jobRows = (at: string): readonly Row[] => [
  ['an empty name', `${at}.name`, ''],
  ['a name that is too long', `${at}.name`, text(256), { names: cut(256) }],
  ['an unknown share', `${at}.share`, 'larkspur/nowhere', { code: 'SHARE_NOT_FOUND' }],
  ["another experiment's share", `${at}.share`, 'atlas/production', { code: 'SHARE_NOT_FOUND' }],
  ['a priority out of range', `${at}.priority`, 1001],
  [
    'a label with a blank in its key',
    `${at}.labels`,
    [{ key: 'a b', value: '' }],
    { at: `${at}.labels.0.key`, names: '"a b"' },
  ],
  ['no cores', `${at}.requirements.cores`, 0],
  ['negative memory', `${at}.requirements.memoryMiB`, -1],
  ['negative disk', `${at}.requirements.diskMiB`, -5],
  ['no walltime', `${at}.requirements.walltimeSeconds`, 0],
  ['an instruction set that there is not', `${at}.requirements.architecture`, 'pentium'],
  ['a level that there is not', `${at}.requirements.architectureLevel`, 'x86-64-v9'],
  ['a queue that there is not', `${at}.requirements.queue`, 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
  ['a selector that does not parse', `${at}.requirements.selector`, 'worker.', { code: 'SELECTOR_INVALID' }],
  ['a selector that is no condition', `${at}.requirements.selector`, '1 + 1', { code: 'SELECTOR_INVALID' }],
  [
    'no device asked for',
    `${at}.requirements.gpu`,
    { count: 0 },
    { at: `${at}.requirements.gpu.count`, names: '0' },
  ],
  ['an empty command', `${at}.payload.command`, ''],
  [
    'a secret that does not exist',
    `${at}.payload.secrets`,
    [{ name: 'NOWHERE' }],
    { at: `${at}.payload.secrets.0.name`, code: 'SECRET_NOT_FOUND', names: '"NOWHERE"' },
  ],
  [
    'a secret in a reserved variable',
    `${at}.payload.secrets`,
    [{ name: 'GIVEN', as: 'VARIABLE', target: 'RHIZOME_JOB_ID' }],
    { at: `${at}.payload.secrets.0.target`, names: '"RHIZOME_JOB_ID"' },
  ],
  [
    'a secret in a file outside of its folder',
    `${at}.payload.secrets`,
    [{ name: 'GIVEN', target: '../x' }],
    { at: `${at}.payload.secrets.0.target`, names: '"../x"' },
  ],
  [
    "a variable of the worker's",
    `${at}.payload.environment`,
    [{ name: 'RHIZOME_JOB_ID', value: '' }],
    { at: `${at}.payload.environment.0.name`, names: '"RHIZOME_JOB_ID"' },
  ],
  [
    'an output that leaves its folder',
    `${at}.payload.outputs`,
    ['../x'],
    { at: `${at}.payload.outputs.0`, names: '"../x"' },
  ],
  ['no attempts', `${at}.retry`, { maxAttempts: 0 }, { at: `${at}.retry.maxAttempts`, names: '0' }],
  [
    'a parent that is not there',
    `${at}.dependsOn`,
    [nobody],
    { at: `${at}.dependsOn.0`, names: nobody, code: 'DEPENDENCY_INVALID' },
  ],
  ['a text for a number', `${at}.priority`, 'high', { code: 'BAD_USER_INPUT' }],
];

const jobs = casesOf('submitJobs', 'INVALID_VALUE', [
  noExperiment,
  emptyKey,
  unknownField,
  ['an owner that is no name', 'onBehalfOf', 'a\nb', { names: '"a' }],
  ['no jobs', 'jobs', [], { names: '0 jobs' }],
  [
    'too many jobs',
    'jobs',
    Array.from({ length: 10_001 }, () => smallJob),
    { code: 'BATCH_TOO_LARGE', names: '10001' },
  ],
  [
    'a job that waits for itself',
    'jobs.0.dependsOn',
    ['#0'],
    { code: 'DEPENDENCY_INVALID', at: 'jobs.0.dependsOn.0', names: '#0' },
  ],
  reused(['jobs.0.name', 'another name']),
  ...jobRows('jobs.0'),
]);

const tasks = casesOf('submitTask', 'INVALID_VALUE', [
  noExperiment,
  emptyKey,
  unknownField,
  ['an empty name', 'name', ''],
  ['an owner without a name', 'onBehalfOf', ''],
  ['no jobs', 'jobs.count', 0],
  ['too many jobs', 'jobs.count', 1_000_001],
  ['neither a count nor sets', 'jobs', {}, { code: 'BAD_USER_INPUT', names: 'input.jobs' }],
  [
    'both a count and sets',
    'jobs',
    { count: 2, parameterSets: [] },
    { code: 'BAD_USER_INPUT', names: 'input.jobs' },
  ],
  ['no sets', 'jobs', { parameterSets: [] }, { at: 'jobs.parameterSets', names: '0 sets' }],
  [
    'a parameter with a blank in its name',
    'jobs',
    { parameterSets: [{ parameters: [{ name: 'a b', value: '' }] }] },
    { at: 'jobs.parameterSets.0.parameters.0.name', names: '"a b"' },
  ],
  [
    'a job that waits for itself',
    'jobs',
    { parameterSets: [{ parameters: [], dependsOn: ['#0'] }] },
    { at: 'jobs.parameterSets.0.dependsOn.0', names: '"#0"', code: 'DEPENDENCY_INVALID' },
  ],
  ['a parameter that no set gives', 'template.name', '{{who}}', { at: 'template' }],
  reused(['jobs.count', 3]),
  ...jobRows('template'),
]);

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
const tooLong: Row = ['a reason that is too long', 'reason', text(501), { names: cut(501) }];

const bulk = [
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

const taskCommands = [
  ...casesOf('pauseTask', 'INVALID_VALUE', [...taskRows, ['no reason', 'reason', '']]),
  ...['resumeTask', 'finishTask', 'abortTask'].flatMap((name) => casesOf(name, 'INVALID_VALUE', taskRows)),
];

const limitRows: readonly Row[] = [
  ['no cores', 'limits.maxCores', 0],
  ['negative memory', 'limits.maxMemoryMiB', -1],
  ['no walltime', 'limits.maxWalltimeSeconds', 0],
  ['a heartbeat that is too rare', 'limits.heartbeatSeconds', 301],
  ['a lease shorter than two heartbeats', 'limits.leaseSeconds', 15],
  [
    'an unknown experiment',
    'experiments',
    ['nowhere'],
    { at: 'experiments.0', names: '"nowhere"', code: 'EXPERIMENT_NOT_FOUND' },
  ],
  ['a label without a key', 'labels', [{ key: '', value: '' }], { at: 'labels.0.key', names: '""' }],
  ['an empty site', 'site', ''],
  ['an unknown executor', 'executor', 'PIGEON', { code: 'BAD_USER_INPUT' }],
];

const queues = [
  ...casesOf('createQueue', 'INVALID_VALUE', [
    ...limitRows,
    emptyKey,
    reused(['name', 'elsewhere']),
    ['a name with a blank', 'name', 'a b'],
    ['a name that is taken', 'name', queueName, { code: 'QUEUE_NAME_TAKEN' }],
  ]),
  ...casesOf('updateQueue', 'INVALID_VALUE', [
    ...limitRows,
    ['a queue that is not there', 'name', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
    ['another revision', 'expectedRevision', 99, { code: 'REVISION_CONFLICT' }],
  ]),
  ...casesOf('setQueueState', 'INVALID_VALUE', [
    ['a queue that is not there', 'name', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
    ['no reason', 'reason', ''],
    tooLong,
    ['an unknown state', 'state', 'BROKEN', { code: 'BAD_USER_INPUT' }],
  ]),
];

const windowRows: readonly Row[] = [
  ['an end before its start', 'endsAt', '2089-01-01T00:00:00.000Z'],
  ['an end that is too late', 'endsAt', '2095-01-01T00:00:00.000Z'],
  tooLong,
];
const downtimeRows: readonly Row[] = [
  ['a downtime that is not there', 'id', 'downtime_nowhere', { code: 'DOWNTIME_NOT_FOUND' }],
];

const downtimes = [
  ...casesOf('declareDowntime', 'INVALID_VALUE', [
    ...windowRows,
    emptyKey,
    reused(['reason', 'another']),
    ['no reason', 'reason', ''],
    [
      'a queue that is not there',
      'target',
      { queue: 'nowhere' },
      { at: 'target.queue', names: '"nowhere"', code: 'QUEUE_NOT_FOUND' },
    ],
    [
      'a site that is not there',
      'target',
      { site: 'nowhere' },
      { at: 'target.site', names: '"nowhere"', code: 'SITE_NOT_FOUND' },
    ],
  ]),
  ...casesOf('changeDowntime', 'INVALID_VALUE', [
    ...windowRows,
    ...downtimeRows,
    ['another revision', 'expectedRevision', 99, { code: 'REVISION_CONFLICT' }],
  ]),
  ...casesOf('cancelDowntime', 'INVALID_VALUE', downtimeRows),
  ...casesOf('importDowntimes', 'INVALID_VALUE', [
    ['a source with a blank', 'source', 'a b'],
    ['an empty id', 'downtimes.0.sourceId', ''],
    ['no reason', 'downtimes.0.reason', ''],
    [
      'a queue that is not there',
      'downtimes.0.target',
      { queue: 'nowhere' },
      { at: 'downtimes.0.target.queue', names: '"nowhere"', code: 'QUEUE_NOT_FOUND' },
    ],
  ]),
];

const experiments = [
  ...casesOf('registerExperiment', 'INVALID_VALUE', [
    ['a name with a capital', 'name', 'Newcomer'],
    ['an empty title', 'title', ''],
    ['a description that is too long', 'description', text(501), { names: cut(501) }],
    ['a name that is taken', 'name', 'larkspur', { code: 'EXPERIMENT_NAME_TAKEN' }],
  ]),
  ...casesOf('updateExperiment', 'INVALID_VALUE', [
    ['an experiment that is not there', 'name', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
    ['an empty title', 'title', ''],
    ['a description that is too long', 'description', text(501), { names: cut(501) }],
    ['a negative time', 'continuity.maxContinueSeconds', -1],
    ['another revision', 'expectedRevision', 99, { code: 'REVISION_CONFLICT' }],
  ]),
  ...casesOf('allowSubmissionOnBehalf', 'INVALID_VALUE', [
    ['an unknown experiment', 'experiment', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
    ['no days', 'days', 0],
    ['too many days', 'days', 401],
    ['the name of no secret', 'secretNames.0', 'two words'],
  ]),
  ...casesOf('withdrawSubmissionConsent', 'INVALID_VALUE', [
    ['an unknown field', 'colour', 'red', { code: 'BAD_USER_INPUT', names: 'colour' }],
  ]),
  ...casesOf('grantJobAccess', 'INVALID_VALUE', [
    [
      ...(['a task that does not exist', 'jobs', { taskId: 'task_nowhere' }] as const),
      { code: 'TARGET_NOT_FOUND', names: 'task_nowhere' },
    ],
    ['an empty name', 'grantee.subject', ''],
    ['too many days', 'days', 401],
  ]),
  ...casesOf('revokeJobAccess', 'ACCESS_NOT_FOUND', [['an unknown grant', 'id', 'access_elsewhere']]),
  ...casesOf('createSecret', 'INVALID_VALUE', [
    ['a name with a blank', 'name', 'a b'],
    ['a value that is too short', 'value', 'short', { names: '5 bytes' }],
    ['a value that is too long', 'value', text(65_537), { names: '65537 bytes' }],
    ['a time in the past', 'expiresAt', '2001-01-01T00:00:00.000Z'],
    ['an unknown experiment', 'experiment', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
  ]),
  ...casesOf('rotateSecret', 'INVALID_VALUE', [
    ['a value that is too short', 'value', 'short', { names: '5 bytes' }],
    ['an unknown secret', 'id', 'secret_other', { code: 'SECRET_NOT_FOUND' }],
  ]),
  ...casesOf('deleteSecret', 'INVALID_VALUE', [
    ['an unknown field', 'colour', 'red', { code: 'BAD_USER_INPUT', names: 'colour' }],
  ]),
  ...casesOf('setShares', 'INVALID_VALUE', [
    ['an unknown experiment', 'experiment', 'nowhere', { code: 'EXPERIMENT_NOT_FOUND' }],
    ['no leaves', 'shares', [], { names: '0 entries' }],
    ['a leaf with a blank', 'shares.0.leaf', 'a b'],
    ['negative cores', 'shares.0.nominalCores', -1],
    ['no weight', 'shares.0.weight', 0],
    ['a negative limit of an owner', 'shares.0.ownerLimitCores', -1],
    [
      'a leaf twice',
      'shares.1',
      { leaf: 'production', nominalCores: 1 },
      { at: 'shares.1.leaf', names: '"production"' },
    ],
    [
      'a leaf left out that is in use',
      'shares',
      [{ leaf: 'default', nominalCores: 1 }],
      { code: 'SHARE_IN_USE', names: '"production"', also: [['experiment', 'larkspur']] },
    ],
  ]),
];

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

const policies = [
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

/** All of them. */
export const coreCases: readonly BadInput[] = [
  ...jobs,
  ...tasks,
  ...bulk,
  ...taskCommands,
  ...queues,
  ...downtimes,
  ...policies,
  ...experiments,
];
