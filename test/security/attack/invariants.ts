/** State of the system that attacks must leave as it was. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { waitFor } from '@rhizome/testkit';
import { type Stored, stored } from '../../e2e/system/stored.js';
import type { AttackSystem } from './attack-system.js';
import type { Leak } from './evidence.js';

/** The state of the system at one moment. */
export interface Mark {
  /** Start times of the processes, by name: a restarted process has another one. */
  readonly processes: Readonly<Record<string, string>>;
  /** Checksums of the collections. */
  readonly stored: Stored;
  /** Open streams, sockets and operations of both gateways. */
  readonly gauges: Readonly<Record<string, number>>;
}

/** Resolves when each experiment follows core: until then, the number of streams grows by itself. */
export async function untilFollowed(system: AttackSystem, experiments: number): Promise<void> {
  const isFollowed = async (): Promise<boolean> =>
    ((await gaugesOf(system))['gateway streams'] ?? 0) >= experiments;
  await waitFor('the streams of the experiments', isFollowed, { deadlineMs: 120_000 });
}

/** Looks at the system. */
export async function mark(system: AttackSystem): Promise<Mark> {
  return {
    processes: await startTimes(system),
    stored: unrecorded(await stored(system.store)),
    gauges: await gaugesOf(system),
  };
}

/**
 * Collections of what may be recorded: a proof of possession is used once, also for a call that is refused. A
 * check of a schema by somebody who may check it is recorded, and so is a change of many jobs with an
 * idempotency key, even if it finds no job that it may change. Calls of agents are counted.
 */
const recorded = new Set([
  'gateway.schemaChecks',
  'gateway.agentUsage',
  'core.bulkOperations',
  'identity.usedProofs',
]);

function unrecorded(all: Stored): Stored {
  return Object.fromEntries(Object.entries(all).filter(([name]) => !recorded.has(name)));
}

async function startTimes(system: AttackSystem): Promise<Record<string, string>> {
  const times = Object.entries(system.pids()).map(async ([name, pid]) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return [name, stat.replace(/^.*\) /s, '').split(' ')[19] ?? 'ended'] as const;
  });
  return Object.fromEntries(await Promise.all(times)) as Record<string, string>;
}

const gauges = [
  'streams',
  'upstreams',
  'sockets',
  'sockets_waiting',
  'operations_waiting',
  'operations_running',
];

/** Gauges of both gateways, as an administrator reads them. */
export async function gaugesOf(system: AttackSystem): Promise<Record<string, number>> {
  const headers = { authorization: `Bearer ${system.tokens.everything}`, connection: 'close' };
  const values: Record<string, number> = {};
  for (const gateway of ['gateway', 'identities']) {
    const response = await fetch(`${system.origin(gateway)}/metrics`, { headers });
    const text = await response.text();
    for (const name of gauges) {
      const [, value] = new RegExp(`^rhizome_gateway_${name} (\\S+)$`, 'm').exec(text) ?? [];
      if (value === undefined) throw new Error(`no gauge ${name} of ${gateway}: ${text.slice(0, 200)}`);
      values[`${gateway} ${name}`] = Number(value);
    }
  }
  return values;
}

/** Memory and open sockets of each process. */
export async function useOf(system: AttackSystem): Promise<Record<string, { mib: number; sockets: number }>> {
  const uses = Object.entries(system.pids()).map(async ([name, pid]) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const mib = Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
    const files = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(files.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
    return [name, { mib, sockets: links.filter((link) => link.startsWith('socket:')).length }] as const;
  });
  return Object.fromEntries(await Promise.all(uses));
}

/** Planted secrets in answers, logs, the store and its oplog. */
export async function leaksIn(system: AttackSystem): Promise<readonly Leak[]> {
  const { evidence, services, store } = system;
  const folder = join(services.data, 'logs');
  const logs = (await readdir(folder)).map(async (name) =>
    evidence.in(await readFile(join(folder, name), 'utf8'), `the log ${name}`),
  );
  const { databases } = await store.db().admin().listDatabases({ nameOnly: true });
  const found: Leak[] = [...evidence.inAnswers(), ...(await Promise.all(logs)).flat()];
  for (const { name } of databases.filter((one) => !['admin', 'config', 'local'].includes(one.name)))
    for (const { name: collection } of await store.db(name).listCollections().toArray())
      found.push(...(await leaksOf(system, name, collection)));
  return [...found, ...(await leaksOf(system, 'local', 'oplog.rs'))];
}

/** Core keeps the environment of a job with the job; everything else has no business with it. */
const withEnvironment = new Set(['core.jobs', 'local.oplog.rs']);

async function leaksOf(
  { store, evidence }: AttackSystem,
  database: string,
  collection: string,
): Promise<Leak[]> {
  const name = `${database}.${collection}`;
  const kinds = withEnvironment.has(name) ? ['token', 'key', 'secret'] : undefined;
  const found: Leak[] = [];
  const documents = store.db(database).collection(collection).find({}, { raw: true });
  for await (const document of documents as unknown as AsyncIterable<Buffer>)
    found.push(...evidence.in(document.toString('latin1'), name, kinds));
  return found;
}
