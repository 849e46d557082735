/** Cost of the audit log: submit and job cycles with it and without it, in one run. */
import type { Bench } from './bench.types.js';
import { lives } from './lives.js';
import type { Row } from './report.js';
import { submit } from './submit.js';

/** Variable of the playground that switches the log off. */
const variable = 'RHIZOME_PLAYGROUND_AUDIT';
/** Largest part of the speed that the log may cost. */
const mostCost = 0.05;

/** The benchmark. */
export const audit: Bench = {
  name: 'audit',
  about: 'submit and job cycles with and without the audit log',
  async run(options) {
    const rows: Row[] = [];
    for (const bench of [submit, lives]) {
      const without = speedsOf(await withMode('off', () => bench.run(options)));
      const recorded = speedsOf(await withMode('on', () => bench.run(options)));
      for (const [name, value] of recorded) {
        const bare = without.get(name) ?? value;
        rows.push(
          { name: `${name}, with the audit log`, value, unit: 'jobs/s' },
          { name: `${name}, without`, value: bare, unit: 'jobs/s' },
          {
            name: `${name}: cost of the audit log`,
            value: (1 - value / bare) * 100,
            unit: '%',
            goal: { value: mostCost * 100, better: 'lower' },
          },
        );
      }
    }
    return rows;
  },
};

/** The rows with a speed. */
function speedsOf(rows: readonly Row[]): ReadonlyMap<string, number> {
  return new Map(rows.filter(({ unit }) => unit === 'jobs/s').map(({ name, value }) => [name, value]));
}

/** Runs with the variable set; the playground is a process that inherits it. */
async function withMode<T>(mode: string, run: () => Promise<T>): Promise<T> {
  process.env[variable] = mode;
  try {
    return await run();
  } finally {
    delete process.env[variable];
  }
}
