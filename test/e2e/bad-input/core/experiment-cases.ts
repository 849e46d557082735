/** Wrong experiments, consents, access to jobs, secrets and shares. */
import { casesOf } from '../case.js';
import { cut, text } from './rows.js';

/** Cases of experiments and of what belongs to them. */
export const experiments = [
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
