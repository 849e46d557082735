/**
 * `npm run bench [-- NAME…] [--json FILE] [--full] [--brief]`: calibrates the machine, runs the named
 * benchmarks (all by default) and prints each figure next to its goal. Speed is never a test: the exit code
 * only says whether the benchmarks could run. `--workers`, `--running`, `--pending`, `--seconds` and
 * `--gateways` set the size of the benchmark `grid`.
 */
import { parseArgs } from 'node:util';
import { audit } from './audit.js';
import { broker } from './broker.js';
import { calibrate, calibrationRows } from './calibration.js';
import { deadlines } from './deadlines.js';
import { federatedRead } from './federated-read.js';
import { gateway } from './gateway.js';
import { grid } from './grid.js';
import { type GridScale, scaleOf, scaleOptions, scales } from './grid/scale.js';
import { live } from './live.js';
import { liveFaults } from './live-faults.js';
import { lives } from './lives.js';
import { loopDelay } from './loop-delay.js';
import { reloadBench } from './reload.js';
import { overload } from './overload.js';
import { type Row, table, writeJson } from './report.js';
import { submit } from './submit.js';
import { units } from './units/units.js';
import { workflow } from './workflow/workflow.js';
import { subscriptions } from './subscriptions.js';
import type { Bench } from './bench.types.js';

const benches: readonly Bench[] = [
  submit,
  lives,
  units,
  workflow,
  audit,
  broker,
  gateway,
  federatedRead,
  loopDelay,
  reloadBench,
  subscriptions,
  live,
  liveFaults,
  deadlines,
  overload,
  grid,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    full: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    workers: { type: 'string' },
    running: { type: 'string' },
    pending: { type: 'string' },
    seconds: { type: 'string' },
    gateways: { type: 'string' },
  },
});
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`bench: benchmark "${unknown[0]}" not found`);
  console.log(
    `npm run bench [-- NAME…] [--json FILE] [--full] [--brief]\n  grid also: ${scaleOptions.map((option) => `--${option} N`).join(' ')}\n${benches.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}

let size: GridScale;
try {
  size = scaleOf(scales[values.full ? 'full' : values.brief ? 'brief' : 'usual'], values);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(2);
}

// Only an exit lets the systems under test end with this process.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

const rows: Row[] = [];
const note = (text: string) => console.error(`bench:   ${text}`);
const named = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
console.error('bench: calibration: the machine, and mongod alone');
const machine = await calibrate({ seconds: values.full ? 10 : values.brief ? 2 : 4, progress: note });
rows.push(...calibrationRows(machine));
for (const bench of named) {
  console.error(`bench: ${bench.name}: ${bench.about}`);
  const { full, brief } = values;
  rows.push(...(await bench.run({ full, brief, machine, grid: size, progress: note })));
}
console.log(table(rows));
if (values.json) writeJson(values.json, rows);
