#!/usr/bin/env node
// Reads the muons' four-vectors that its parents left and computes the invariant mass of each pair.
//
//   reconstruct.mjs [--input FILE]… [--fail-attempts N] [--output NAME]
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { failFirstAttempts } from './lib/flakiness.mjs';
import { readTable, writeTable } from './lib/table-file.mjs';
import { fail, inputFiles, numberOption, workplace } from './lib/workplace.mjs';
import { invariantMass } from './lib/z-boson.mjs';

function readOptions() {
  const text = { type: 'string' };
  try {
    return parseArgs({ options: { input: { ...text, multiple: true }, 'fail-attempts': text, output: text } })
      .values;
  } catch (error) {
    return fail(error.message);
  }
}

const place = workplace();
const values = readOptions();
const count = numberOption('fail-attempts', values['fail-attempts'], {
  fallback: 0,
  minimum: 0,
  maximum: 100,
  integer: true,
});
failFirstAttempts(count, place.attempt);

const masses = [];
const seeds = [];
for (const path of inputFiles(values.input ?? [], '.z4v', place)) {
  const { header, rows } = readTable(path, 'z-four-vectors');
  for (let at = 0; at < rows.length; at += header.columns.length) masses.push(invariantMass(rows, at));
  seeds.push(header.seed);
  console.log(`read ${basename(path)}: ${header.rows} events, seed ${header.seed}`);
}
const output = values.output ?? 'masses.zmm';
const header = { format: 'z-masses', version: 1, unit: 'GeV', columns: ['mass'], seeds };
const bytes = writeTable(join(place.outputs, output), header, Float32Array.from(masses));
console.log(`wrote ${output}: ${masses.length} invariant masses, ${bytes} bytes`);
