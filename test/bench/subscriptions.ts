/**
 * A thousand clients, each with its own token, that follow the same stream: CPU time of the gateway per
 * delivered event at 2, 20 and 200 events per second, compared with `@apollo/server` and `graphql-ws`, which
 * execute each subscription separately.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTokenIssuer } from '@rhizome/authz';
import type { Bench, BenchOptions } from './bench.types.js';
import type { Calibration } from './calibration.js';
import { cpuSeconds, residentMiB } from './cpu.js';
import { type AskedProcess, startProcess } from './live/processes.js';
import { inLoops } from './loops.js';
import type { Row } from './report.js';
import type { ClientReport } from './subscriptions/client-process.js';
import { followed } from './subscriptions/events.js';
import type { ServeQuestion } from './subscriptions/server-process.js';

const clientCount = 1000;
const rates = [2, 20, 200] as const;
const issuerName = 'bench';

interface Tokens {
  readonly jwks: unknown;
  readonly all: readonly string[];
}

/** Somebody else each, all with the same rights. */
async function mintTokens(folder: string): Promise<Tokens> {
  const issuer = await createTokenIssuer({ keyFile: join(folder, 'key.json'), issuer: issuerName });
  const mint = (_: unknown, at: number): Promise<string> =>
    issuer.mint({
      subject: `client-${at}`,
      kind: 'HUMAN',
      grants: [{ experiment: '*', roles: ['READER'] }],
      ttlSeconds: 6 * 3600,
    });
  return { jwks: issuer.jwks(), all: await Promise.all(Array.from({ length: clientCount }, mint)) };
}

/** Where nothing is shared, a second at the highest rate is half a minute of work. */
function secondsOf(kind: ServeQuestion['kind'], rate: number, full: boolean): number {
  if (kind === 'apollo' && rate === 200) return full ? 4 : 1;
  if (full) return 30;
  return rate === 2 ? 10 : 6;
}

interface Measured {
  readonly client: ClientReport;
  readonly cpu: number;
  readonly emitted: number;
}

async function measure(
  server: AskedProcess,
  client: AskedProcess,
  rate: number,
  seconds: number,
): Promise<Measured> {
  const before = cpuSeconds(server.pid);
  const emitted = await server.ask<number>({ emit: { rate, seconds } });
  const report = await client.ask<ClientReport>({ report: { each: emitted } });
  return { client: report, cpu: cpuSeconds(server.pid) - before, emitted };
}

function rowsOf(
  label: string,
  rate: number,
  { client, cpu, emitted }: Measured,
  machine: Calibration,
): Row[] {
  const name = `subscriptions: ${label}, ${clientCount} clients at ${rate} events/s`;
  const isOurs = label === 'rhizome';
  const perDelivery = cpu / client.messages;
  // 15 µs a delivery where the loop takes 100 ms.
  const thousand = { name, ms: perDelivery * 1e6, most: 0.15, operations: 1000 };
  return [
    { name, value: perDelivery * 1e6, unit: 'µs CPU/delivery' },
    ...(isOurs && rate === 200 ? [inLoops(thousand, machine)] : []),
    { name: `${name}: deliveries`, value: client.messages / (client.spanMs / 1000), unit: '/s' },
    { name: `${name}: p50`, value: client.p50, unit: 'ms' },
    { name: `${name}: p99`, value: client.p99, unit: 'ms' },
    {
      name: `${name}: lost`,
      value: emitted * clientCount - client.messages,
      unit: 'messages',
      ...(isOurs ? { goal: { value: 0, better: 'lower' as const } } : {}),
    },
    { name: `${name}: streams ended by the server`, value: client.ended, unit: 'streams' },
  ];
}

async function measureKind(
  kind: ServeQuestion['kind'],
  { jwks, all }: Tokens,
  { full, machine, progress }: BenchOptions,
): Promise<readonly Row[]> {
  const server = startProcess('../subscriptions/server-process');
  const client = startProcess('../subscriptions/client-process');
  try {
    const { port } = await server.ask<{ port: number }>({ serve: { kind, issuer: issuerName, jwks } });
    await client.ask({ open: { port, tokens: all, query: followed } });
    await measure(server, client, 5, 2);
    const upstreams = await server.ask<number>({ upstreams: true });
    const rows: Row[] = [
      {
        name: `subscriptions: ${kind}, upstreams of ${clientCount} tokens`,
        value: upstreams,
        unit: 'subscriptions',
      },
    ];
    for (const rate of rates) {
      const seconds = secondsOf(kind, rate, full);
      const measured = await measure(server, client, rate, seconds);
      progress(
        `${kind}: ${rate} events/s: ${((measured.cpu / measured.client.messages) * 1e6).toFixed(1)} µs a delivery`,
      );
      rows.push(...rowsOf(kind, rate, measured, machine));
    }
    rows.push({ name: `subscriptions: ${kind}, memory`, value: residentMiB(server.pid), unit: 'MiB' });
    return rows;
  } finally {
    await client.stop();
    await server.stop();
  }
}

/** The benchmark. */
export const subscriptions: Bench = {
  name: 'subscriptions',
  about:
    '1,000 clients with equal permissions on one stream, compared with @apollo/server and graphql-ws without sharing',
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), 'rhizome-bench-'));
    try {
      const tokens = await mintTokens(folder);
      return [
        ...(await measureKind('rhizome', tokens, options)),
        ...(await measureKind('apollo', tokens, options)),
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
