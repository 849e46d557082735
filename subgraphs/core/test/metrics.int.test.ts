/** Metrics of a core process, after jobs have run in it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { liveCore, registerWorker, report, runningJobs } from './support/live-core.fixture.js';

const page = readFileSync(new URL('../../../../../docs/reference/core-metrics.md', import.meta.url), 'utf8');
const live = liveCore();

/** Value of a metric with these labels; undefined if there is none. */
async function valueOf(
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const metrics = await live.core.core.metrics.registry.getMetricsAsJSON();
  const values = metrics
    .flatMap(({ values: found }) => found as unknown as Value[])
    .filter(
      (one) =>
        one.metricName === name &&
        Object.entries(labels).every(([label, value]) => one.labels[label] === value),
    );
  const plain = metrics.find((one) => one.name === name)?.values as unknown as Value[] | undefined;
  const found =
    values[0] ?? plain?.find((one) => Object.entries(labels).every(([l, v]) => one.labels[l] === v));
  return found?.value;
}

interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

describe('CoreMetrics', () => {
  it('has the names, types and labels of the reference, and no others', async () => {
    const worker = await registerWorker(live.core, 'w');
    const [job] = await runningJobs(live.core, worker, [{}]);
    await report(live.core, 'startJobs', worker, { ...job, phase: 'RUNNING' });
    await live.core.ask(
      'mutation { createWorkPool(input: { experiment: "alpha", name: "measured" }) { pool { id } } }',
    );
    const metrics = await live.core.core.metrics.registry.getMetricsAsJSON();
    const served = metrics.map(({ name, type, values }) => {
      const found = values as unknown as Value[];
      const labels = new Set(
        found.flatMap((one) => Object.keys(one.labels)).filter((label) => label !== 'le'),
      );
      return `${name} ${type} ${[...labels].sort().join(' ')}`.trim();
    });
    const listed = [...page.matchAll(/^\| `(rhizome_core_\w+)` *\| (\w+) *\|([^|]*)\|/gm)].map(
      ([, name = '', type = '', labels = '']) =>
        `${name} ${type} ${[...labels.matchAll(/\w+/g)]
          .map(([label]) => label)
          .sort()
          .join(' ')}`.trim(),
    );
    expect(served.sort()).toEqual(listed.sort());
  });

  it('counts grants, transitions, calls of the store and events', async () => {
    const worker = await registerWorker(live.core, 'w');
    const [done, failed] = await runningJobs(live.core, worker, [{}, { retry: { maxAttempts: 1 } }]);
    for (const job of [done, failed])
      await report(live.core, 'startJobs', worker, { ...job, phase: 'RUNNING' });
    await report(live.core, 'finishJobs', worker, { ...done });
    const error = { family: 'PAYLOAD', code: 'EXIT_CODE', message: 'exit code 1' };
    await report(live.core, 'failJobs', worker, { ...failed, exit: { code: 1 }, error });
    expect(await valueOf('rhizome_core_transitions_total', { from: 'RUNNING', to: 'FINISHED' })).toBe(1);
    expect(await valueOf('rhizome_core_transitions_total', { from: 'ACTIVATED', to: 'SENT' })).toBe(2);
    expect(await valueOf('rhizome_core_grants_total')).toBe(2);
    expect(await valueOf('rhizome_core_grant_seconds_count')).toBeGreaterThan(0);
    expect(await valueOf('rhizome_core_pass_seconds_count')).toBeGreaterThan(0);
    const writes = { operation: 'write_transitions', outcome: 'answered' };
    expect(await valueOf('rhizome_core_store_seconds_count', writes)).toBeGreaterThan(0);
    expect(await valueOf('rhizome_core_leader')).toBe(1);
    expect(await valueOf('rhizome_core_workers', { state: 'READY' })).toBe(1);
    expect(await valueOf('rhizome_core_workers', { state: 'UNREACHABLE' })).toBe(0);
    expect(await valueOf('rhizome_core_lease_losses_total', { outcome: 'lost' })).toBe(0);
    const finished = { experiment: 'alpha', state: 'FINISHED' };
    await waitFor('the events', async () => (await valueOf('rhizome_core_jobs', finished)) === 1, {
      deadlineMs: 60_000,
    });
    expect(await valueOf('rhizome_core_stream_lag_seconds_count')).toBeGreaterThan(0);
    await waitFor(
      'a running lease clock',
      async () => (await valueOf('rhizome_core_lease_clock_state', { state: 'RUNNING' })) === 1,
      { deadlineMs: 60_000 },
    );
    expect(await valueOf('rhizome_core_lease_clock_state', { state: 'STOPPED' })).toBe(0);
  });
});
