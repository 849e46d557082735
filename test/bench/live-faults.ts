/**
 * The fault story of live state in its full size: 20,000 jobs under watching clients, with everything killed
 * once.
 */
import { leftovers } from '@rhizome/testkit';
import { runStory } from '../e2e/live-faults/story.js';
import type { Bench } from './bench.types.js';

const size = { tasks: 36, jobsOfTask: 550, watchersOfTask: 6, singleJobs: 100, pilotJobs: 100 };

/** The benchmark. It fails if a client received something wrong. */
export const liveFaults: Bench = {
  name: 'live-faults',
  about: '20,000 jobs under over 400 watching clients while the gateway, core and the primary are killed',
  async run({ progress }) {
    try {
      const { figures, faults, failures } = await runStory(size, progress);
      const wrong = [...faults, ...failures];
      if (wrong.length > 0) throw new Error(`${wrong.length} faults:\n${wrong.slice(0, 20).join('\n')}`);
      const rows = figures.map(({ name, value, unit }) => ({ name: `live-faults: ${name}`, value, unit }));
      return [
        ...rows,
        { name: 'live-faults: faults', value: 0, unit: '', goal: { value: 0, better: 'lower' } },
      ];
    } finally {
      await leftovers.disposeAll();
    }
  },
};
