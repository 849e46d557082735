/**
 * The scheduler: full passes over a synthetic site, explanations, single acquisitions at a steady rate
 * through the gateway, and the replay of a public trace compared with other placement rules.
 */
import {
  classIdOf,
  explainPending,
  GrantHistory,
  prepareClass,
  type StoredRequirements,
} from '@rhizome/core/scheduler';
import type { Bench } from './bench.types.js';
import { measureAcquire } from './broker-acquire.js';
import { measurePasses } from './broker-pass.js';
import { World } from './broker-world.js';
import type { Calibration } from './calibration.js';
import { quantile } from './cpu.js';
import { inLoops, scaledRate } from './loops.js';
import type { Row } from './report.js';
import { replayTraces } from './trace.js';

const explained = 20;

/** Cost of explaining a job that no worker can run, at full size. */
function measureExplanation(machine: Calibration): readonly Row[] {
  const world = new World({ workers: 20_000, classes: 10, pending: 1000 });
  const requirements: StoredRequirements = {
    cores: 32,
    memoryMiB: 100_000,
    diskMiB: 0,
    walltimeSeconds: 3600,
    network: false,
    gpu: {
      count: 8,
      models: ['A100'],
      cudaRuntime: '12.9',
      needsNewDriverFeature: true,
      minMemoryMiB: 81_920,
      ecc: true,
      sassTargets: [],
      ptxTargets: [],
      nvlink: false,
      optional: false,
    },
  };
  const classId = classIdOf(requirements);
  const job = {
    _id: 'job_1',
    state: 'ACTIVATED' as const,
    share: 'bench/default',
    owner: 'bench',
    priority: 0,
    classId,
    waitingFor: [],
  };
  const place = { position: 0, isPositionEstimated: false, inClass: 0 };
  const history = new GrantHistory();
  const times: number[] = [];
  for (let i = 0; i < explained; i += 1) {
    const { fleet, ledger } = world;
    const cls = prepareClass(classId, -1, requirements);
    const begun = performance.now();
    explainPending(job, cls, { fleet, ledger, history, nowMs: begun }, place);
    times.push(performance.now() - begun);
  }
  const name = 'job.pending, 20,000 workers of 70 shapes: p90 of an explanation';
  const p90 = quantile(times, 0.9);
  return [{ name, value: p90, unit: 'ms' }, inLoops({ name, ms: p90, most: 0.5 }, machine)];
}

/** The benchmark. */
export const broker: Bench = {
  name: 'broker',
  about:
    'full passes, explanations, single acquisitions at an even rate, replay of a trace compared with other rules',
  async run({ full, machine, progress }) {
    return [
      ...measurePasses(machine, progress),
      ...measureExplanation(machine),
      ...(await measureAcquire(
        { perSecond: scaledRate(1000, machine), seconds: full ? 30 : 10, workers: 64, gatherMs: 1000 },
        machine,
        progress,
      )),
      ...replayTraces(progress),
    ];
  },
};
