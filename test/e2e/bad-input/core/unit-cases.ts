/** Wrong pools of work units, and wrong units. */
import { casesOf } from '../case.js';
import { cut, noExperiment, text, unknownField } from './rows.js';

const noPool = ['a pool that is not there', 'poolId', 'pool_nowhere', { code: 'POOL_NOT_FOUND' }] as const;

/** Cases of pools and units. */
export const units = [
  ...casesOf('createWorkPool', 'INVALID_VALUE', [
    noExperiment,
    ['a name with a blank', 'name', 'a b'],
    ['a task that is not there', 'taskId', 'task_nowhere', { code: 'TASK_NOT_FOUND' }],
    ['an empty run', 'run', ''],
    ['a lease that is too short', 'settings.leaseSeconds', 4],
    ['no attempt', 'settings.maxAttempts', 0],
    ['a negative pause', 'settings.backoffSeconds', -1],
    ['no waiting unit', 'settings.maxWaitingUnits', 0],
    ['no waiting byte', 'settings.maxWaitingMiB', 0],
    ['no unit for a job', 'settings.maxLeasedPerJob', 0],
    ['a retention that is too short', 'settings.retentionSeconds', 59],
  ]),
  ...casesOf('publishWorkUnits', 'INVALID_VALUE', [
    noPool,
    ['no unit', 'units', [], { names: '0 entries' }],
    ['an empty key', 'units.0.key', ''],
    ['an empty ordering key', 'units.0.orderingKey', ''],
    ['a priority that is too high', 'units.0.priority', 10],
    ['a negative size', 'units.0.size', -1],
    ['a payload that is too long', 'units.0.payload', text(65_537), { names: '65537 bytes' }],
    ['a payload and a reference', 'units.0.reference', 'file:///x', { at: 'units.0', names: 'either' }],
    [
      ...(['a reference that is too long', 'units.0.reference', text(2001)] as const),
      { names: cut(2001), also: [['units.0.payload', undefined]] },
    ],
    ['a deadline in the past', 'units.0.deadline', '2020-01-01T00:00:00.000Z'],
    ['a deadline that is too late', 'units.0.deadline', '2095-01-01T00:00:00.000Z'],
  ]),
  ...casesOf('closeWorkPool', 'POOL_NOT_FOUND', [noPool]),
  ...casesOf('resubmitWorkUnits', 'INVALID_VALUE', [
    noPool,
    ['no unit', 'unitIds', [], { names: '0 entries' }],
    ['an unknown unit', 'unitIds', ['unit_x'], { at: 'unitIds.0', code: 'UNIT_NOT_FOUND', names: 'unit_x' }],
  ]),
  // These calls need the token of an attempt; other tests cover their inputs.
  ...['addWorkflowNodes', 'leaseWorkUnits', 'completeWorkUnits', 'failWorkUnits', 'extendWorkUnits'].flatMap(
    (mutation) => casesOf(mutation, 'INVALID_VALUE', [unknownField]),
  ),
];
