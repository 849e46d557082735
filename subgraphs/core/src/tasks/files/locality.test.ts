import { describe, expect, it } from '@jest/globals';
import { normaliseRequirements } from '../../jobs/submit/normalise.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import { type LocatedFile, nearSites, nearTo } from './locality.js';

const sites: Readonly<Record<string, string>> = { east: 'BNL', 'east-2': 'BNL', west: 'CERN', far: 'Pole' };
const siteOf = (storage: string): string | undefined => sites[storage];
const file = (sizeBytes: number, ...storages: readonly string[]): LocatedFile => ({
  sizeBytes,
  replicas: storages.map((storage) => ({ storage, state: 'AVAILABLE' as const })),
});

describe('nearSites', () => {
  it('returns the site with the most bytes, each file once', () => {
    expect(nearSites([file(10, 'east', 'east-2'), file(15, 'west')], siteOf)).toEqual(['CERN']);
  });

  it('returns all sites with the same bytes, in order', () => {
    expect(nearSites([file(10, 'west', 'east'), file(5, 'east', 'west'), file(2, 'far')], siteOf)).toEqual([
      'BNL',
      'CERN',
    ]);
  });

  it('returns none for copies that are not available, or whose site is unknown', () => {
    const lost = { sizeBytes: 1, replicas: [{ storage: 'east', state: 'LOST' as const }] };
    const outside = { sizeBytes: 1, replicas: [{ state: 'AVAILABLE' as const }] };
    expect(nearSites([lost, outside, file(3, 'nowhere')], siteOf)).toEqual([]);
  });
});

describe('nearTo', () => {
  const requirements = normaliseRequirements({
    preferences: [
      { expression: 'worker.cpuVendor == "AMD"', weight: 20 },
      { expression: 'queue.name == "a"', weight: 5 },
    ],
  });
  const given = { requirements, classId: classIdOf(requirements) };

  it('adds a preference in the order of weights, which gives a class of its own', () => {
    const near = nearTo(given, ['BNL', 'a "b"'], 10);
    expect(near.requirements.preferences?.map(({ weight }) => weight)).toEqual([20, 10, 5]);
    expect(near.classId).toBe(classIdOf(near.requirements));
    expect(near.classId).not.toBe(given.classId);
  });
});
