/**
 * CPU time of the gateway compared with `@apollo/gateway` on the same subgraphs: the same read repeatedly,
 * and a different one each time. Data is in memory here; the benchmark `federated-read` has documents in
 * MongoDB.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTokenIssuer } from '@rhizome/authz';
import { connectApi } from './api.js';
import type { Bench } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { jobCount, memoryPage } from './gateway/memory-subgraphs.js';
import { startPeer } from './gateway/peer.js';
import { type MemoryProcess, startMemory, startOurs } from './gateway/processes.js';
import { drive, lanes, type LoadResult } from './load.js';
import { inLoops } from './loops.js';
import type { Row } from './report.js';

/** Reads of one row. */
interface Reads {
  readonly token: string;
  readonly requests: number;
  readonly machine: Calibration;
}

/** An engine under test. */
interface Engine {
  readonly label: string;
  readonly url: string;
  /** Processes by name; `gateway` is the gateway alone, or with the subgraphs in process. */
  readonly pids: Readonly<Record<string, number>>;
  /** Where subgraph calls are counted. */
  readonly memory: MemoryProcess;
  /** Most loops for 1,000 different reads by `gateway`. */
  readonly mostLoops?: number;
}

/**
 * Requests until an engine's code is what it stays, and until a row's kind of request has found its place in
 * it.
 */
const warmUp = { engine: 5_000, kind: 1_000 };

async function measure(engine: Engine, { token, requests, machine }: Reads): Promise<readonly Row[]> {
  const { label, url, pids, memory, mostLoops } = engine;
  const api = connectApi(url, token, lanes);
  const rows: Row[] = [];
  try {
    const kinds = {
      same: () => 100,
      vary: (index: number) => (index * 37) % (jobCount - 20),
    };
    await check(api, label);
    await drive(pids, warmUp.engine, (index) => api.post(memoryPage, { offset: kinds.vary(index) }));
    for (const [kind, offsetOf] of Object.entries(kinds)) {
      const send = (index: number) => api.post(memoryPage, { offset: offsetOf(index) });
      await drive(pids, warmUp.kind, send);
      const before = await memory.calls();
      const load = await drive(pids, requests, send);
      const name = `${label}, ${kind}`;
      rows.push(
        { name, value: load.requestsPerSecond, unit: 'requests/s' },
        { name: `${name}: p99`, value: load.p99Ms, unit: 'ms' },
        ...Object.entries(load.cpuMs).map(([process, value]) => ({
          name: `${name}: ${process}`,
          value,
          unit: 'CPU s/1k',
        })),
        ...(mostLoops !== undefined && kind === 'vary' ? [loopsOf(name, load, mostLoops, machine)] : []),
        {
          name: `${name}: subgraph calls`,
          value: ((await memory.calls()) - before) / requests,
          unit: 'a request',
        },
      );
    }
    return rows;
  } finally {
    await api.close();
  }
}

/** CPU time of the gateway for 1,000 requests, in loops. */
function loopsOf(name: string, { cpuMs }: LoadResult, most: number, machine: Calibration): Row {
  const ms = (cpuMs['gateway'] ?? Number.NaN) * 1000;
  return inLoops({ name: `${name}: gateway`, ms, most, operations: 1000 }, machine);
}

/** A fast wrong answer is none. */
async function check(api: ReturnType<typeof connectApi>, label: string): Promise<void> {
  const { jobs } = await api.post<{
    jobs: readonly { step: { firstEvent: number }; group: { index: number } }[];
  }>(memoryPage, { offset: 100 });
  const right =
    jobs.length === 20 &&
    jobs.every(({ step, group }, at) => step.firstEvent === 200 * (100 + at) && group.index === 100 + at);
  if (!right) throw new Error(`${label} answers wrongly: ${JSON.stringify(jobs).slice(0, 300)}`);
}

/** The benchmark. */
export const gateway: Bench = {
  name: 'gateway',
  about:
    '20 jobs × 2 subgraphs in memory, the same page and a different one each time, compared with @apollo/gateway',
  async run({ full, machine, progress }) {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-bench-gateway-'));
    const issuer = await createTokenIssuer({ keyFile: join(folder, 'key.json'), issuer: 'bench' });
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text, { mode: 0o600 });
      return join(folder, name);
    };
    const issuers = JSON.stringify([
      { issuer: 'bench', jwksFile: file('jwks.json', JSON.stringify(issuer.jwks())) },
    ]);
    const issuersFile = file('issuers.json', issuers);
    const callKeyFile = join(folder, 'call-key.json');
    const token = await issuer.mint({
      subject: 'bench',
      kind: 'HUMAN',
      grants: [{ experiment: '*', roles: ['READER'] }],
      ttlSeconds: 6 * 3600,
    });
    const requests = full ? 20_000 : 5_000;
    const running: { stop(): Promise<void> }[] = [];
    const reserve = <T extends { stop(): Promise<void> }>(one: T): T => {
      running.push(one);
      return one;
    };
    const rows: Row[] = [];
    const one = async (engine: Engine) => {
      progress(engine.label);
      rows.push(...(await measure(engine, { token, requests, machine })));
    };
    try {
      for (const [mode, label, mostLoops] of [
        ['in-process', 'gateway in process', 2.5],
        ['in-process, interpreted', 'gateway in process, subgraphs interpreted', undefined],
      ] as const) {
        const inProcess = await startMemory(mode, issuersFile, callKeyFile);
        try {
          const { urls, pid } = inProcess;
          const engine = { label, url: urls['gateway'] ?? '', pids: { gateway: pid }, memory: inProcess };
          await one({ ...engine, ...(mostLoops === undefined ? {} : { mostLoops }) });
        } finally {
          await inProcess.stop();
        }
      }
      const memory = reserve(await startMemory('subgraphs', issuersFile, callKeyFile));
      const supergraph = file('supergraph.graphql', memory.supergraphSdl);
      const ours = reserve(await startOurs(supergraph, issuers, callKeyFile));
      const pids = { subgraphs: memory.pid };
      await one({
        label: 'gateway over HTTP',
        url: ours.url,
        pids: { gateway: ours.pid, ...pids },
        memory,
        mostLoops: 5.5,
      });
      const peer = reserve(await startPeer(supergraph, progress));
      await one({
        label: '@apollo/gateway over HTTP',
        url: peer.url,
        pids: { gateway: peer.pid, ...pids },
        memory,
      });
      return rows;
    } finally {
      await Promise.all(running.map((started) => started.stop()));
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
