import { beforeAll, describe, expect, it } from '@jest/globals';
import { brokenPromises, type CheckName, type Finding, promises } from '@rhizome/testkit';
import type { Defect } from './defect.types.js';
import { domainDefects } from './domain-defects.fixture.js';
import { domainStory } from './domain-story.fixture.js';
import { fleetDefects, fleetStory, streamStory } from './fleet-defects.fixture.js';
import { writerDefects } from './writer-defects.fixture.js';
import { writerStory } from './writer-story.fixture.js';

const defects: readonly Defect[] = [...writerDefects, ...domainDefects, ...fleetDefects];

const stories = [
  ['transitions', () => writerStory()],
  [
    'submits, tasks and dependencies',
    () => domainStory(['submit', 'dependencies', 'task', 'cancel', 'retry']),
  ],
  ['workers', () => fleetStory()],
  ['streams', () => streamStory()],
] as const;

const linesOf = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ check, fact }) => `${check}: ${fact}`);

/** Findings by the name of the defect, or the error of its story. */
const results = new Map<string, readonly string[] | Error>();
/** Stories that run at a time: they wait for the store most of the time. */
const atATime = 4;

beforeAll(async () => {
  const open = defects.values();
  const work = async (): Promise<void> => {
    for (const { name, run } of open)
      results.set(
        name,
        await run()
          .then(brokenPromises)
          .then(linesOf)
          .catch((error: unknown) => error as Error),
      );
  };
  await Promise.all(Array.from({ length: atATime }, work));
});

describe('the checker of histories', () => {
  it.each(stories)('finds nothing wrong with a story of %s', async (_what, story) => {
    expect(linesOf(await brokenPromises(await story()))).toEqual([]);
  });

  it.each(defects)('notices a core that $name', ({ name, check }) => {
    expect(results.get(name)).toEqual(expect.arrayContaining([expect.stringMatching(`^${check}: `)]));
  });

  it('is tested with at least 20 defects of different names, and with one for each check', () => {
    expect(new Set(defects.map(({ name }) => name)).size).toBe(defects.length);
    expect(defects.length).toBeGreaterThanOrEqual(20);
    const checks = Object.values(promises).flatMap((ofPromise) => Object.keys(ofPromise) as CheckName[]);
    const seeded = new Set(defects.map(({ check }) => check));
    expect(checks.filter((check) => !seeded.has(check))).toEqual([]);
    expect(new Set(checks).size).toBe(checks.length);
  });
});
