/** A federated read on MongoDB: pages of 20 jobs with what two experiments add to them, another page each time. */
import { type Api, connectApi } from './api.js';
import type { Bench } from './bin.js';
import { measureCpu, quantile } from './cpu.js';
import type { Row } from './report.js';
import { type Stack, startStack } from './stack.js';

const page = /* GraphQL */ `
  query BenchPage($after: String) {
    jobs(first: 20, after: $after, filter: { experiments: ["atlas", "epic"] }) {
      nodes {
        id
        state
        atlas {
          step
          firstEvent
        }
        epic {
          group {
            index
          }
        }
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`;
const atlasTask = `mutation { submitAtlasTask(input: { idempotencyKey: "bench", campaign: "mc23e", requestId: 1, physicsShort: "Zmumu", totalEvents: 200000, eventsPerJob: 200,
  transforms: [{ step: EVGEN, command: ["true"], output: "events" }] }) { task { id } userErrors { message } } }`;
const epicRun = `mutation { submitEpicRun(input: { idempotencyKey: "bench", runNumber: 1, detectorConfiguration: "epic_bench", superTimeFrames: 10000, framesPerGroup: 10, command: "true" }) { run { id } userErrors { message } } }`;
const connections = 16;

interface Page {
  readonly jobs: {
    readonly nodes: readonly unknown[];
    readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
  };
}

/** Submits 1,000 jobs of each experiment and collects the cursors of all pages. */
async function prepare(api: Api): Promise<readonly (string | null)[]> {
  await api.post(atlasTask);
  await api.post(epicRun);
  for (;;) {
    const cursors: (string | null)[] = [null];
    for (let more = true; more;) {
      const { jobs } = await api.post<Page>(page, { after: cursors.at(-1) });
      more = jobs.pageInfo.hasNextPage;
      if (more) cursors.push(jobs.pageInfo.endCursor);
    }
    if (cursors.length >= 100) return cursors;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function measure(
  stack: Stack,
  api: Api,
  cursors: readonly (string | null)[],
  requests: number,
  label: string,
): Promise<readonly Row[]> {
  let next = 0;
  const latencies: number[] = [];
  const lane = async () => {
    while (next < requests) {
      const after = cursors[(next++ * 37) % cursors.length];
      const asked = performance.now();
      await api.post<Page>(page, { after });
      latencies.push(performance.now() - asked);
    }
  };
  const started = performance.now();
  const { cpu } = await measureCpu(stack.pids, () => Promise.all(Array.from({ length: connections }, lane)));
  const seconds = (performance.now() - started) / 1000;
  const perRequest = (cpuSeconds: number) => (cpuSeconds / requests) * 1000;
  const nodes = Object.entries(cpu).filter(([name]) => name !== 'mongod');
  const all = Object.values(cpu).reduce((sum, value) => sum + value, 0);
  return [
    { name: `federated read, ${label}`, value: requests / seconds, unit: 'requests/s' },
    { name: `federated read, ${label}: p99`, value: quantile(latencies, 0.99), unit: 'ms' },
    ...nodes.map(([name, value]) => ({
      name: `federated read, ${label}: ${name}`,
      value: perRequest(value),
      unit: 'ms CPU/request',
    })),
    {
      name: `federated read, ${label}: mongod`,
      value: perRequest(cpu['mongod'] ?? 0),
      unit: 'ms CPU/request',
    },
    {
      name: `federated read, ${label}: all`,
      value: perRequest(all),
      unit: 'ms CPU/request',
      ...(label === 'in process' ? { goal: { value: 1.8, better: 'lower' as const } } : {}),
    },
  ];
}

/** The benchmark. */
export const federatedRead: Bench = {
  name: 'federated-read',
  about: '20 jobs × 2 experiments on MongoDB, another page each time',
  async run({ full, progress }) {
    const rows: Row[] = [];
    for (const transport of ['in-process', 'http'] as const) {
      const stack = await startStack({ transport });
      const api = connectApi(stack.url, stack.adminToken, connections);
      try {
        const cursors = await prepare(api);
        progress(`${transport}: ${cursors.length} pages`);
        await measure(stack, api, cursors, 1_000, 'warm-up');
        rows.push(
          ...(await measure(
            stack,
            api,
            cursors,
            full ? 20_000 : 5_000,
            transport === 'in-process' ? 'in process' : 'over HTTP',
          )),
        );
      } finally {
        await api.close();
        await stack.stop();
      }
    }
    return rows;
  },
};
