import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { leftovers, spawnProcess, testMongo, type TestProcess, waitFor } from '@rhizome/testkit';
import { allValues, configOf, type KubernetesObject, renderChart, root } from './chart.js';

/** Time for a program to start on a busy machine, in milliseconds. */
const startMs = 120_000;

let folder: string;
let objects: readonly KubernetesObject[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-assembled-'));
  leftovers.defer('the assembled programs', () => rm(folder, { recursive: true, force: true }));
  const programs = ['subgraphs/core', 'gateway', 'file-service', 'clients/cli'];
  await run('tools/assemble.mjs', ['--into', join(folder, 'rhizome'), ...programs], root);
  objects = await renderChart({
    ...allValues,
    gateway: { ...allValues.gateway, config: { openMetrics: true } },
    core: {},
    tls: { enabled: false },
  });
  await mkdir(join(folder, 'data'));
});

const run = async (script: string, args: readonly string[], cwd: string): Promise<string> =>
  (await promisify(execFile)(process.execPath, [script, ...args], { cwd })).stdout;

/**
 * A configuration of the chart, for this machine: the paths of a pod and the addresses of the cluster are
 * replaced, all else is as in a pod.
 */
async function configFile(name: string, gatewayUrl = 'http://127.0.0.1:1'): Promise<string> {
  const text = configOf(objects, `rhizome-${name}`, `${name}.yaml`)
    .replace('host: 0.0.0.0', 'host: 127.0.0.1')
    .replace(/^port: \d+$/m, 'port: 0')
    .replaceAll('http://rhizome-gateway.grid.svc:4000', gatewayUrl)
    .replaceAll('/run/rhizome/keys', join(folder, 'keys'))
    .replaceAll('/run/rhizome/metrics', folder)
    .replaceAll('/etc/rhizome', folder)
    .replaceAll('/rhizome/', `${join(folder, 'rhizome')}/`)
    .replace('folder: /data', `folder: ${join(folder, 'data')}`);
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, text);
  return file;
}

async function start(name: string, program: string, env: Readonly<Record<string, string>>) {
  const started = spawnProcess({
    name,
    command: 'node',
    args: [join(folder, 'rhizome', program, 'bundle', 'bin.js')],
    cwd: folder,
    env,
  });
  const [, address = ''] = await started.line(
    /"url":"(http:\/\/127\.0\.0\.1:\d+)[/"].*service started/,
    startMs,
  );
  return { process: started, address };
}

async function answered(address: string, path: string, process: TestProcess): Promise<void> {
  await waitFor(
    `${process.name} answers ${path}`,
    async () => (await fetch(`${address}${path}`)).status === 200,
    { deadlineMs: startMs },
  );
}

/** Names of the metrics in the alert rules of the chart. */
async function alertedMetrics(): Promise<readonly string[]> {
  const { groups } = parse(await readFile(join(root, 'deploy/chart/rules.yaml'), 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
  };
  const expressions = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const names = expressions.flatMap((expression) => expression.match(/rhizome_[a-z_]+/g) ?? []);
  expect(names.length).toBeGreaterThanOrEqual(expressions.length);
  return names.map((name) => name.replace(/_bucket$/, ''));
}

describe('a set of assembled programs', () => {
  it('starts with the configuration and the keys of the chart, and serves the metrics of its alerts', async () => {
    const cli = join(folder, 'rhizome', 'clients', 'cli', 'bundle', 'bin.js');
    const keys = JSON.parse(
      await run(cli, ['admin', 'keys', 'keys', '--json'], folder),
    ) as readonly unknown[];
    expect(keys).toHaveLength(6);
    const rights = await readFile(join(folder, 'keys', 'core-rights.json.jwks'), 'utf8');
    await writeFile(join(folder, 'identity.yaml'), configOf(objects, 'rhizome-gateway', 'identity.yaml'));

    const { uri } = await testMongo();
    const database = `_${process.pid}_${Date.now().toString(36)}`;
    const gateway = await start('gateway', 'gateway', {
      RHIZOME_GATEWAY_CONFIG: await configFile('gateway'),
      RHIZOME_GATEWAY_MONGO_URI: uri,
      RHIZOME_GATEWAY_DATABASE: `gateway${database}`,
    });
    await answered(gateway.address, '/healthz', gateway.process);
    const core = await start('core', 'subgraphs/core', {
      RHIZOME_CORE_CONFIG: await configFile('core', gateway.address),
      RHIZOME_CORE_MONGO_URI: uri,
      RHIZOME_CORE_DATABASE: `core${database}`,
    });
    await answered(core.address, '/readyz', core.process);
    const storage = await start('storage', 'file-service', {
      RHIZOME_STORAGE_CONFIG: await configFile('storage'),
    });
    await answered(storage.address, '/readyz', storage.process);
    await writeFile(join(folder, 'token'), 'a token\n');
    const metricsOf = (headers: Record<string, string>) => fetch(`${storage.address}/metrics`, { headers });
    expect((await metricsOf({})).status).toBe(401);
    expect((await metricsOf({ authorization: 'Bearer a token' })).status).toBe(200);

    const metrics = await Promise.all(
      [core, gateway].map(async ({ address }) => (await fetch(`${address}/metrics`)).text()),
    );
    const served = metrics.join('\n');
    for (const name of await alertedMetrics()) expect(served).toContain(`# TYPE ${name} `);

    // Core publishes the same key that the gateway has from the command.
    expect(JSON.parse(await readFile(join(folder, 'keys', 'core-rights.json.jwks'), 'utf8'))).toEqual(
      JSON.parse(rights),
    );
    for (const { process: one } of [core, gateway, storage])
      expect(await one.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
