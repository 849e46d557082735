import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import { type CanaryInput, checkCanary, checkCanaryLimits, storedCanary } from './canary.js';
import { defaultLimits } from './queue-input.js';

const canary: CanaryInput = { experiment: 'alpha', share: 'default', intervalSeconds: 600, command: 'true' };
const limits = { ...defaultLimits, maxCores: 32, maxMemoryMiB: 1024, maxWalltimeSeconds: 900 };

function messagesOf(change: Partial<CanaryInput>): readonly string[] {
  const errors = new InputErrors();
  checkCanary(errors, { ...canary, ...change }, limits);
  return errors.all.map(({ message }) => message);
}

describe('checkCanary', () => {
  it('accepts amounts up to the limits of the queue', () => {
    expect(messagesOf({ cores: 32, memoryMiB: 1024, walltimeSeconds: 900 })).toEqual([]);
  });

  it.each<[Partial<CanaryInput>, string]>([
    [{ cores: 64 }, 'canary.cores: 64 is too large; must be at most 32'],
    [{ memoryMiB: 2048 }, 'canary.memoryMiB: 2048 is too large; must be at most 1024'],
    [{ walltimeSeconds: 901 }, 'canary.walltimeSeconds: 901 is too large; must be at most 900'],
    [
      { arguments: ['x'.repeat(5000), 'x'.repeat(5000)] },
      'canary.arguments: "10002 bytes" is not valid; must be at most 8192 bytes together',
    ],
  ])('refuses %j', (change, message) => {
    expect(messagesOf(change)).toEqual([message]);
  });
});

describe('checkCanaryLimits', () => {
  it('refuses limits below the canary jobs of the queue, also below their defaults', () => {
    const errors = new InputErrors();
    const stored = storedCanary({ ...canary, cores: 64 });
    checkCanaryLimits(errors, stored, { ...limits, maxWalltimeSeconds: 300 });
    expect(errors.all.map(({ message }) => message)).toEqual([
      'limits.maxCores: 32 is not valid; must be at least 64, the cores of the canary jobs',
      'limits.maxWalltimeSeconds: 300 is not valid; must be at least 600, the walltimeSeconds of the canary jobs',
    ]);
  });
});
