import { InputErrors } from '@rhizome/errors';
import { describe, expect, it } from '@jest/globals';
import { problemOfInput } from '../../storages/places.js';
import { checkJob } from './job-input.js';
import type { JobSpec, PayloadSpec, RequirementsSpec } from './submit.types.js';
import type { JobInputErrorCode } from './job-input-error.types.js';

function errorsOf(over: Partial<JobSpec>): string[][] {
  const errors = new InputErrors<JobInputErrorCode>();
  checkJob({ name: 'a', payload: { command: 'c' }, ...over }, ['jobs', 0], errors, {
    selector: (text, use = 'SELECTOR') => {
      const isBad = text === 'bad' || (use === 'SELECTOR' && text.startsWith('measured.'));
      return isBad ? { message: 'a CEL condition' } : { ok: true };
    },
    queue: (name) => (name === 'north' ? undefined : 'an existing queue that admits alpha: north'),
    place: (location) => problemOfInput({ experiment: 'alpha', owner: 'ada' }, location, []),
  });
  return errors.all.map(({ path, code, message }) => [path.slice(2).join('.'), code, message]);
}
const needs = (requirements: RequirementsSpec) => ({ requirements });
const several = { name: 'x', location: 'https://data.test/x' };
const runs = (payload: Partial<PayloadSpec>) => ({ payload: { command: 'c', ...payload } });

describe('checkJob', () => {
  it('accepts a job with all values at their limits', () => {
    expect(
      errorsOf({
        name: 'x'.repeat(255),
        priority: -1000,
        labels: Array.from({ length: 32 }, (_, at) => ({ key: `k${at}`, value: 'v'.repeat(255) })),
        ...needs({
          cores: 4096,
          memoryMiB: 16_777_216,
          diskMiB: 0,
          walltimeSeconds: 34_560_000,
          selector: ' worker.cores > 1 ',
          architecture: 'AMD64',
          architectureLevel: 'x86-64-v3',
          queue: 'north',
          preferences: Array.from({ length: 8 }, (_, at) => ({ expression: `term ${at}`, weight: 100 })),
          gpu: { count: 64, vendor: 'AMD', rocm: { runtime: '6.2' } },
        }),
        ...runs({
          arguments: ['x'.repeat(131_071)],
          environment: [{ name: '_A1', value: 'v'.repeat(32_768) }],
          outputs: ['a b', '..a', 'plots/a.png', 'logs/', '**/*.root'],
          keepOnFailure: ['logs/', '**/*.root'],
          notice: { seconds: 3600, signal: 'NONE', checkpointExitCode: 255 },
        }),
        retry: { maxAttempts: 20, backoffSeconds: 86_400, backoffFactor: 10 },
        dependsOn: Array.from({ length: 1000 }, (_, at) => `#${at}`),
      }),
    ).toEqual([]);
  });

  it.each<[Partial<JobSpec>, string, string]>([
    [{ name: '' }, 'name', '1 to 255 characters'],
    [runs({ notice: { seconds: 0 } }), 'payload.notice.seconds', 'at least 1'],
    [
      { ...needs({ walltimeSeconds: 90_000 }), ...runs({ notice: { seconds: 3601 } }) },
      'payload.notice.seconds',
      'at most 3600',
    ],
    [
      runs({ notice: { seconds: 3600 } }),
      'payload.notice.seconds',
      'less than the walltime, which is 3600 s',
    ],
    [
      runs({ notice: { seconds: 60, checkpointExitCode: 256 } }),
      'payload.notice.checkpointExitCode',
      'at most 255',
    ],
    [{ name: 'a\0b' }, 'name', 'without control characters'],
    [{ name: 'a ' }, 'name', 'without blanks at its ends'],
    [{ name: '😀'.repeat(256) }, 'name', '1 to 255 characters'],
    [{ labels: [{ key: 'a', value: 'x\t' }] }, 'labels.0.value', 'without control characters'],
    [runs({ command: 'a\0' }), 'payload.command', 'without control characters'],
    [runs({ command: '\x1b]52;c;eA==\x07' }), 'payload.command', 'without control characters'],
    [runs({ command: 'a\u202eb' }), 'payload.command', 'without control characters'],
    [runs({ arguments: ['a', '\x1b[2J'] }), 'payload.arguments.1', 'other than line breaks and tabs'],
    [runs({ outputs: ['\x9b2J'] }), 'payload.outputs.0', 'contains control characters'],
    [runs({ image: 'a\nb' }), 'payload.image', 'without control characters'],
    [
      runs({ inputs: [{ name: 'a', location: 'x\u2066' }] }),
      'payload.inputs.0.location',
      'without control characters',
    ],
    [{ priority: 1001 }, 'priority', 'at most 1000'],
    [{ priority: 0.5 }, 'priority', 'a whole number'],
    [{ labels: [{ key: 'a=b', value: '' }] }, 'labels.0.key', '1 to 63 letters'],
    [
      {
        labels: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
      'labels.1',
      'must be unique',
    ],
    [
      { labels: Array.from({ length: 33 }, (_, at) => ({ key: `k${at}`, value: '' })) },
      'labels',
      'at most 32',
    ],
    [needs({ cores: 4097 }), 'requirements.cores', 'at most 4096'],
    [needs({ memoryMiB: 0 }), 'requirements.memoryMiB', 'at least 1'],
    [needs({ diskMiB: -1 }), 'requirements.diskMiB', 'at least 0'],
    [needs({ walltimeSeconds: 34_560_001 }), 'requirements.walltimeSeconds', 'at most 34560000'],
    [needs({ architecture: '' }), 'requirements.architecture', 'x86_64, aarch64'],
    [needs({ architecture: 'x86-64-v3' }), 'requirements.architecture', 'x86_64, aarch64'],
    [needs({ architectureLevel: 'v3' }), 'requirements.architectureLevel', 'x86-64-v1, x86-64-v2'],
    [needs({ architectureLevel: 'x86-64-v5' }), 'requirements.architectureLevel', 'x86-64-v4'],
    [
      needs({ architecture: 'aarch64', architectureLevel: 'x86-64-v2' }),
      'requirements.architectureLevel',
      'only x86_64 has levels',
    ],
    [needs({ containerRuntime: 'two names' }), 'requirements.containerRuntime', 'a name'],
    [needs({ gpu: { count: 0 } }), 'requirements.gpu.count', 'at least 1'],
    [needs({ gpu: { vendor: 'nvidia' } }), 'requirements.gpu.vendor', 'NVIDIA, AMD, INTEL'],
    [
      needs({ gpu: { cuda: { runtime: 'twelve' } } }),
      'requirements.gpu.cuda.runtime',
      'a version such as 12.4',
    ],
    [
      needs({ gpu: { partition: { migFraction: 0 } } }),
      'requirements.gpu.partition.migFraction',
      'at least 1',
    ],
    [runs({ command: '' }), 'payload.command', '1 to 4096'],
    [runs({ arguments: Array.from({ length: 1001 }, () => '') }), 'payload.arguments', 'at most 1000'],
    [runs({ arguments: ['ä'.repeat(65_536)] }), 'payload.arguments', '131072 bytes'],
    [runs({ environment: [{ name: 'RHIZOME_JOB', value: '' }] }), 'payload.environment.0.name', 'RHIZOME_'],
    [runs({ environment: [{ name: '1A', value: '' }] }), 'payload.environment.0.name', 'letters, digits'],
    [
      runs({
        environment: [
          { name: 'A', value: '1' },
          { name: 'A', value: '2' },
        ],
      }),
      'payload.environment.1',
      'must be unique',
    ],
    [
      runs({
        environment: Array.from({ length: 40 }, (_, at) => ({ name: `E${at}`, value: 'v'.repeat(30_000) })),
      }),
      'payload.environment',
      '1048576 characters',
    ],
    [runs({ inputs: [{ name: '../x', location: '/a' }] }), 'payload.inputs.0.name', 'without `/`'],
    [runs({ inputs: [{ name: 'x', location: '' }] }), 'payload.inputs.0.location', '1 to 4096'],
    [
      runs({ inputs: [{ ...several, otherLocations: ['a/path'] }] }),
      'payload.inputs.0.otherLocations.0',
      'as all places of one input',
    ],
    [
      runs({ inputs: [{ ...several, otherLocations: [several.location] }] }),
      'payload.inputs.0.otherLocations.1',
      'must be unique',
    ],
    [
      runs({
        inputs: [{ ...several, otherLocations: Array.from({ length: 10 }, (_, at) => `http://${at}/`) }],
      }),
      'payload.inputs.0.otherLocations',
      'at most 9',
    ],
    [
      runs({
        inputs: Array.from({ length: 200 }, (_, input) => ({
          name: `i${input}`,
          location: 'http://a/',
          otherLocations: Array.from({ length: 6 }, (_, at) => `http://${at}/`.padEnd(4096, 'x')),
        })),
      }),
      'payload.inputs',
      '4194304 bytes of locations together',
    ],
    [
      runs({ inputs: [{ ...several, checksums: [{ kind: 'ADLER32', value: 'ABCDEF01' }] }] }),
      'payload.inputs.0.checksums.0.value',
      '8 hexadecimal digits, lower case',
    ],
    [runs({ inputs: [{ ...several, sizeBytes: -1 }] }), 'payload.inputs.0.sizeBytes', 'at least 0'],
    [
      runs({ inputs: [{ name: 'x', location: 'root://eos.test//a' }] }),
      'payload.inputs.0.location',
      'https://',
    ],
    [runs({ inputs: [{ name: 'x', location: 's3://bucket/a' }] }), 'payload.inputs.0.location', 'https://'],
    [
      runs({ inputs: [{ name: 'x', location: 'FILE:///etc/passwd' }] }),
      'payload.inputs.0.location',
      'https://',
    ],
    [runs({ outputs: ['..'] }), 'payload.outputs.0', 'names only'],
    [runs({ outputs: ['a/../../b'] }), 'payload.outputs.0', 'names only'],
    [runs({ outputs: ['/etc/passwd'] }), 'payload.outputs.0', 'an absolute path'],
    [runs({ outputs: ['\uff0e\uff0e/a'] }), 'payload.outputs.0', 'names only'],
    [runs({ outputs: ['a**'] }), 'payload.outputs.0', 'a part of its own'],
    [runs({ outputs: ['x/'.repeat(300)] }), 'payload.outputs.0', 'at most 512'],
    [
      runs({ outputs: Array.from({ length: 17 }, (_, at) => `${at}*`) }),
      'payload.outputs',
      'at most 16 patterns',
    ],
    [runs({ keepOnFailure: ['a'] }), 'payload.keepOnFailure.0', 'an entry of `outputs`'],
    [runs({ outputs: ['a', 'a'] }), 'payload.outputs.1', 'must be unique'],
    [{ retry: { maxAttempts: 21 } }, 'retry.maxAttempts', 'at most 20'],
    [{ retry: { backoffSeconds: 86_401 } }, 'retry.backoffSeconds', 'at most 86400'],
    [{ retry: { backoffFactor: Number.NaN } }, 'retry.backoffFactor', '1 to 10'],
    [{ retry: { memoryFactor: 1 } }, 'retry.memoryFactor', '1.01 to 10'],
    [{ retry: { maxMemoryMiB: 0 } }, 'retry.maxMemoryMiB', 'at least 1'],
    [{ dependsOn: ['job_1', 'job_1'] }, 'dependsOn.1', 'must be unique'],
  ])('refuses invalid input with its path and the expected value: %#', (over, path, expected) => {
    const found = errorsOf(over);
    expect(found).toHaveLength(1);
    expect(found[0]?.[0]).toBe(path);
    expect(found[0]?.[1]).toBe('INVALID_VALUE');
    expect(found[0]?.[2]).toContain(expected);
  });

  it('names the usable queues for a job bound to an unusable queue', () => {
    expect(errorsOf(needs({ queue: 'a queue' }))).toEqual([
      [
        'requirements.queue',
        'QUEUE_NOT_FOUND',
        'jobs.0.requirements.queue: "a queue" is not valid; must be an existing queue that admits alpha: north',
      ],
    ]);
  });

  it.each<[NonNullable<RequirementsSpec['preferences']>, string, string]>([
    [
      Array.from({ length: 9 }, (_, at) => ({ expression: `term ${at}` })),
      'requirements.preferences',
      'at most 8',
    ],
    [[{ expression: 'a' }, { expression: ' a ' }], 'requirements.preferences', 'a'],
    [[{ expression: 'a', weight: 0 }], 'requirements.preferences.0.weight', 'at least 1'],
    [[{ expression: 'a', weight: 101 }], 'requirements.preferences.0.weight', 'at most 100'],
    [[{ expression: 'bad' }], 'requirements.preferences.0.expression', 'a CEL condition'],
  ])('refuses preferences %j', (preferences, path, expected) => {
    const [error] = errorsOf(needs({ preferences }));
    expect(error?.[0]?.startsWith(path)).toBe(true);
    expect(error?.[2]).toContain(expected);
  });

  it('allows measured values in preferences only', () => {
    expect(errorsOf(needs({ preferences: [{ expression: 'measured.speed > 1.0' }] }))).toEqual([]);
    expect(errorsOf(needs({ selector: 'measured.speed > 1.0' }))[0]?.[1]).toBe('SELECTOR_INVALID');
  });

  it('gives the reason for an unusable selector', () => {
    expect(errorsOf(needs({ selector: 'bad' }))).toEqual([
      [
        'requirements.selector',
        'SELECTOR_INVALID',
        'jobs.0.requirements.selector: "bad" is not valid; must be a CEL condition',
      ],
    ]);
  });
});
