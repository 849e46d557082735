#!/usr/bin/env node
// Reads the invariant masses that its parents left, fits the Z peak and writes the histogram as JSON and as a
// picture.
//
//   merge.mjs [--input FILE]… [--expected-peak 91.2] [--tolerance 0.5] [--fail-attempts N]
//
// Ends with exit code 2 when there is no peak to fit or the fitted one is not where it must be. The histogram
// is written in either case: it is what one wants to look at then.
import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failFirstAttempts } from './lib/flakiness.mjs';
import { fitPeak, histogram, noFit } from './lib/peak-fit.mjs';
import { drawHistogram } from './lib/picture.mjs';
import { readTable } from './lib/table-file.mjs';
import { fail, inputFiles, numberOption, workplace } from './lib/workplace.mjs';
import { zWidth } from './lib/z-boson.mjs';

const exitWrongPeak = 2;
const WINDOW = { low: 80, high: 102, bins: 44 };
const minEntries = 200;

function readOptions() {
  const text = { type: 'string' };
  const options = {
    input: { ...text, multiple: true },
    'expected-peak': text,
    tolerance: text,
    'fail-attempts': text,
  };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    fail(error.message);
  }
  const number = (name, fallback, minimum, maximum) =>
    numberOption(name, values[name], { fallback, minimum, maximum });
  return {
    inputs: values.input ?? [],
    expectedPeak: number('expected-peak', 91.2, 1, 1000),
    tolerance: number('tolerance', 0.5, 0, 100),
    failAttempts: number('fail-attempts', 0, 0, 100),
  };
}

function readMasses(paths) {
  const masses = [];
  const seeds = [];
  for (const path of paths) {
    const { header, rows } = readTable(path, 'z-masses');
    for (const mass of rows) masses.push(mass);
    seeds.push(...header.seeds);
    console.log(`read ${basename(path)}: ${rows.length} masses`);
  }
  return { masses, seeds };
}

/** Problem with the result, or undefined. */
function complaint(spectrum, fit, { expectedPeak, tolerance }) {
  if (spectrum.entries < minEntries) {
    return `only ${spectrum.entries} pairs lie in ${WINDOW.low} to ${WINDOW.high} GeV; the fit needs ${minEntries}`;
  }
  if (!fit.converged) return `the fit found no peak in ${WINDOW.low} to ${WINDOW.high} GeV`;
  if (Math.abs(fit.peak - expectedPeak) <= tolerance) return undefined;
  const found = `${fit.peak.toFixed(3)} ± ${fit.peakError.toFixed(3)} GeV`;
  return `the fitted peak is at ${found}, outside ${expectedPeak} ± ${tolerance} GeV: check the momentum scale`;
}

function report(spectrum, fit, verdict, { masses, seeds }, { expectedPeak, tolerance }) {
  const edges = spectrum.counts.map((_, bin) => spectrum.low + bin * spectrum.width);
  return {
    quantity: 'invariant mass of two muons',
    unit: 'GeV',
    pairs: masses.length,
    seeds,
    window: { low: spectrum.low, high: spectrum.high, bins: spectrum.bins, entries: spectrum.entries },
    bins: edges.map((low, bin) => ({
      low,
      high: low + spectrum.width,
      count: spectrum.counts[bin],
      error: Math.sqrt(spectrum.counts[bin]),
      fit: fit.expected[bin],
    })),
    fit: {
      model: 'Breit-Wigner convolved with a Gauss, width fixed',
      converged: fit.converged,
      peak: fit.peak,
      peakError: fit.peakError,
      width: fit.width,
      resolution: fit.resolution,
      resolutionError: fit.resolutionError,
      yield: fit.yield,
      chiSquare: fit.chiSquare,
      degreesOfFreedom: fit.degreesOfFreedom,
    },
    expected: { peak: expectedPeak, tolerance, met: verdict === undefined, problem: verdict ?? null },
  };
}

const place = workplace();
const options = readOptions();
failFirstAttempts(options.failAttempts, place.attempt);
const input = readMasses(inputFiles(options.inputs, '.zmm', place));
const spectrum = histogram(input.masses, WINDOW);
const fit = spectrum.entries < minEntries ? noFit(spectrum, zWidth) : fitPeak(spectrum, zWidth);
const verdict = complaint(spectrum, fit, options);
const result = report(spectrum, fit, verdict, input, options);
writeFileSync(join(place.outputs, 'histogram.json'), `${JSON.stringify(result, null, 2)}\n`);
writeFileSync(join(place.outputs, 'histogram.svg'), drawHistogram(result));
if (fit.converged)
  console.log(
    `fit: peak ${fit.peak.toFixed(3)} ± ${fit.peakError.toFixed(3)} GeV, resolution ${fit.resolution.toFixed(3)} ± ` +
      `${fit.resolutionError.toFixed(3)} GeV, chi-square ${fit.chiSquare.toFixed(1)} for ${fit.degreesOfFreedom} degrees of freedom`,
  );
console.log('wrote histogram.json and histogram.svg');
if (verdict !== undefined) fail(verdict, exitWrongPeak);
