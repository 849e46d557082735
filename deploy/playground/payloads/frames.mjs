#!/usr/bin/env node
// Processes super time frames of a streaming detector: counts hits in each frame and says which frames were
// busy.
//
//   frames.mjs --run N --first-frame N --frames N [--occupancy 120] [--seed N] [--flaky-frame N]
//
// The job that processes the flaky frame fails with exit code 3 on its first attempt.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failFirstAttempts } from './lib/flakiness.mjs';
import { randomSource } from './lib/random.mjs';
import { fail, numberOption, workplace } from './lib/workplace.mjs';

function readOptions() {
  const names = ['run', 'first-frame', 'frames', 'occupancy', 'seed', 'flaky-frame'];
  let values;
  try {
    ({ values } = parseArgs({
      options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
    }));
  } catch (error) {
    fail(error.message);
  }
  const whole = (name, fallback, minimum, maximum) =>
    numberOption(name, values[name], { fallback, minimum, maximum, integer: true });
  const run = whole('run', 1, 1, 2 ** 31 - 1);
  return {
    run,
    firstFrame: whole('first-frame', 0, 0, 1e9),
    frames: whole('frames', 10, 1, 1e6),
    occupancy: whole('occupancy', 120, 1, 10_000),
    seed: whole('seed', run, 0, 0xffffffff),
    flakyFrame: whole('flaky-frame', -1, -1, 1e9),
  };
}

/** Hits in one frame: a Poisson number by the normal approximation, which is fine for the means used here. */
function hitsOf(frame, { occupancy, seed }) {
  const { normal } = randomSource((seed + frame * 7919) >>> 0);
  return Math.max(0, Math.round(occupancy + Math.sqrt(occupancy) * normal()));
}

const options = readOptions();
const { attempt, outputs } = workplace();
const last = options.firstFrame + options.frames - 1;
console.log(`run ${options.run}: super time frames ${options.firstFrame} to ${last}, attempt ${attempt}`);
if (options.flakyFrame >= options.firstFrame && options.flakyFrame <= last) failFirstAttempts(1, attempt);
const hits = Array.from({ length: options.frames }, (_, index) =>
  hitsOf(options.firstFrame + index, options),
);
const mean = hits.reduce((sum, n) => sum + n, 0) / hits.length;
const busy = hits.flatMap((n, index) =>
  n > options.occupancy + 2 * Math.sqrt(options.occupancy) ? [options.firstFrame + index] : [],
);
const result = {
  run: options.run,
  firstFrame: options.firstFrame,
  frames: options.frames,
  hits,
  meanHits: mean,
  busyFrames: busy,
};
writeFileSync(join(outputs, 'frames.json'), `${JSON.stringify(result)}\n`);
console.log(`${mean.toFixed(1)} hits a frame, ${busy.length} busy frames`);
