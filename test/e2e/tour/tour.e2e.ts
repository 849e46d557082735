// What a newcomer sees: one command, real work of two experiments on real pilots, a fitted peak, and an exit
// code.
import { stat } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { dataFolder, spawnPlayground } from '../system/playground-system.js';
import { tourStories } from './tour.stories.js';

// 2009 quanta in 62 jobs.
tourStories('in-process', 41);

describe('the command line of the playground', () => {
  it.each([
    [['--port', '70000'], /--port: must be a whole number from 0 to 65535/],
    [['--pilots', 'two'], /--pilots: must be a whole number from 0 to 64/],
    [['--transport', 'pigeon'], /Allowed choices are in-process, http/],
    [['--once', '--no-tour'], /--once stops after the tour, so it cannot be combined with --no-tour/],
    [['--pilots', '0'], /--pilots 0 runs no jobs, so the tour would never end/],
    [['--gpus', 'real'], /Allowed choices are simulated, host/],
    [['--colour'], /unknown option '--colour'/],
  ])('rejects %j with the accepted values, and starts nothing', async (args, message) => {
    const data = await dataFolder();
    const playground = spawnPlayground('playground', ['--data', data, ...args]);
    expect(await playground.exited).toMatchObject({ code: 1 });
    expect(playground.stderr.join('\n')).toMatch(message);
    await expect(stat(data)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
