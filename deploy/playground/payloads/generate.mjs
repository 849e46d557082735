#!/usr/bin/env node
// A toy Monte Carlo: Z bosons that decay into two muons, as a detector with a finite resolution measures
// them.
//
//   generate.mjs [--events 20000] [--seed N] [--resolution 0.012] [--momentum-scale 1.0] [--fail-attempts N]
//   [--output NAME]
//
// Writes the four-vectors of both muons of each event. The same seed gives the same file, byte for byte.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failFirstAttempts } from './lib/flakiness.mjs';
import { randomSource, seedOf } from './lib/random.mjs';
import { writeTable } from './lib/table-file.mjs';
import { fail, numberOption, workplace } from './lib/workplace.mjs';
import { zToMuons } from './lib/z-boson.mjs';

const COLUMNS = ['minus', 'plus'].flatMap((muon) => ['px', 'py', 'pz', 'e'].map((part) => `${muon}.${part}`));
const resolutionPerGev = 0.0001;

const text = { type: 'string' };

function readOptions(place) {
  const options = {
    events: text,
    seed: text,
    resolution: text,
    'momentum-scale': text,
    'fail-attempts': text,
    output: text,
  };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail(error.message);
  }
  const whole = (name, fallback, minimum, maximum) =>
    numberOption(name, values[name], { fallback, minimum, maximum, integer: true });
  return {
    events: whole('events', 20_000, 1, 5_000_000),
    seed: whole('seed', seedOf(place.jobId), 0, 0xffffffff),
    resolution: numberOption('resolution', values.resolution, { fallback: 0.012, minimum: 0, maximum: 0.2 }),
    momentumScale: numberOption('momentum-scale', values['momentum-scale'], {
      fallback: 1,
      minimum: 0.5,
      maximum: 2,
    }),
    failAttempts: whole('fail-attempts', 0, 0, 100),
    output: values.output ?? 'events.z4v',
  };
}

function generate({ events, seed, resolution, momentumScale }) {
  const random = randomSource(seed);
  const detector = { resolution, resolutionPerGeV: resolutionPerGev, momentumScale };
  const rows = new Float32Array(events * COLUMNS.length);
  const step = Math.max(1, Math.ceil(events / 5));
  for (let event = 0; event < events; event += 1) {
    rows.set(zToMuons(detector, random), event * COLUMNS.length);
    if ((event + 1) % step === 0 || event + 1 === events)
      console.log(`generated ${event + 1} of ${events} events`);
  }
  return rows;
}

const place = workplace();
const options = readOptions(place);
failFirstAttempts(options.failAttempts, place.attempt);
console.log(`seed ${options.seed}`);
console.log(
  `detector: momentum resolution ${(options.resolution * 100).toFixed(2)} % + ` +
    `${(resolutionPerGev * 100).toFixed(2)} % per GeV of transverse momentum, momentum scale ${options.momentumScale}`,
);
const rows = generate(options);
const { seed, events, resolution, momentumScale } = options;
const header = {
  format: 'z-four-vectors',
  version: 1,
  unit: 'GeV',
  columns: COLUMNS,
  seed,
  resolution,
  momentumScale,
};
const bytes = writeTable(join(place.outputs, options.output), header, rows);
console.log(`wrote ${options.output}: ${events} events, ${bytes} bytes`);
