/**
 * A federated read on MongoDB: pages of 20 jobs with the fields of two experiments. In process; over HTTP,
 * compared with `@apollo/gateway` on the same subgraphs; and a page with all stored fields of a job, to show
 * that only selected fields are read.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { startPeer } from './gateway/peer.js';
import { drive, lanes, type LoadResult } from './load.js';
import { inLoops } from './loops.js';
import type { Row } from './report.js';
import { type Stack, startStack } from './stack.js';

const pageOf = (fields: string): string => /* GraphQL */ `
  query BenchPage($after: String) {
    jobs(first: 20, after: $after, filter: { experiments: ["atlas", "epic"] }) {
      nodes { id state ${fields} atlas { step firstEvent } epic { group { index } } }
      pageInfo { endCursor hasNextPage }
    }
  }
`;
const page = pageOf('');
const widePage = pageOf(
  'name owner { subject } priority labels { key value } requirements { cores memoryMiB } payload { command arguments outputs } retry { maxAttempts } stateTimes { state at } transitions { to at } createdAt updatedAt revision',
);
const atlasTask = `mutation { submitAtlasTask(input: { idempotencyKey: "bench", campaign: "mc23e", requestId: 1, physicsShort: "Zmumu", totalEvents: 200000, eventsPerJob: 200,
  transforms: [{ step: EVGEN, command: ["true"], output: "events" }] }) { task { id } userErrors { message } } }`;
const epicRun = `mutation { submitEpicRun(input: { idempotencyKey: "bench", runNumber: 1, detectorConfiguration: "epic_bench", superTimeFrames: 10000, framesPerGroup: 10, command: "true" }) { run { id } userErrors { message } } }`;
/** Requests until the code is what it stays. */
const warmUp = 2_500;
/**
 * Experiments believe of a task that it is not theirs once it is ten seconds old: pages of such tasks are
 * what people read.
 */
const settledMs = 11_000;

interface Page {
  readonly jobs: {
    readonly nodes: readonly { readonly atlas: unknown; readonly epic: unknown }[];
    readonly pageInfo: { readonly endCursor: string | null; readonly hasNextPage: boolean };
  };
}

type Cursors = readonly (string | null)[];

/** Submits 1,000 jobs of each experiment and collects the cursors of all pages. */
async function prepare(api: Api): Promise<Cursors> {
  await api.post(atlasTask);
  await api.post(epicRun);
  const settled = performance.now() + settledMs;
  for (;;) {
    const cursors: (string | null)[] = [null];
    for (let more = true; more;) {
      const { jobs } = await api.post<Page>(page, { after: cursors.at(-1) });
      more = jobs.pageInfo.hasNextPage;
      if (more) cursors.push(jobs.pageInfo.endCursor);
    }
    if (cursors.length >= 100 && performance.now() > settled) return cursors;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** A fast wrong answer is none. */
async function check(api: Api, label: string): Promise<void> {
  const { jobs } = await api.post<Page>(page, { after: null });
  const right =
    jobs.nodes.length === 20 && jobs.nodes.every(({ atlas, epic }) => (atlas === null) !== (epic === null));
  if (!right) throw new Error(`${label} answers wrongly: ${JSON.stringify(jobs).slice(0, 300)}`);
}

interface Measured extends LoadResult {
  /** Kilobytes that the store sent, a request. */
  readonly storeKB: number;
}

async function measure(
  stack: Pick<Stack, 'pids' | 'storeBytes'>,
  api: Api,
  cursors: Cursors,
  { requests, query = page, label }: { requests: number; query?: string; label: string },
): Promise<Measured> {
  await check(api, label);
  const send = (index: number) => api.post(query, { after: cursors[(index * 37) % cursors.length] });
  await drive(stack.pids, warmUp, send);
  const before = await stack.storeBytes();
  const load = await drive(stack.pids, requests, send);
  return { ...load, storeKB: ((await stack.storeBytes()) - before) / requests / 1000 };
}

function rowsOf(label: string, load: Measured): readonly Row[] {
  const name = `federated read, ${label}`;
  return [
    { name, value: load.requestsPerSecond, unit: 'requests/s' },
    { name: `${name}: p99`, value: load.p99Ms, unit: 'ms' },
    ...Object.entries(load.cpuMs).map(([process, value]) => ({
      name: `${name}: ${process}`,
      value,
      unit: 'ms CPU/request',
    })),
    { name: `${name}: all`, value: load.allMs, unit: 'ms CPU/request' },
    { name: `${name}: sent by the store`, value: load.storeKB, unit: 'kB/request' },
  ];
}

async function inProcess(requests: number, machine: Calibration): Promise<readonly Row[]> {
  const stack = await startStack({ transport: 'in-process' });
  const api = connectApi(stack.url, stack.adminToken, lanes);
  try {
    const cursors = await prepare(api);
    const label = 'in process';
    const narrow = await measure(stack, api, cursors, { requests, label });
    const wide = await measure(stack, api, cursors, { requests: requests / 2, query: widePage, label });
    return [
      ...rowsOf(label, narrow),
      // 1.8 ms a request where the loop takes 100 ms.
      inLoops(
        { name: `federated read, ${label}: all`, ms: narrow.allMs * 1000, most: 18, operations: 1000 },
        machine,
      ),
      ...rowsOf('in process, all that is stored', wide),
    ];
  } finally {
    await api.close();
    await stack.stop();
  }
}

async function overHttp(requests: number, progress: (text: string) => void): Promise<readonly Row[]> {
  const stack = await startStack({ transport: 'http' });
  const folder = mkdtempSync(join(tmpdir(), 'rhizome-bench-peer-'));
  const api = connectApi(stack.url, stack.adminToken, lanes);
  const stopping: (() => Promise<unknown>)[] = [];
  try {
    const cursors = await prepare(api);
    const ours = await measure(stack, api, cursors, { requests, label: 'over HTTP' });
    const { schemaVersion } = await api.post<{ schemaVersion: { supergraphSdl: string } }>(
      '{ schemaVersion { supergraphSdl } }',
    );
    const supergraph = join(folder, 'supergraph.graphql');
    writeFileSync(supergraph, schemaVersion.supergraphSdl);
    const peer = await startPeer(supergraph, progress);
    stopping.push(() => peer.stop());
    const peerApi = connectApi(peer.url, stack.adminToken, lanes);
    stopping.unshift(() => peerApi.close());
    const measured = { ...stack, pids: { ...stack.pids, gateway: peer.pid } };
    const label = 'over HTTP by @apollo/gateway';
    const theirs = await measure(measured, peerApi, cursors, { requests: requests / 2, label });
    const times = (of: (load: Measured) => number) => of(theirs) / of(ours);
    return [
      ...rowsOf('over HTTP', ours),
      ...rowsOf(label, theirs),
      {
        name: 'federated read, over HTTP: @apollo/gateway compared with Rhizome, gateways alone',
        value: times(({ cpuMs }) => cpuMs['gateway'] ?? Number.NaN),
        unit: '× CPU',
      },
      {
        name: 'federated read, over HTTP: @apollo/gateway compared with Rhizome, all processes',
        value: times(({ allMs }) => allMs),
        unit: '× CPU',
        goal: { value: 1.7, better: 'higher' },
      },
    ];
  } finally {
    for (const stop of stopping) await stop();
    await api.close();
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The benchmark. */
export const federatedRead: Bench = {
  name: 'federated-read',
  about: '20 jobs × 2 experiments on MongoDB, another page each time, compared with @apollo/gateway',
  async run({ full, machine, progress }) {
    const requests = full ? 20_000 : 4_000;
    progress('in process');
    const rows = [...(await inProcess(requests, machine))];
    progress('over HTTP');
    return [...rows, ...(await overHttp(requests, progress))];
  },
};
