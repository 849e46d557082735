/** Wrong queues, downtimes and hosts. */
import { casesOf, type Row } from '../case.js';
import { queueName } from '../good-inputs.js';
import { emptyKey, reused, tooLong } from './rows.js';

const limitRows: readonly Row[] = [
  ['no cores', 'limits.maxCores', 0],
  ['negative memory', 'limits.maxMemoryMiB', -1],
  ['no walltime', 'limits.maxWalltimeSeconds', 0],
  ['a heartbeat that is too rare', 'limits.heartbeatSeconds', 301],
  ['a notice that is too long', 'limits.maxNoticeSeconds', 3601],
  ['no preemptions', 'limits.maxPreemptionsPerMinute', 0],
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

/** Cases of queues. */
export const queues = [
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

/** Cases of downtimes. */
export const downtimes = [
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

const hostRows: readonly Row[] = [
  ['a queue that is not there', 'queue', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
  ['a host without a name', 'host', ''],
];
const decisionRows: readonly Row[] = [
  ...hostRows,
  ['no reason', 'reason', ''],
  tooLong,
  ['an end in the past', 'until', '2020-01-01T00:00:00.000Z'],
  ['an end that is too late', 'until', '2095-01-01T00:00:00.000Z'],
];

/** Cases of hosts. */
export const hosts = [
  ...casesOf('excludeHost', 'INVALID_VALUE', decisionRows),
  ...casesOf('pinHost', 'INVALID_VALUE', [
    ...decisionRows,
    ['an unknown direction', 'to', 'SIDEWAYS', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('clearHost', 'INVALID_VALUE', hostRows),
];
