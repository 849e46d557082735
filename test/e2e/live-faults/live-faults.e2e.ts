// Live state loses nothing: each client receives each change of each job once and in order, whichever process
// is killed.
import { expect, it } from '@jest/globals';
import { runStory } from './story.js';

it('delivers everything to over 200 clients while 5,000 jobs run and the gateway, core and the primary are killed', async () => {
  const size = { tasks: 18, jobsOfTask: 272, watchersOfTask: 8, singleJobs: 50, pilotJobs: 54 };
  const { figures, faults, failures } = await runStory(size, (text) =>
    process.stderr.write(`story: ${text}\n`),
  );
  for (const { name, value, unit } of figures)
    process.stderr.write(`measured: ${name}: ${Math.round(value * 10) / 10} ${unit}\n`);
  expect(faults.slice(0, 10)).toEqual([]);
  expect(failures).toEqual([]);
});
