import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fileRanges, type SplitFile, type SplitRule } from './file-ranges.js';
import { datasetSplits, type FileRange } from './task-dataset.types.js';

const files = fc
  .array(
    fc.record({
      sizeBytes: fc.nat(50),
      events: fc.option(fc.nat(20), { nil: undefined }),
      key: fc.constantFrom('a', 'b', 'c'),
    }),
    { maxLength: 60 },
  )
  .map((all) =>
    all.map(({ sizeBytes, events, key }, position): SplitFile => ({
      ...{ position, sizeBytes, key },
      ...(events === undefined ? {} : { events }),
    })),
  );
const rules: fc.Arbitrary<SplitRule> = fc.record({
  by: fc.constantFrom(...datasetSplits),
  perJob: fc.integer({ min: 1, max: 40 }),
  mostFiles: fc.integer({ min: 1, max: 10 }),
});

/** Files in the order in which the store gives them. */
const inOrder = (all: readonly SplitFile[], { by }: SplitRule): readonly SplitFile[] =>
  by === 'KEY'
    ? [...all].sort((a, b) => (a.key ?? '').localeCompare(b.key ?? '') || a.position - b.position)
    : all;

/** Files of a range, as the store finds them. */
const filesOf = ({ from, to, key }: FileRange, all: readonly SplitFile[]): readonly SplitFile[] =>
  all.filter(
    (file) => file.position >= from && file.position <= to && (key === undefined || file.key === key),
  );

async function rangesOf(all: readonly SplitFile[], rule: SplitRule): Promise<readonly FileRange[]> {
  const ranges: FileRange[] = [];
  for await (const range of fileRanges(inOrder(all, rule), rule)) ranges.push(range);
  return ranges;
}

describe('fileRanges', () => {
  it('has each file in one range', async () => {
    await fc.assert(
      fc.asyncProperty(files, rules, async (all, rule) => {
        const ranges = await rangesOf(all, rule);
        const positions = ranges.flatMap((range) => filesOf(range, all).map(({ position }) => position));
        expect([...positions].sort((a, b) => a - b)).toEqual(all.map(({ position }) => position));
        for (const range of ranges) expect(filesOf(range, all)).toHaveLength(range.files);
      }),
    );
  });

  it('exceeds the amount of a job only for a single file, and has no range that fits into the one before', async () => {
    const amount = (some: readonly SplitFile[], { by }: SplitRule): number =>
      some.reduce(
        (sum, { sizeBytes, events = 0 }) => sum + (by === 'EVENTS' ? events : by === 'BYTES' ? sizeBytes : 1),
        0,
      );
    await fc.assert(
      fc.asyncProperty(files, rules, async (all, rule) => {
        const ranges = (await rangesOf(all, rule)).map((range) => filesOf(range, all));
        for (const [at, some] of ranges.entries()) {
          expect(some.length).toBeLessThanOrEqual(rule.mostFiles);
          const before = ranges[at - 1];
          if (rule.by === 'KEY') {
            expect(new Set(some.map(({ key }) => key)).size).toBe(1);
            continue;
          }
          if (some.length > 1) expect(amount(some, rule)).toBeLessThanOrEqual(rule.perJob);
          if (before && before.length < rule.mostFiles)
            expect(amount([...before, ...some.slice(0, 1)], rule)).toBeGreaterThan(rule.perJob);
        }
      }),
    );
  });
});
