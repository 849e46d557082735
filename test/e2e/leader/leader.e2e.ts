// Two core processes: the leader is cut off from the store, and later the other one is killed. Somebody
// always grants, never two at once.
import { beforeAll, expect, it } from '@jest/globals';
import { createPrincipal, never, type Principal } from '@rhizome/authz';
import { connectMongo } from '@rhizome/mongo';
import { directUri, leftovers, waitFor } from '@rhizome/testkit';
import { decodeJwt } from 'jose';
import { type Answer, type Api, apiOf } from '../system/api.js';
import { jobsOf, submit } from '../system/jobs.js';
import {
  acquireMutation,
  type Grant,
  speakAsWorker,
  spokenCapacity,
  type SpokenWorker,
} from '../system/pilots.js';
import { type Proxy, startProxy } from '../system/proxy.js';
import { type ServiceSystem, startServices } from '../system/service-system.js';

/** The longest that nobody grants when a leader is lost. */
const handOverMs = 10_000;

interface Lease {
  readonly _id: string;
  readonly epoch: number;
  readonly url?: string;
}
interface Acquired {
  readonly acquireJobs: { readonly assignments: readonly Grant[] };
}

let system: ServiceSystem;
let worker: SpokenWorker;
/** The network between each core process and the store. */
const networks = new Map<string, Proxy>();
let lease: () => Promise<Lease | null>;
let jobs: readonly string[];
const granted: Grant[] = [];

beforeAll(async () => {
  system = await startServices({
    cores: 2,
    experiments: [],
    storeOf: async (core, { ports, uri }) => {
      const network = await startProxy(ports[0] ?? 0);
      networks.set(core, network);
      return directUri(uri, network.port);
    },
  });
  const mongo = leftovers.use(await connectMongo({ uri: system.mongo.uri, appName: 'story' }));
  lease = () => mongo.db('core').collection<Lease>('brokerLease').findOne({ _id: 'broker' });
  await letFirstLead();
  worker = await speakAsWorker(system, { name: 'spoken' });
  jobs = await submit(
    system.api(),
    Array.from({ length: 6 }, (_, index) => ({ name: `job ${index}` })),
  );
});

/** The first process starts first, but may have lost its lease on a slow machine. */
async function letFirstLead(): Promise<void> {
  const leads = async (): Promise<boolean> => (await lease())?.url === system.service('core').url;
  if (await leads()) return;
  networks.get('core-2')?.cut();
  await waitFor('the first process to lead', leads, { deadlineMs: handOverMs });
  networks.get('core-2')?.mend();
}

/** The lease, which this process must hold. */
async function leaseOf(core: string): Promise<Lease> {
  const current = await lease();
  expect(current).toMatchObject({ url: system.service(core).url });
  return current as Lease;
}

/** The worker at the gateway, or at a core process with the call token that the gateway makes for it. */
async function apiAt(at: string): Promise<Api> {
  if (at === system.url) return worker.api;
  const claims = decodeJwt<WorkerClaims>(await worker.token());
  const { sub: subject, wid, queue, cnf, rhizome } = claims;
  const principal = createPrincipal({
    ...{ kind: 'PILOT', subject, worker: wid, queue, grants: rhizome.grants, keyThumbprint: cnf.jkt },
    expiresAt: never,
  });
  return apiOf(at, await system.identities.calls.tokenFor(principal, 'core'));
}

/** The claims of a worker's credential. */
interface WorkerClaims {
  readonly sub: string;
  readonly wid: string;
  readonly queue: string;
  readonly cnf: { readonly jkt: string };
  readonly rhizome: Pick<Principal, 'grants'>;
}

/** Calls the gateway or a core process until it grants a job; until then it reports that nobody leads. */
async function untilGranted(at: string): Promise<Grant> {
  const variables = { input: { workerId: worker.id, count: 1, free: spokenCapacity } };
  return waitFor(
    `the next grant by ${at}`,
    async () => {
      const api = await apiAt(at);
      const { data, errors = [] } = await api.post<Acquired>(acquireMutation, variables);
      for (const { extensions } of errors)
        expect(['LEADER_UNAVAILABLE', 'SERVICE_UNAVAILABLE']).toContain(extensions.code);
      return data?.acquireJobs.assignments[0];
    },
    { deadlineMs: handOverMs },
  );
}

it('forwards acquisitions to the first process, which leads', async () => {
  const { epoch } = await leaseOf('core');
  granted.push(await untilGranted(system.url));
  granted.push(await untilGranted(system.service('core-2').url));
  expect(granted).toHaveLength(2);
  expect(await leaseOf('core')).toMatchObject({ epoch });
});

it('replaces a leader that cannot reach the store, and rejects its late writes', async () => {
  const oldLeader = system.service('core').url;
  const api = await apiAt(oldLeader);
  const { epoch } = await leaseOf('core');
  networks.get('core')?.cut();
  // The old leader still believes that it leads: its write is on its way to the store. The call waits for it
  // longer than the other process needs to take over.
  const variables = { input: { workerId: worker.id, count: 1, free: spokenCapacity, waitSeconds: 60 } };
  const late: Promise<Answer<Acquired>> = api.post(acquireMutation, variables);
  granted.push(await untilGranted(system.service('core-2').url));
  expect(await leaseOf('core-2')).toMatchObject({ epoch: epoch + 1 });
  networks.get('core')?.mend();
  const { data, errors } = await waitFor('the answer of the old leader', late, { deadlineMs: 15_000 });
  expect(data?.acquireJobs).toBeFalsy();
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['EPOCH_STALE']);
  const states = (await jobsOf(system.api(), jobs)).map(({ state, attempt }) => `${state} ${attempt}`);
  expect(states.filter((state) => state === 'SENT 1')).toHaveLength(3);
  expect(states.filter((state) => state === 'ACTIVATED 0')).toHaveLength(3);
});

it('forwards acquisitions from the process that returned', async () => {
  const { epoch } = await leaseOf('core-2');
  granted.push(await untilGranted(system.url));
  expect(await leaseOf('core-2')).toMatchObject({ epoch });
});

it('replaces a leader that is killed', async () => {
  const { epoch } = await leaseOf('core-2');
  await system.service('core-2').kill();
  granted.push(await untilGranted(system.url));
  expect(await leaseOf('core')).toMatchObject({ epoch: epoch + 1 });
});

it('grants no job twice, and keeps every grant', async () => {
  expect(new Set(granted.map(({ job }) => job.id)).size).toBe(granted.length);
  expect(new Set(granted.map(({ fence }) => fence)).size).toBe(granted.length);
  for (const grant of granted) {
    expect(await worker.start(grant, 'RUNNING')).toMatchObject({
      acceptedIds: [grant.job.id],
      userErrors: [],
    });
    expect(await worker.finish(grant, 'FINISHED')).toMatchObject({
      acceptedIds: [grant.job.id],
      userErrors: [],
    });
  }
});
