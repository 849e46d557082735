/** Load over a few connections, and what it cost the processes that bore it. */
import { measureCpu, quantile } from './cpu.js';

/** Cost of a load. */
export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
  /** CPU milliseconds a request, by process. */
  readonly cpuMs: Readonly<Record<string, number>>;
  /** All processes together. */
  readonly allMs: number;
}

/** Clients that wait for their answers, as many at once as there are connections. */
export const lanes = 16;

/**
 * Sends a number of requests.
 * @param pids processes whose CPU time is counted, by name
 * @param send sends the request with this number and waits for its answer
 */
export async function drive(
  pids: Readonly<Record<string, number>>,
  requests: number,
  send: (index: number) => Promise<unknown>,
): Promise<LoadResult> {
  let next = 0;
  const latencies: number[] = [];
  const lane = async () => {
    while (next < requests) {
      const index = next++;
      const asked = performance.now();
      await send(index);
      latencies.push(performance.now() - asked);
    }
  };
  const started = performance.now();
  const { cpu } = await measureCpu(pids, () => Promise.all(Array.from({ length: lanes }, lane)));
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = Object.fromEntries(
    Object.entries(cpu).map(([name, value]) => [name, (value / requests) * 1000]),
  );
  return {
    requestsPerSecond: requests / seconds,
    p99Ms: quantile(latencies, 0.99),
    cpuMs,
    allMs: Object.values(cpuMs).reduce((sum, value) => sum + value, 0),
  };
}
