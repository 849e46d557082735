/**
 * Rhizome with every service a process of its own: two core processes, two gateways and pilots, for measuring
 * deadlines.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@rhizome/client';
import { ownMongod } from '@rhizome/testkit';
import { pilotProgram } from '@rhizome/pilot';
import {
  databasesOf,
  type Identities,
  openIdentities,
  playgroundQueue,
  seedExperiments,
  seedQueue,
  type Service,
  storeAddresses,
} from '@rhizome/playground';
import { discoverSubgraphs } from '@rhizome/schema';
import { startServiceSet } from '../../e2e/system/service-set.js';
import { enrolled, type WorkerPlace } from '../../e2e/system/worker-credentials.js';
import { type Api, connectApi } from '../api.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
/** The experiment whose schema is published and withdrawn. */
export const publishedExperiment = 'larkspur';

/** Running services. */
export interface Services {
  readonly cores: readonly [Service, Service];
  readonly gateways: readonly [Service, Service];
  readonly experiment: Service;
  /** Where workers enrol. */
  readonly place: WorkerPlace;
  /** Issuer of the tokens that the gateways accept. */
  readonly identities: Identities;
  /** An administrator's API at a gateway. */
  api(gateway: Service): Api;
  /** Starts a pilot; resolves when it has registered. */
  startPilot(name: string): Promise<ChildProcess>;
  stop(): Promise<void>;
}

/** Starts everything; resolves when all services are ready. */
export async function startServices(): Promise<Services> {
  const data = mkdtempSync(join(tmpdir(), 'rhizome-deadlines-'));
  const mongo = await ownMongod({ dataDir: join(data, 'mongo') });
  const identities = await openIdentities(data);
  const found = discoverSubgraphs(root).filter(
    ({ name, manifest }) => !manifest || name === publishedExperiment,
  );
  const uriOf = storeAddresses(await mongo.users(databasesOf(found)));
  // Gateways call the standby, so that killing the leader leaves their connections intact.
  const set = await startServiceSet({
    ...{ data, identities, found, uriOf, cores: 2, gateways: 2 },
    coreAddress: ([, standby = '']) => standby,
  });
  const admin = await identities.newcomer();
  const client = createClient({ url: set.url, wsUrl: set.wsUrl, token: admin });
  await seedQueue(client);
  await seedExperiments(
    client,
    found.flatMap(({ manifest }) => (manifest ? [manifest] : [])),
  );
  await client.close();
  const pilots: ChildProcess[] = [];
  const place = { data, url: set.url, token: admin };
  return {
    place,
    cores: [set.service('core'), set.service('core-2')],
    gateways: [set.service('gateway'), set.service('gateway-2')],
    experiment: set.service(publishedExperiment),
    identities,
    api: (gateway) => connectApi(gateway.url, admin, 4),
    startPilot: async (name) => {
      const pilot = await startPilot(name, place);
      pilots.push(pilot);
      return pilot;
    },
    async stop() {
      for (const pilot of pilots) pilot.kill('SIGKILL');
      await set.killAll();
      await mongo.stop();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

async function startPilot(name: string, place: WorkerPlace): Promise<ChildProcess> {
  const { credentialFile } = await enrolled(place, { name, queue: playgroundQueue });
  const flags = {
    '--credential-file': credentialFile,
    '--name': name,
    '--scratch': join(place.data, 'pilots', name),
    '--store': join(place.data, 'store'),
    '--cores': '2',
    '--memory-mib': '2048',
    '--drain-seconds': '1',
    '--end-with-pilot': 'true',
  };
  const pilot = spawn(process.execPath, [pilotProgram, ...Object.entries(flags).flat()], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const registered = new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (/registered/.test(output)) resolve();
    };
    pilot.stdout.on('data', read);
    pilot.stderr.on('data', read);
    pilot.once('exit', () => reject(new Error(`pilot ${name} ended before it registered:\n${output}`)));
  });
  await registered;
  return pilot;
}

/** Resolves when a process has ended. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
