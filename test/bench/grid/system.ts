/**
 * The services that serve a grid: one mongod, one core process and one gateway, each a process of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { databasesOf, openIdentities, type Service, storeAddresses } from '@rhizome/playground';
import { discoverSubgraphs } from '@rhizome/schema';
import { ownMongod } from '@rhizome/testkit';
import { type ServiceSet, startServiceSet } from '../../e2e/system/service-set.js';
import { type Api, connectApi } from '../api.js';
import { change } from '../change.js';
import { registerBench } from '../stack.js';
import type { GridScale } from './scale.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
/** The queue of all workers of the grid. */
export const gridQueue = 'grid';

/** The running services. */
export interface GridSystem {
  readonly admin: Api;
  readonly gateways: readonly Service[];
  /** Processes by name. */
  pids(): Readonly<Record<string, number>>;
  /** Sets the interval between heartbeats; the lease is three of them. */
  setHeartbeats(seconds: number): Promise<void>;
  /** Code by which up to 10,000 workers enrol. */
  invite(): Promise<string>;
  /** Kills core, and starts it again at the same address; resolves when it listens. */
  restartCore(): Promise<void>;
  stop(): Promise<void>;
}

/** Leases are three heartbeats. */
const limitsOf = (heartbeatSeconds: number): object => ({
  heartbeatSeconds,
  leaseSeconds: 3 * heartbeatSeconds,
});

/** Bytes in the heap and the cache that a process needs for each worker are far from the defaults of many. */
const manyWorkers = 20_000;

/** Limits of the gateway that a grid raises. */
function gatewayEnv({ workers }: GridScale): Record<string, string> {
  return {
    ...heapEnv(workers),
    // A fifth of the streams may be reserved for pilots; the others are of people.
    RHIZOME_GATEWAY_LIMITS_STREAMS: String(workers + 10_000),
    // All workers connect from one machine here.
    RHIZOME_GATEWAY_RATES: 'off',
  };
}

function heapEnv(workers: number): Record<string, string> {
  return workers < manyWorkers ? {} : { NODE_OPTIONS: '--max-old-space-size=10240' };
}

/** Starts the services, with an experiment and a queue. */
export async function startGridSystem(scale: GridScale): Promise<GridSystem> {
  const data = mkdtempSync(join(tmpdir(), 'rhizome-grid-'));
  const cacheSizeGB = Math.max(0.25, (scale.running + scale.pending) / 400_000);
  const mongo = await ownMongod({ dataDir: join(data, 'mongo'), cacheSizeGB, oplogSizeMiB: 4096 });
  const identities = await openIdentities(data);
  const found = discoverSubgraphs(root).filter(({ manifest }) => !manifest);
  const uriOf = storeAddresses(await mongo.users(databasesOf(found)));
  const set = await startServiceSet({
    ...{ data, identities, found, uriOf, gateways: scale.gateways },
    coreEnv: heapEnv(scale.workers),
    gatewayEnv: gatewayEnv(scale),
  });
  const token = await identities.newcomer();
  const admin = connectApi(set.url, token, 4);
  await registerBench(set.url, token);
  await change(admin, 'createQueue', { name: gridQueue, site: 'GRID', limits: limitsOf(60) });
  const names = Array.from({ length: scale.gateways }, (_, at) =>
    at === 0 ? 'gateway' : `gateway-${at + 1}`,
  );
  return {
    admin,
    gateways: names.map((name) => set.service(name)),
    pids: () => ({ ...pidsOf(set, ['core', ...names]), mongod: mongo.members[0]?.pid ?? 0 }),
    setHeartbeats: async (seconds) =>
      void (await change(admin, 'updateQueue', { name: gridQueue, limits: limitsOf(seconds) })),
    invite: async () =>
      (
        await change<{ code: string }>(
          admin,
          'inviteWorkers',
          { queue: gridQueue, experiments: ['*'], uses: 10_000, ttlSeconds: 86_400 },
          'code',
        )
      ).code,
    restartCore: async () => {
      await set.service('core').kill();
      await set.startAgain('core');
    },
    async stop() {
      await admin.close();
      await set.killAll();
      await mongo.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

function pidsOf(set: ServiceSet, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, set.service(name).pid]));
}
