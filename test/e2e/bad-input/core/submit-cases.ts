/** Wrong jobs and tasks. */
import { casesOf, type Row } from '../case.js';
import { nobody, smallJob } from '../good-inputs.js';
import { cut, emptyKey, noExperiment, reused, text, unknownField } from './rows.js';

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
  [
    'a preference for a value that is not measured',
    `${at}.requirements.preferences`,
    [{ expression: 'measured.colour == "red"' }],
    {
      at: `${at}.requirements.preferences.0.expression`,
      code: 'SELECTOR_INVALID',
      names: 'known attributes',
    },
  ],
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

/** Cases of `submitJobs`. */
export const jobs = casesOf('submitJobs', 'INVALID_VALUE', [
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

/** Cases of `submitTask`. */
export const tasks = casesOf('submitTask', 'INVALID_VALUE', [
  noExperiment,
  emptyKey,
  unknownField,
  ['an empty name', 'name', ''],
  ['an owner without a name', 'onBehalfOf', ''],
  ['no jobs', 'jobs.count', 0],
  ['a limit that limits nothing', 'failureLimit', {}, { at: 'failureLimit', names: 'no limit' }],
  [
    'a failed fraction above 1',
    'failureLimit',
    { maxFailedFraction: 1.5 },
    { at: 'failureLimit.maxFailedFraction', names: '1.5' },
  ],
  ['no scouts', 'scouts', { count: 0 }, { at: 'scouts.count', names: '0' }],
  [
    'a percentile out of range',
    'scouts',
    { memory: { percentile: 101 } },
    { at: 'scouts.memory.percentile', names: '101' },
  ],
  ['a factor out of range', 'scouts', { disk: { factor: 0 } }, { at: 'scouts.disk.factor', names: '0' }],
  ['a fraction above 1', 'scouts', { maxFailedFraction: 2 }, { at: 'scouts.maxFailedFraction', names: '2' }],
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
    'an unknown dataset',
    'jobs',
    { dataset: { datasetId: 'dataset_nowhere' } },
    { at: 'jobs.dataset.datasetId', names: 'dataset_nowhere' },
  ],
  [
    'jobs without files',
    'jobs',
    { dataset: { datasetId: 'dataset_nowhere', perJob: 0 } },
    { at: 'jobs.dataset.perJob', names: '0' },
  ],
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
