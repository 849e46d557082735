import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assertKey } from '@rhizome/storage';
import {
  mayRead,
  outputKey,
  ownerSegment,
  ownPrefix,
  placeOf,
  problemOfInput,
  storageForOutputs,
  type StorageFacts,
} from './places.js';

const storage = (over: Partial<StorageFacts> = {}): StorageFacts => ({
  ...{ _id: 'site', provider: 'FOLDER', address: 'https://files.test' },
  ...{ experiments: [], queues: [], isDefault: true, sharedPrefixes: [] },
  ...over,
});
const xrootd = storage({ _id: 'eos', provider: 'XROOTD', address: 'root://eos.test//store/' });
const ada = { experiment: 'alpha', owner: 'ada@lab.test' };

describe('ownerSegment', () => {
  it('is one part of a key, different for different owners', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (one, other) => {
        const segments = [ownerSegment(one), ownerSegment(other)];
        expect(segments[0] === segments[1]).toBe(one === other);
        for (const segment of segments) {
          expect(segment).not.toContain('/');
          expect(() => assertKey(segment)).not.toThrow();
        }
      }),
      { numRuns: 500 },
    );
  });

  it('keeps plain subjects, and no subject is taken for the shared folder', () => {
    expect(ownerSegment('ada@lab.test')).toBe('ada@lab.test');
    expect(ownerSegment('https://login.test|42')).toBe('https=3A=2F=2Flogin.test=7C42');
    expect(ownerSegment('shared')).not.toBe('shared');
    expect(ownerSegment('=73hared')).not.toBe(ownerSegment('shared'));
    expect(ownerSegment('..')).toBe('=2E.');
  });

  it('shortens long subjects, so that they fit into a name of a file', () => {
    const long = 'x'.repeat(254);
    expect(ownerSegment(`${long}a`).length).toBeLessThan(150);
    expect(ownerSegment(`${long}a`)).not.toBe(ownerSegment(`${long}b`));
  });
});

describe('placeOf', () => {
  it.each([
    ['rhizome://site/alpha/shared/a b.root', 'site', 'alpha/shared/a b.root'],
    ['root://eos.test//store/alpha/shared/a', 'eos', 'alpha/shared/a'],
    ['ROOT://EOS.test:1094//store/alpha/shared/a', 'eos', 'alpha/shared/a'],
    ['xroot://eos.test//store/alpha/shared/a', 'eos', 'alpha/shared/a'],
  ])('finds %s', (location, name, key) => {
    expect(placeOf(location, [storage(), xrootd])).toMatchObject({ storage: { _id: name }, key });
  });

  it.each([
    ['rhizome://other/alpha/a', 'a storage of the experiment: eos, site'],
    ['rhizome://site', 'valid key'],
    ['rhizome://site/', 'valid key'],
    ['rhizome://site/alpha/../beta/a', 'valid key'],
    ['rhizome://site//etc/passwd', 'valid key'],
    ['rhizome://site/alpha\u2215ada/a', 'valid key'],
    [`rhizome://site/${'a/'.repeat(600)}b`, 'valid key'],
    ['root://other.test//store/a', 'below the address of a storage'],
    ['root://eos.test//storehouse/a', 'below the address of a storage'],
    ['roots://eos.test//store/a', 'below the address of a storage'],
    ['root://eos.test:1095//store/a', 'below the address of a storage'],
    ['root://eos.test//store/../private/a', 'valid key'],
  ])('refuses %s', (location, expected) => {
    expect(placeOf(location, [storage(), xrootd])).toEqual({ expected: expect.stringContaining(expected) });
  });
});

describe('problemOfInput', () => {
  const shared = storage({ sharedPrefixes: ['calibration/'] });
  it.each([
    'alpha/ada@lab.test/jobs/job_1/3/hist.root',
    'alpha/ada@lab.test/x',
    'alpha/shared/x',
    'calibration/2026/x',
  ])('permits %s', (key) => {
    expect(problemOfInput(ada, `rhizome://site/${key}`, [shared])).toBeUndefined();
  });

  it.each([
    'alpha/bob@lab.test/x',
    'alpha/ada@lab.testx/x',
    'alpha/ada@lab.test',
    'alpha/sharing/x',
    'beta/shared/x',
    'beta/ada@lab.test/x',
    'calibrations/x',
  ])('refuses %s, and names places that are permitted', (key) => {
    expect(problemOfInput(ada, `rhizome://site/${key}`, [shared])).toContain(
      'rhizome://site/alpha/ada@lab.test/ or rhizome://site/alpha/shared/ or rhizome://site/calibration/',
    );
  });

  it('refuses storages of other experiments', () => {
    const other = storage({ experiments: ['beta'] });
    const place = { storage: other, key: `${ownPrefix(ada)}x` };
    expect(mayRead(ada, place)).toBe(false);
  });
});

describe('outputKey', () => {
  it('contains experiment, owner, job and fence', () => {
    expect(outputKey(ada, { jobId: 'job_1', fence: 7 }, 'hist.root')).toBe(
      'alpha/ada@lab.test/jobs/job_1/7/hist.root',
    );
  });
});

describe('storageForOutputs', () => {
  it('prefers a storage for the queue, then one for the experiment, then the first by name', () => {
    const all = storage({ _id: 'all' });
    const ofExperiment = storage({ _id: 'of-experiment', experiments: ['alpha'] });
    const near = storage({ _id: 'near', queues: ['north'] });
    const storages = [all, storage({ _id: 'b-all' }), ofExperiment, near];
    const chosen = (experiment: string, queue: string): string | undefined =>
      storageForOutputs(storages, experiment, queue)?._id;
    expect(chosen('alpha', 'north')).toBe('near');
    expect(chosen('alpha', 'south')).toBe('of-experiment');
    expect(chosen('beta', 'south')).toBe('all');
    expect(storageForOutputs([storage({ isDefault: false })], 'alpha', 'north')).toBeUndefined();
  });
});
