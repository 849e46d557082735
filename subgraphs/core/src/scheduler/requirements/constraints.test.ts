import { describe, expect, it } from '@jest/globals';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { aDevice, aGpu, aQueue, aWorker, someRequirements } from '../../../test/support/scheduler.fixture.js';
import { profileOf, constraintsOf, meetsAll } from './constraints.js';
import { compileSelector } from './selector.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

type Hardware = Partial<WorkerFacts['hardware']>;

function meets(
  requirements: Partial<StoredRequirements>,
  hardware: Hardware = {},
  queue: Parameters<typeof aQueue>[0] = {},
  facts: Partial<Pick<WorkerFacts, 'keyThumbprint'>> = {},
): boolean {
  const wanted = someRequirements(requirements);
  const selector = wanted.selector === undefined ? undefined : compileSelector(wanted.selector);
  return meetsAll(
    constraintsOf(wanted, selector),
    profileOf(aWorker({ ...facts, hardware, labels: [{ key: 'zone', value: 'a' }] }), aQueue(queue)),
  );
}

describe('constraintsOf', () => {
  it.each<[string, Partial<StoredRequirements>, Hardware, boolean]>([
    ['as many cores', { cores: 8 }, { cores: 8 }, true],
    ['too few cores', { cores: 9 }, { cores: 8 }, false],
    ['too little memory', { memoryMiB: 4096 }, { memoryMiB: 4095 }, false],
    ['too little disk', { diskMiB: 100 }, { diskMiB: 99 }, false],
    ['the same instruction set', { architecture: 'x86_64' }, { architecture: 'x86_64' }, true],
    ['the same instruction set by another name', { architecture: 'amd64' }, { architecture: 'x86_64' }, true],
    ['another instruction set', { architecture: 'aarch64' }, { architecture: 'x86_64' }, false],
    ['a higher level', { architectureLevel: 'x86-64-v2' }, { architectureLevel: 'x86-64-v3' }, true],
    ['a lower level', { architectureLevel: 'x86-64-v4' }, { architectureLevel: 'x86-64-v3' }, false],
    [
      'a level with a larger number of another family',
      { architectureLevel: 'x86-64-v2' },
      { architectureLevel: 'power-v9' },
      false,
    ],
    ['an unknown level', { architectureLevel: 'x86-64-v1' }, {}, false],
    ['the runtime', { containerRuntime: 'apptainer' }, { containerRuntimes: ['podman', 'apptainer'] }, true],
    ['no runtime', { containerRuntime: 'apptainer' }, {}, false],
    ['any runtime', { containerRuntime: 'any' }, { containerRuntimes: ['podman'] }, true],
    ['none where any would do', { containerRuntime: 'any' }, {}, false],
    ['network', { network: true }, { network: true }, true],
    ['no network', { network: true }, { network: false }, false],
    ['unknown network', { network: true }, {}, false],
    ['network not required', {}, { network: false }, true],
    ['a selector that holds', { selector: 'worker.labels["zone"] == "a"' }, {}, true],
    ['a selector that does not hold', { selector: 'worker.labels["zone"] == "b"' }, {}, false],
    ['a selector on what is unknown', { selector: 'worker.labels["rack"] != "b"' }, {}, false],
  ])('matches by %s: %j on %j is %s', (_what, requirements, hardware, expected) => {
    expect(meets(requirements, hardware)).toBe(expected);
  });

  it.each<[QueueFacts['state'], boolean, boolean]>([
    ['ONLINE', true, true],
    ['TEST', false, true],
    ['BROKEROFF', false, true],
    ['PAUSED', false, false],
    ['OFFLINE', false, false],
  ])('allows a queue that is %s to take jobs by brokerage: %s, by name: %s', (state, byBrokerage, byName) => {
    expect(meets({}, {}, { state })).toBe(byBrokerage);
    expect(meets({ queue: 'main' }, {}, { state })).toBe(byName);
    expect(meets({ queue: 'other' }, {}, { state })).toBe(false);
  });

  it.each<[Hardware['isolation'], Partial<StoredRequirements>, boolean]>([
    [undefined, {}, false],
    [[], {}, false],
    [['NAMESPACES'], {}, true],
    [['PODMAN'], {}, false],
    [['NAMESPACES'], { containerRuntime: 'any' }, false],
    [['PODMAN'], { containerRuntime: 'any' }, true],
    [['APPTAINER'], { containerRuntime: 'singularity' }, true],
    [['PODMAN'], { containerRuntime: 'apptainer' }, false],
  ])(
    'accepts on a worker isolated by %j the job %j of a queue that requires isolation: %s',
    (isolation, wanted, expected) => {
      const containerRuntimes = ['apptainer', 'podman', 'singularity'];
      const hardware = { containerRuntimes, ...(isolation ? { isolation } : {}) };
      expect(meets(wanted, hardware, { isolation: 'REQUIRED' })).toBe(expected);
      expect(meets(wanted, hardware, { isolation: 'NONE' })).toBe(true);
      expect(meets(wanted, hardware)).toBe(true);
    },
  );

  it.each<[Hardware['isolation'], string | undefined, Partial<StoredRequirements>, boolean]>([
    [['NAMESPACES'], 'key', {}, true],
    [['NAMESPACES'], undefined, {}, false],
    [undefined, 'key', {}, false],
    [['NAMESPACES'], 'key', { containerRuntime: 'any' }, false],
    [['PODMAN'], 'key', { containerRuntime: 'any' }, true],
  ])(
    'accepts on a worker isolated by %j with the credential %j the job %j with secrets: %s',
    (isolation, keyThumbprint, wanted, expected) => {
      const hardware = { containerRuntimes: ['podman'], ...(isolation ? { isolation } : {}) };
      const facts = keyThumbprint === undefined ? {} : { keyThumbprint };
      expect(meets({ ...wanted, secrets: true }, hardware, {}, facts)).toBe(expected);
    },
  );

  it('respects the limits of the queue', () => {
    expect(meets({ cores: 4 }, {}, { limits: { maxCores: 4 } })).toBe(true);
    expect(meets({ cores: 5 }, {}, { limits: { maxCores: 4 } })).toBe(false);
    expect(meets({ memoryMiB: 2000 }, {}, { limits: { maxMemoryMiB: 1999 } })).toBe(false);
    expect(meets({ walltimeSeconds: 7200 }, {}, { limits: { maxWalltimeSeconds: 3600 } })).toBe(false);
  });

  it('allows a walltime beyond 30 days only in a queue that says so', () => {
    const sixtyDays = 5_184_000;
    expect(meets({ walltimeSeconds: 2_592_000 }, {}, { limits: {} })).toBe(true);
    expect(meets({ walltimeSeconds: sixtyDays }, {}, { limits: {} })).toBe(false);
    expect(meets({ walltimeSeconds: sixtyDays }, {}, { limits: { maxWalltimeSeconds: sixtyDays } })).toBe(
      true,
    );
  });

  it('gives a reason for each constraint that is not met', () => {
    const constraints = constraintsOf(
      someRequirements({ cores: 16, containerRuntime: 'podman', gpu: aGpu({ minMemoryMiB: 80_000 }) }),
      undefined,
    );
    const profile = profileOf(aWorker({ devices: [aDevice({ memoryMiB: 40_960 })] }), aQueue({}));
    const refusals = constraints.flatMap((constraint) => {
      const reason = constraint.refusal(profile);
      return reason === undefined ? [] : [`${constraint.text}: ${reason}`];
    });
    expect(refusals).toEqual([
      'cores >= 16: has 8',
      'containerRuntimes has podman: does not have it',
      'gpu memoryMiB >= 80000: it has 40960 MiB of memory, 80000 are required',
      '1 gpu on one host, each meeting all gpu constraints: no device meets all gpu constraints',
    ]);
  });
});
