/** The processes whose workers make up the grid. */
import { type AskedProcess, startProcess } from '../live/processes.js';
import type { GeneratorReport, PaceQuestion, StartQuestion } from './generator-process.js';
import { Latencies } from './latencies.js';
import { type GridScale, jobsPerWorker, workersPerProcess } from './scale.js';

/** Workers of one process. */
export interface Part {
  readonly first: number;
  readonly workers: number;
  /** Number of the gateway that they use. */
  readonly gateway: number;
}

/** Divides the workers among gateways, and those of a gateway among processes. */
export function partsOf({ workers, gateways }: Pick<GridScale, 'workers' | 'gateways'>): readonly Part[] {
  const parts: Part[] = [];
  for (let gateway = 0, first = 0; gateway < gateways; gateway += 1) {
    const end = Math.round((workers * (gateway + 1)) / gateways);
    for (; first < end; first += workersPerProcess)
      parts.push({ first, workers: Math.min(workersPerProcess, end - first), gateway });
    first = end;
  }
  return parts;
}

/** Work of all workers since the last change of the pace. */
export interface GridReport extends Omit<GeneratorReport, 'heartbeats'> {
  readonly heartbeats: Latencies;
}

/** All workers. */
export interface Generators {
  /** Workers by process. */
  readonly parts: readonly Part[];
  /** Starts all workers. @param of the gateway and the invitation of a part, which has a number */
  start(
    common: Pick<StartQuestion, 'queue'>,
    of: (part: Part, at: number) => Pick<StartQuestion, 'url' | 'code'>,
  ): Promise<void>;
  pace(pace: PaceQuestion): Promise<void>;
  report(): Promise<GridReport>;
  stop(): Promise<void>;
}

/** Starts the processes, without workers. */
export function startGenerators(scale: GridScale): Generators {
  const parts = partsOf(scale);
  const processes = parts.map((part) => ({ part, process: startProcess('../grid/generator-process') }));
  const all = <T>(
    ask: (process: AskedProcess, part: Part, at: number) => Promise<T>,
  ): Promise<readonly T[]> => Promise.all(processes.map(({ process, part }, at) => ask(process, part, at)));
  return {
    parts,
    async start(common, of) {
      const capacity = jobsPerWorker(scale);
      await all((process, part, at) => {
        const { first, workers } = part;
        return process.ask({ start: { ...common, ...of(part, at), first, workers, capacity } });
      });
    },
    async pace({ heartbeatSeconds, livesPerSecond }) {
      await all((process, { workers }) =>
        process.ask({
          pace: { heartbeatSeconds, livesPerSecond: (livesPerSecond * workers) / scale.workers },
        }),
      );
    },
    report: async () => together(await all((process) => process.ask<GeneratorReport>({ report: {} }))),
    stop: async () => void (await all((process) => process.stop())),
  };
}

function together(reports: readonly GeneratorReport[]): GridReport {
  const heartbeats = new Latencies();
  for (const report of reports) heartbeats.add(report.heartbeats);
  const sum = (name: 'workers' | 'running' | 'inContact' | 'failures' | 'lives' | 'renewals'): number =>
    reports.reduce((total, report) => total + report[name], 0);
  return {
    workers: sum('workers'),
    running: sum('running'),
    inContact: sum('inContact'),
    failures: sum('failures'),
    lives: sum('lives'),
    renewals: sum('renewals'),
    heartbeats,
    errors: reports.flatMap(({ errors }) => errors),
  };
}
