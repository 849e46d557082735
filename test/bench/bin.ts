/**
 * `npm run bench [-- NAME…] [--json FILE] [--full] [--brief]`: runs the named benchmarks (all by default), prints each table with the goals of the plan
 * beside the figures. Speed is never a test: the exit code tells only whether the benchmarks could run.
 */
import { parseArgs } from 'node:util';
import { broker } from './broker.js';
import { federatedRead } from './federated-read.js';
import { gateway } from './gateway.js';
import { live } from './live.js';
import { liveFaults } from './live-faults.js';
import { lives } from './lives.js';
import { loopDelay } from './loop-delay.js';
import { reloadBench } from './reload.js';
import { type Row, table, writeJson } from './report.js';
import { submit } from './submit.js';
import { subscriptions } from './subscriptions.js';

/** One benchmark. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  run(options: {
    /** At the largest size. */
    readonly full: boolean;
    /** For a short time, where it can be: figures for work on the code, not for reports. */
    readonly brief: boolean;
    progress(text: string): void;
  }): Promise<readonly Row[]>;
}

const benches: readonly Bench[] = [
  submit,
  lives,
  broker,
  gateway,
  federatedRead,
  loopDelay,
  reloadBench,
  subscriptions,
  live,
  liveFaults,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    full: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`bench: there is no benchmark "${unknown[0]}"`);
  console.log(
    `npm run bench [-- NAME…] [--json FILE] [--full] [--brief]\n${benches.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join('\n')}`,
  );
  process.exit(unknown.length > 0 ? 2 : 0);
}

const rows: Row[] = [];
for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  console.error(`bench: ${bench.name}: ${bench.about}`);
  rows.push(
    ...(await bench.run({
      full: values.full,
      brief: values.brief,
      progress: (text) => console.error(`bench:   ${text}`),
    })),
  );
}
console.log(table(rows));
if (values.json) writeJson(values.json, rows);
