/** The fault story as a test, in the size of `npm test` and of `npm run soak`. */
import { expect, it } from '@jest/globals';
import { runStory, type StorySize } from './story.js';

/** Declares the test. @param timeoutMs of a story that takes longer than other tests may */
export function storyTest(name: string, size: StorySize, timeoutMs?: number): void {
  it(
    name,
    async () => {
      const { figures, faults, failures } = await runStory(size, (text) =>
        process.stderr.write(`story: ${text}\n`),
      );
      for (const { name: figure, value, unit } of figures)
        process.stderr.write(`measured: ${figure}: ${Math.round(value * 10) / 10} ${unit}\n`);
      expect(faults.slice(0, 10)).toEqual([]);
      expect(failures).toEqual([]);
    },
    timeoutMs,
  );
}
