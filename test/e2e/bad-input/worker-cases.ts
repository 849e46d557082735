/** Wrong inputs of the mutations that pilots speak. */
import { type BadInput, casesOf, type Row } from './case.js';
import { nobody } from './good-inputs.js';

const text = (length: number) => 'x'.repeat(length);
const noWorker: Row = ['a worker that is not there', 'workerId', 'worker_0', { code: 'WORKER_NOT_FOUND' }];
const tooMany = (entry: object): Row => [
  'too many jobs',
  'jobs',
  Array.from({ length: 1001 }, (_, index) => ({ ...entry, id: `job_${index}`, fence: 1 })),
  { names: '1001' },
];
const noJob: Row = ['a job that is not there', 'jobs.0.id', nobody, { code: 'JOB_NOT_FOUND' }];
const oldFence: Row = ['a fence of the past', 'jobs.0.fence', 1, { code: 'FENCE_STALE', names: 'job_' }];

const pilot = { id: 'pilot_1', state: 'PENDING' };
const gpu = { id: 'GPU-1', vendor: 'NVIDIA', model: 'm' };

const register = casesOf('registerWorker', 'INVALID_VALUE', [
  ['a queue that is not there', 'queue', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
  ['an empty host', 'host', ''],
  ['an empty name', 'name', ''],
  ['an empty version', 'version', ''],
  ['an empty key', 'idempotencyKey', ''],
  ['no cores', 'hardware.cores', 0],
  ['no memory', 'hardware.memoryMiB', 0],
  ['negative disk', 'hardware.diskMiB', -1],
  [
    'a label with a blank in its key',
    'labels',
    [{ key: 'a b', value: '' }],
    { at: 'labels.0.key', names: '"a b"' },
  ],
  [
    'a device of an unknown vendor',
    'devices',
    [{ id: 'GPU-1', vendor: 'X', model: 'm' }],
    { code: 'BAD_USER_INPUT', names: '"X" at "input.devices[0].vendor"' },
  ],
  [
    'a device twice',
    'devices',
    [gpu, { ...gpu, model: 'other' }],
    { at: 'devices.1.id', names: '"GPU-1" is not valid; must be unique' },
  ],
  [
    'a device that is a part of itself',
    'devices',
    [{ ...gpu, parentId: 'GPU-1' }],
    { at: 'devices.0.parentId', names: 'not itself' },
  ],
  [
    'a driver whose version is none',
    'devices',
    [{ ...gpu, driverVersion: 'N/A' }],
    { at: 'devices.0.driverVersion', names: '"N/A"' },
  ],
  [
    'a device whose memory is too large to be true',
    'devices',
    [{ ...gpu, memoryMiB: 16_777_217 }],
    { at: 'devices.0.memoryMiB', names: '16777217' },
  ],
  [
    'a device whose memory is no number',
    'devices',
    [{ ...gpu, memoryMiB: '40 GB' }],
    { code: 'BAD_USER_INPUT', names: '"40 GB"' },
  ],
  [
    'too many devices',
    'devices',
    Array.from({ length: 1000 }, (_, index) => ({ ...gpu, id: `GPU-${index}` })),
    { names: '1000 devices' },
  ],
  ['an end in the past', 'endsAt', '2020-01-01T00:00:00.000Z'],
  ['an end that is no time', 'endsAt', 'tomorrow', { code: 'BAD_USER_INPUT' }],
]);

const life = [
  ...casesOf('heartbeat', 'INVALID_VALUE', [
    noWorker,
    [
      'no cores',
      'hardware',
      { architecture: 'x86_64', cores: 0, memoryMiB: 1, diskMiB: 1 },
      { at: 'hardware.cores', names: '0' },
    ],
    [
      'a device without an id',
      'devices',
      [{ id: '', vendor: 'NVIDIA', model: 'm' }],
      { at: 'devices.0.id', names: '""' },
    ],
    [
      'progress in per cent',
      'progress',
      [{ id: nobody, fence: 1, fraction: 40, at: '2030-01-01T00:00:00.000Z' }],
      { at: 'progress.0.fraction', names: '40' },
    ],
    [
      'use in per cent',
      'deviceUse',
      [{ id: 'GPU-1', utilisation: 57 }],
      { at: 'deviceUse.0.utilisation', names: '57' },
    ],
  ]),
  ...casesOf('acquireJobs', 'INVALID_VALUE', [
    noWorker,
    ['no jobs asked for', 'count', 0],
    ['too many jobs asked for', 'count', 1001],
    ['negative cores', 'free.cores', -1],
    ['too long a wait', 'waitSeconds', 61],
    ['negative time left', 'remainingSeconds', -1],
    ['a device twice', 'freeDeviceIds', ['a', 'a'], { at: 'freeDeviceIds.1', names: '"a"' }],
  ]),
  ...casesOf('drainWorker', 'INVALID_VALUE', [
    noWorker,
    ['a reason that is too long', 'reason', text(501), { names: '(501 characters)' }],
  ]),
  ...casesOf('requestPilots', 'INVALID_VALUE', [
    ['a queue that is not there', 'queue', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
    ['a name of an executor with a blank', 'executor', 'a b'],
    ['an empty instance', 'instance', ''],
    ['an id that is none of a class', 'classId', 'class_1'],
    ['an empty experiment', 'experiment', ''],
    ['a shape with a slash', 'shape', 'a/b'],
    ['no jobs of a pilot', 'jobsPerPilot', 0],
    ['no pilots', 'count', 0],
    ['too many pilots', 'count', 1001],
    ['no open pilots', 'maxOpenPilots', 0],
    ['an empty key', 'idempotencyKey', ''],
  ]),
  ...casesOf('reportPilots', 'INVALID_VALUE', [
    ['a queue that is not there', 'queue', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
    ['an empty instance', 'instance', ''],
    ['too short a lease', 'leaseSeconds', 4],
    ['a pilot twice', 'pilots', [pilot, pilot], { at: 'pilots.1', names: '"pilot_1"' }],
    ['a state that is not reported', 'pilots.0.state', 'REQUESTED'],
    ['an empty id of a batch job', 'pilots.0.batchJobId', ''],
    ['a reason that is too long', 'pilots.0.reason', text(501), { names: '(501 characters)' }],
  ]),
  ...casesOf('reportEndedBatchJobs', 'INVALID_VALUE', [
    ['a queue that is not there', 'queue', 'nowhere', { code: 'QUEUE_NOT_FOUND' }],
    ['an empty id', 'batchJobIds', [''], { at: 'batchJobIds.0', names: '""' }],
    ['an id twice', 'batchJobIds', ['a', 'a'], { at: 'batchJobIds.1', names: '"a"' }],
    ['a reason that is too long', 'reason', text(501), { names: '(501 characters)' }],
  ]),
];

const reports = [
  ...casesOf('startJobs', 'INVALID_VALUE', [
    noWorker,
    noJob,
    oldFence,
    tooMany({ phase: 'RUNNING' }),
    ['an unknown phase', 'jobs.0.phase', 'SOON', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('finishJobs', 'INVALID_VALUE', [
    noWorker,
    noJob,
    oldFence,
    tooMany({}),
    [
      'negative CPU time',
      'jobs.0.metrics',
      { cpuSeconds: -1 },
      { at: 'jobs.0.metrics.cpuSeconds', names: '-1' },
    ],
    [
      'a declared output that is missing',
      'jobs.0.phase',
      'FINISHED',
      { at: 'jobs.0.outputs', code: 'OUTPUT_MISSING', names: 'o missing' },
    ],
    [
      'an output without a checksum',
      'jobs.0.outputs',
      [{ name: 'o', location: 'o', sizeBytes: 1, sha256: 'z' }],
      { at: 'jobs.0.outputs.0.sha256', names: '"z"' },
    ],
  ]),
  ...casesOf('failJobs', 'INVALID_VALUE', [
    noWorker,
    noJob,
    oldFence,
    tooMany({ error: { family: 'PAYLOAD', code: 'X', message: 'm' } }),
    ['an error without a code', 'jobs.0.error.code', ''],
    ['a message that is too long', 'jobs.0.error.message', text(2001), { names: '2001 characters' }],
    ['a signal that is none', 'jobs.0.exit.signal', 'a b'],
  ]),
  ...casesOf('reportCheckpoints', 'INVALID_VALUE', [
    noWorker,
    noJob,
    oldFence,
    tooMany({ checkpoints: [] }),
    ['a part above 1', 'jobs.0.checkpoints.0.fraction', 1.5],
    ['a negative step', 'jobs.0.checkpoints.0.step', -1],
    ['no attempt', 'jobs.0.checkpoints.0.attempt', 0],
    ['no files', 'jobs.0.checkpoints.0.files', [], { names: '0 entries' }],
    ['a file without a name', 'jobs.0.checkpoints.0.files.0.name', ''],
    ['a checksum that is none', 'jobs.0.checkpoints.0.files.0.sha256', 'z', { names: '"z"' }],
    ['a negative size', 'jobs.0.checkpoints.0.files.0.sizeBytes', -1],
    ['a time that is none', 'jobs.0.checkpoints.0.madeAt', 'now', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('appendJobLog', 'INVALID_VALUE', [
    noWorker,
    ['a job that is not there', 'jobId', nobody, { code: 'JOB_NOT_FOUND' }],
    ['a fence of the past', 'fence', 1, { code: 'FENCE_STALE', names: 'job_' }],
    ['a negative number', 'chunks.0.sequence', -1],
    ['a gap', 'chunks.0.sequence', 5],
    ['a chunk that is too long', 'chunks.0.text', text(65_537), { names: '65537' }],
    ['a time that is none', 'chunks.0.at', 'now', { code: 'BAD_USER_INPUT' }],
    ['a stream that there is not', 'chunks.0.stream', 'STDLOG', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('reportGateway', 'INVALID_VALUE', [
    ['a value that is no Boolean', 'isAcceptingPilots', 'yes', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('signJobFiles', 'INVALID_VALUE', [
    noWorker,
    ['a job that is not there', 'jobId', nobody, { code: 'JOB_NOT_FOUND' }],
    ['a fence of the past', 'fence', 1, { code: 'FENCE_STALE', names: 'job_' }],
    [
      ...(['an input that is not declared', 'reads', [{ name: '../x' }]] as const),
      { at: 'reads.0.name', code: 'FILE_NOT_FOUND', names: '../x' },
    ],
    [
      ...([
        'a part of an upload that the job has not',
        'reads',
        [{ name: 'manifest', uploadId: 'upload_x' }],
      ] as const),
      { at: 'reads.0.uploadId', code: 'FILE_NOT_FOUND', names: 'upload_x' },
    ],
    [
      ...(['a digest that is none', 'writes', [{ name: 'o', sizeBytes: 1, sha256: 'z' }]] as const),
      { at: 'writes.0.sha256', names: '"z"' },
    ],
  ]),
  ...casesOf('redeemSecrets', 'INVALID_VALUE', [
    noWorker,
    ['a job that is not there', 'jobId', nobody, { code: 'JOB_NOT_FOUND' }],
    ['a fence of the past', 'fence', 1, { code: 'FENCE_STALE', names: 'job_' }],
    ['no credential', 'request', 'x', { at: 'workerId', code: 'CREDENTIAL_REQUIRED', names: 'credential' }],
  ]),
];

/** All of them. */
export const workerCases: readonly BadInput[] = [...register, ...life, ...reports];
