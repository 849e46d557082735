/** Wrong fleets, and wrong commands to them. */
import { casesOf } from '../case.js';

const noFleet = [
  ...(['a fleet that is not there', 'fleetId', 'fleet_nowhere'] as const),
  { code: 'FLEET_NOT_FOUND' },
] as const;

/** Cases of fleets. */
export const fleets = [
  ...casesOf('createFleet', 'INVALID_VALUE', [
    ['a pool that is not there', 'poolId', 'pool_nowhere', { code: 'POOL_NOT_FOUND' }],
    ['a name with a blank', 'name', 'a b'],
    ['a share that is not there', 'share', 'nowhere', { code: 'SHARE_NOT_FOUND' }],
    ['no job at most', 'settings.max', 0],
    ['too many jobs', 'settings.max', 2001],
    ['more jobs at least than at most', 'settings', { min: 3, max: 2 }, { at: 'settings.min', names: '3' }],
    ['a lag of nothing', 'settings.targetLagSeconds', 0],
    [
      ...(['an unknown queue', 'settings.queues', [{ queue: 'nowhere', max: 10 }]] as const),
      { at: 'settings.queues.0.queue', code: 'QUEUE_NOT_FOUND', names: 'nowhere' },
    ],
    ['no core', 'job.requirements', { cores: 0 }, { at: 'job.requirements.cores', names: '0' }],
    ['an empty name of the jobs', 'job.name', ''],
    ['a priority that is too high', 'job.priority', 1001],
  ]),
  ...casesOf('updateFleet', 'INVALID_VALUE', [
    noFleet,
    ['nothing to change', 'settings', undefined, { names: 'null' }],
    ['too many jobs', 'settings.max', 2001],
  ]),
  ...casesOf('pauseFleet', 'INVALID_VALUE', [noFleet, ['an empty reason', 'reason', '']]),
  ...casesOf('resumeFleet', 'FLEET_NOT_FOUND', [noFleet]),
  ...casesOf('prewarmFleet', 'INVALID_VALUE', [
    noFleet,
    ['more jobs than the fleet may have', 'jobs', 2001],
    ['a time in the past', 'until', '2020-01-01T00:00:00.000Z'],
  ]),
  ...casesOf('drainFleet', 'FLEET_NOT_FOUND', [noFleet]),
];
