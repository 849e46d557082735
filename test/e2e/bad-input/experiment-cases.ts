/** Wrong inputs of the experiments' mutations. */
import { type BadInput, casesOf, type Row } from './case.js';
import { usedKey } from './good-inputs.js';

const emptyKey: Row = ['an empty key', 'idempotencyKey', ''];
const reused = (...also: BadInput['change']): Row => [
  'a key that was used with other content',
  'idempotencyKey',
  usedKey,
  { code: 'IDEMPOTENCY_KEY_REUSED', also },
];

const larkspur = casesOf('submitLarkspurObservation', 'INVALID_VALUE', [
  emptyKey,
  reused(['exposures', 3]),
  ['a field of another catalogue', 'field', 'M31'],
  ['no exposures', 'exposures', 0],
  ['too many exposures', 'exposures', 1001],
  ['an exposure of no time', 'exposureSeconds', 0],
  ['an empty command', 'command', ''],
  ['an argument that would be filled in', 'arguments', ['{{x}}'], { at: 'arguments.0', names: '"{{x}}"' }],
  ['an empty calibration', 'calibration', ''],
  ['an unknown band', 'band', 'GREEN', { code: 'BAD_USER_INPUT' }],
]);

const atlas = casesOf('submitAtlasTask', 'INVALID_VALUE', [
  emptyKey,
  reused(['requestId', 2]),
  ['no campaign of simulation', 'campaign', 'data24'],
  ['no request', 'requestId', 0],
  ['an empty physics short', 'physicsShort', ''],
  ['no events', 'totalEvents', 0],
  ['no events for a job', 'eventsPerJob', 0],
  ['more jobs than a step may have', 'eventsPerJob', 1, { also: [['totalEvents', 100_000_000]] }],
  ['no steps', 'transforms', [], { names: '0 entries' }],
  [
    'a step twice',
    'transforms.1',
    { step: 'EVGEN', command: ['true'], output: 'o' },
    { at: 'transforms.1.step', names: '"EVGEN"', code: 'CHAIN_INVALID' },
  ],
  ['a step without a program', 'transforms.0.command', []],
  ['an output that leaves its folder', 'transforms.0.output', '../x'],
  ['no cores', 'cores', 0],
  ['no memory', 'memoryMiB', 0],
  ['no walltime', 'walltimeSeconds', 0],
  ['too many attempts', 'maxAttempts', 21],
  ['a negative seed', 'seed', -1],
  // Errors of core are reported at the path of the experiment's own input.
  ['an unknown share', 'share', 'atlas/nowhere', { code: 'SHARE_NOT_FOUND' }],
  ['an unknown step', 'transforms.0.step', 'DIGI', { code: 'BAD_USER_INPUT' }],
]);

const epic = casesOf('submitEpicRun', 'INVALID_VALUE', [
  emptyKey,
  reused(['runNumber', 8]),
  ['no run number', 'runNumber', 0],
  ['a run number that was used', 'runNumber', 1, { code: 'RUN_NUMBER_TAKEN' }],
  ['a configuration with a blank', 'detectorConfiguration', 'a b'],
  ['no frames', 'superTimeFrames', 0],
  ['no frames in a group', 'framesPerGroup', 0],
  ['too many groups', 'framesPerGroup', 1, { also: [['superTimeFrames', 10_000_000]] }],
  ['an empty command', 'command', ''],
  ['an output in a folder', 'outputs', ['a/b'], { at: 'outputs.0', names: '"a/b"' }],
  ['outputs of a merge that there is not', 'mergeOutputs', ['x']],
  ['an empty merge', 'mergeCommand', []],
  ['no cores', 'cores', 0],
  ['no attempts', 'maxAttempts', 0],
  ['a text for a number', 'runNumber', 'one', { code: 'BAD_USER_INPUT' }],
]);

const live = [
  ...casesOf('announceEpicLiveRun', 'INVALID_VALUE', [
    ['no run number', 'runNumber', 0],
    ['a configuration with a blank', 'detectorConfiguration', 'a b'],
    ['too many slices', 'slicesPerFrame', 201],
    ['frames for too long', 'settleSeconds', 3601],
    ['no path', 'paths', [], { names: '0 entries' }],
    ['an empty command', 'paths.0.command', ''],
    ['no workers', 'paths.0.maxWorkers', 0],
    ['a lease that is too short', 'paths.0.leaseSeconds', 4],
    ['a low mark alone', 'paths.0.lowMarkHours', 1, { at: 'paths.0.highMarkHours', names: 'null' }],
    ['an unknown path', 'paths.0.name', 'SLOW', { code: 'BAD_USER_INPUT' }],
  ]),
  ...casesOf('announceEpicRunState', 'INVALID_VALUE', [
    ['no run number', 'runNumber', 0],
    ['a state of another facet', 'state', 'GO'],
    ['a time in the future', 'at', '2999-01-01T00:00:00.000Z'],
    ['an empty reason', 'reason', ''],
    ['a run that does not exist', 'runNumber', 4711, { code: 'RUN_NOT_FOUND' }],
  ]),
  ...casesOf('announceEpicTimeFrames', 'INVALID_VALUE', [
    ['no frames', 'frames', [], { names: '0 entries' }],
    ['a negative number', 'frames.0.number', -1],
    ['no location', 'frames.0.location', ''],
    ['negative bytes', 'frames.0.bytes', -1],
    ['a time in the future', 'frames.0.recordedAt', '2999-01-01T00:00:00.000Z'],
    ['a run that does not exist', 'runNumber', 4711, { code: 'RUN_NOT_FOUND' }],
  ]),
  ...casesOf('setEpicSiteFeed', 'INVALID_VALUE', [
    ['no site', 'site', ''],
    ['no reason', 'reason', ''],
  ]),
];

const quantum = { name: 'a', label: 'isr', dataId: 'visit=1' };
const rubin = casesOf('submitRubinWorkflow', 'INVALID_VALUE', [
  emptyKey,
  reused(['name', 'another']),
  ['an empty name', 'name', ''],
  ['an empty pipeline', 'pipeline', ''],
  ['no quanta', 'quanta', [], { names: '0 entries' }],
  ['a name twice', 'quanta.1.name', 'a'],
  ['a need that is not there', 'quanta.1.needs', ['z'], { at: 'quanta.1.needs.0', names: '"z"' }],
  [
    'needs in a circle',
    'quanta.0',
    { ...quantum, needs: ['b'] },
    { at: 'quanta.0.needs', names: 'a → b → a', code: 'GRAPH_CIRCULAR' },
  ],
  ['an empty label', 'quanta.0.label', ''],
  ['an empty data id', 'quanta.0.dataId', ''],
  ['an empty final job', 'finalJob', { command: '' }, { at: 'finalJob.command', names: '""' }],
  ['an empty command', 'command', ''],
  ['no memory', 'memoryMiB', 0],
  ['a number for a text', 'pipeline', 5, { code: 'BAD_USER_INPUT' }],
]);

const rubinRetry = casesOf('retryRubinWorkflow', 'INVALID_VALUE', [
  emptyKey,
  ['no quanta', 'quanta', [], { names: '0 entries' }],
  ['an unknown quantum', 'quanta', ['z'], { at: 'quanta.0', names: '"z"', code: 'QUANTUM_NOT_FOUND' }],
  ['no growth', 'memoryFactor', 0],
  ['no memory', 'memoryMiB', 0],
  ['an unknown workflow', 'workflowId', 'rubinWorkflow_0', { code: 'WORKFLOW_NOT_FOUND' }],
]);

/** All of them. */
export const experimentCases: readonly BadInput[] = [
  ...larkspur,
  ...atlas,
  ...epic,
  ...live,
  ...rubin,
  ...rubinRetry,
];
