/** Time that core needs after its process was killed, until a grid is as before. */
import { setTimeout as delay } from 'node:timers/promises';
import type { BenchOptions } from '../bench.types.js';
import type { Row } from '../report.js';
import type { Generators } from './generators.js';
import { GridWorker } from './grid-worker.js';
import { gridQueue, type GridSystem } from './system.js';

const pollMs = 50;
/** Something that did not happen by then is broken, not slow. */
const giveUpMs = 600_000;

const leaseClock = /* GraphQL */ `
  {
    leaseClock {
      state
      workers
    }
  }
`;

interface LeaseClock {
  readonly leaseClock: { readonly state: string; readonly workers: number };
}

/** Seconds until a check succeeds; errors while core is away are no success. */
async function secondsUntil(since: number, what: string, check: () => Promise<boolean>): Promise<number> {
  for (;;) {
    if (await check().catch(() => false)) return (performance.now() - since) / 1000;
    if (performance.now() - since > giveUpMs) throw new Error(`${what}: not within ${giveUpMs / 1000} s`);
    await delay(pollMs);
  }
}

/** Kills core and starts it again. */
export async function measureTakeover(
  { admin, gateways, invite, restartCore }: GridSystem,
  generators: Generators,
  { grid: { workers }, progress }: BenchOptions,
): Promise<readonly Row[]> {
  const url = gateways[0]?.url ?? '';
  const world = { url, queue: gridQueue, capacity: 1, failed: () => undefined };
  const probe = await GridWorker.start(world, {
    name: 'grid-probe',
    code: await invite(),
    localAddress: '127.0.0.1',
  });
  const killed = performance.now();
  const restarted = restartCore();
  // Heartbeats count from now on.
  await generators.pace({ heartbeatSeconds: 60, livesPerSecond: 0 });
  const listens = restarted.then(() => (performance.now() - killed) / 1000);
  const places = secondsUntil(killed, 'the next job is placed', async () => probe.next());
  const knows = listens.then(() =>
    secondsUntil(killed, 'all leases are known', async () => {
      const { leaseClock: clock } = await admin.post<LeaseClock>(leaseClock);
      return clock.state === 'RUNNING' && clock.workers >= workers;
    }),
  );
  const inContact = secondsUntil(killed, 'all workers are in contact', async () => {
    const report = await generators.report();
    return report.inContact === report.workers;
  });
  const [ready, placed, known, contact] = await Promise.all([listens, places, knows, inContact]);
  probe.close();
  const { errors, failures } = await generators.report();
  progress(`core killed: ${failures} calls failed meanwhile; ${errors.join('; ')}`);
  const row = (what: string, value: number): Row => ({
    name: `grid: core killed, ${what}`,
    value,
    unit: 's',
  });
  return [
    row('until it is ready again', ready),
    { ...row('until the next job is placed', placed), goal: { value: 10, better: 'lower' } },
    row('until the leader knows all leases', known),
    row('until all workers are in contact', contact),
  ];
}
