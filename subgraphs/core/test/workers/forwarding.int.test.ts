import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { createIds, systemClock } from '@rhizome/clock';
import { serveSubgraph } from '@rhizome/subgraph';
import {
  leftovers,
  testDatabase,
  type TestDatabase,
  testTokens,
  type TestTokens,
  waitFor,
} from '@rhizome/testkit';
import { buildCore, type Core } from '../../src/app.js';

interface Served {
  readonly core: Core;
  readonly url: string;
  /** Stops listening without releasing the lease, like a killed process. */
  close(): Promise<void>;
}

let db: TestDatabase;
let tokens: TestTokens;
let leader: Served;
let other: Served;
let admin: string;
let pilot: string;

async function serve(): Promise<Served> {
  const log = silentLogger();
  const own: { url?: string } = {};
  const core = buildCore({
    db,
    clock: systemClock,
    ids: createIds(),
    log,
    // The lease outlasts every pause of a busy machine, so the leader changes only where a test changes it.
    config: { advertisedUrl: () => own.url, broker: { leaseMs: 120_000 } },
  });
  const served = await serveSubgraph({
    subgraph: core.subgraph,
    verifier: tokens.verifier,
    log,
    host: '127.0.0.1',
    port: 0,
    readiness: async () => ({ ready: core.ready() }),
  });
  own.url = served.url;
  leftovers.defer('a served core', async () => {
    await served.close();
    await core.stop();
  });
  await core.start();
  return { core, url: served.url, close: () => served.close() };
}

async function ask(
  at: Served,
  token: string,
  query: string,
  variables: object = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Record<string, never>> {
  const response = await fetch(at.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as {
    data?: Record<string, never>;
    errors?: { extensions: { code: string } }[];
  };
  if (errors) throw Object.assign(new Error(JSON.stringify(errors)), { code: errors[0]?.extensions.code });
  return data ?? {};
}

interface Explained {
  readonly pending: { readonly summary: string; readonly position: number | null } | null;
}
const explained =
  'pending { summary position isPositionEstimated mostFailed constraints { constraint reasons } wait { kind } }';

const acquire = `mutation ($input: AcquireJobsInput!) {
  acquireJobs(input: $input) { assignments { job { id name state } fence attempt attemptId deviceIds } userErrors { code message path } }
}`;
const free = { cores: 8, memoryMiB: 10_000, diskMiB: 10_000 };

async function register(at: Served, name: string): Promise<string> {
  const input = {
    queue: 'north',
    host: 'h',
    name,
    version: '1',
    idempotencyKey: name,
    hardware: { architecture: 'x86_64', cores: 8, memoryMiB: 16_000, diskMiB: 100_000 },
  };
  const { registerWorker } = (await ask(
    at,
    pilot,
    'mutation ($input: RegisterWorkerInput!) { registerWorker(input: $input) { worker { id } userErrors { message } } }',
    { input },
  )) as unknown as {
    registerWorker: { worker: { id: string } };
  };
  return registerWorker.worker.id;
}

async function submit(at: Served, key: string, count: number): Promise<void> {
  const jobs = Array.from({ length: count }, (_, i) => ({ name: `job ${i}`, payload: { command: 'true' } }));
  await ask(
    at,
    admin,
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { userErrors { message } } }',
    { input: { experiment: 'alpha', idempotencyKey: key, jobs } },
  );
}

beforeAll(async () => {
  db = await testDatabase('forwarding');
  tokens = await testTokens();
  [admin, pilot] = [await tokens.admin(), await tokens.pilot('north')];
  leader = await serve();
  other = await serve();
  await ask(
    leader,
    admin,
    'mutation { registerExperiment(input: { name: "alpha", title: "Alpha" }) { userErrors { message } } }',
  );
  await ask(
    leader,
    admin,
    'mutation { createQueue(input: { name: "north", site: "Pole" }) { userErrors { message } } }',
  );
});

interface Acquired {
  readonly acquireJobs: {
    readonly assignments: readonly {
      job: { id: string; name: string; state: string };
      fence: number;
      attempt: number;
    }[];
    readonly userErrors: readonly object[];
  };
}

describe('a process that does not lead', () => {
  it("forwards acquireJobs to the leader in the caller's name, and answers as if it had granted", async () => {
    const workerId = await register(other, 'one');
    await submit(other, 'a', 3);
    const { acquireJobs } = (await ask(other, pilot, acquire, {
      input: { workerId, count: 2, free, waitSeconds: 60 },
    })) as unknown as Acquired;
    expect(acquireJobs.userErrors).toEqual([]);
    expect(acquireJobs.assignments).not.toHaveLength(0);
    for (const { job, fence, attempt } of acquireJobs.assignments) {
      expect(job.state).toBe('SENT');
      expect(fence).toBeGreaterThan(0);
      expect(attempt).toBe(1);
    }
    const jobs = acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence }));
    await ask(
      other,
      pilot,
      'mutation ($input: StartJobsInput!) { startJobs(input: $input) { acceptedIds } }',
      { input: { workerId, jobs: jobs.map((job) => ({ ...job, phase: 'RUNNING' })) } },
    );
    const { finishJobs } = (await ask(
      other,
      pilot,
      'mutation ($input: FinishJobsInput!) { finishJobs(input: $input) { acceptedIds userErrors { message } } }',
      {
        input: { workerId, jobs },
      },
    )) as unknown as { finishJobs: { acceptedIds: string[] } };
    expect(finishJobs.acceptedIds).toEqual(jobs.map(({ id }) => id));
  });

  it('recognizes a forwarded call by its header, not by the operation name of a client', async () => {
    const workerId = await register(other, 'named');
    const input = { workerId, count: 1, free };
    const named = acquire.replace('mutation', 'mutation ForwardedAcquireJobs');
    expect(await ask(other, pilot, named, { input })).toMatchObject({ acquireJobs: { userErrors: [] } });
    await expect(ask(other, pilot, acquire, { input }, { 'x-rhizome-forwarded': '1' })).rejects.toMatchObject(
      {
        code: 'LEADER_UNAVAILABLE',
      },
    );
  });

  it('returns the refusals of the leader', async () => {
    const { acquireJobs } = (await ask(other, pilot, acquire, {
      input: { workerId: 'worker_nowhere', count: 1, free },
    })) as unknown as Acquired;
    expect(acquireJobs.userErrors).toEqual([expect.objectContaining({ code: 'WORKER_NOT_FOUND' })]);
    const workerId = await register(leader, 'two');
    const { acquireJobs: foreign } = (await ask(other, await tokens.pilot('south'), acquire, {
      input: { workerId, count: 1, free },
    })) as unknown as Acquired;
    expect(foreign).toMatchObject({ assignments: [], userErrors: [{ code: 'WORKER_NOT_FOUND' }] });
  });

  it('explains waiting jobs as the leader knows them, positions included, with one call for a page', async () => {
    const jobs = Array.from({ length: 5 }, (_, i) => ({
      name: `large ${i}`,
      payload: { command: 'true' },
      requirements: { cores: 4000 },
    }));
    const { submitJobs } = (await ask(
      other,
      admin,
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message } } }',
      { input: { experiment: 'alpha', idempotencyKey: 'large', jobs } },
    )) as unknown as { submitJobs: { jobs: { id: string }[] } };
    const ids = submitJobs.jobs.map(({ id }) => id);
    const read = async (at: Served): Promise<readonly Explained[]> => {
      const { jobs: page } = (await ask(
        at,
        admin,
        `query ($ids: [ID!]!) { jobs(filter: { ids: $ids }, order: OLDEST) { nodes { ${explained} } } }`,
        { ids },
      )) as unknown as { jobs: { nodes: Explained[] } };
      return page.nodes;
    };
    const placeOf = (job: Explained | undefined): number => job?.pending?.position ?? NaN;
    const own = await waitFor(
      'the leader to know all of them',
      async () => {
        const nodes = await read(leader);
        return placeOf(nodes[4]) - placeOf(nodes[0]) === 4 && nodes;
      },
      { deadlineMs: 60_000 },
    );
    const called = jest.spyOn(globalThis, 'fetch');
    expect(await read(other)).toEqual(own);
    const forwarded = called.mock.calls.filter(([, init]) =>
      new Headers(init?.headers).has('x-rhizome-forwarded'),
    );
    expect(forwarded).toHaveLength(1);
    called.mockRestore();
    const dry = `query ($input: ExplainRequirementsInput!) { explainRequirements(input: $input) { ${explained} } }`;
    const input = { experiment: 'alpha', requirements: { cores: 4000 } };
    const { explainRequirements } = (await ask(other, admin, dry, { input })) as unknown as {
      explainRequirements: Explained;
    };
    expect(explainRequirements.pending).toMatchObject({
      position: placeOf(own[4]) + 1,
      isPositionEstimated: false,
    });
    const needed = `query ($input: PilotDemandInput!) { pilotDemand(input: $input) { demand {
      classes { classId experimentName waitingJobs oldestSubmittedAt shape } } userErrors { code } } }`;
    const small = { architecture: 'x86_64', cores: 1, memoryMiB: 4000, diskMiB: 4000 };
    const shapes = [{ name: 'small', lifetimeSeconds: 86_400, hardware: small }];
    const demand = await ask(other, admin, needed, { input: { queue: 'north', shapes } });
    expect(demand).toEqual(await ask(leader, admin, needed, { input: { queue: 'north', shapes } }));
    expect(demand).toMatchObject({ pilotDemand: { demand: { classes: [{ experimentName: 'alpha' }] } } });
    const stranger = await tokens.pilot('south');
    await expect(ask(other, stranger, dry, { input })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('reports that no leader can be reached, and grants as soon as it leads', async () => {
    const workerId = await register(other, 'three');
    await submit(other, 'b', 1);
    await leader.close();
    await expect(ask(other, pilot, acquire, { input: { workerId, count: 1, free } })).rejects.toMatchObject({
      code: 'LEADER_UNAVAILABLE',
    });
    const dry = `query ($input: ExplainRequirementsInput!) { explainRequirements(input: $input) { ${explained} } }`;
    expect(await ask(other, admin, dry, { input: { experiment: 'alpha' } })).toMatchObject({
      explainRequirements: { pending: { position: null, wait: { kind: 'UNKNOWN' } } },
    });
    await leader.core.stop();
    const granted = await waitFor(
      'a grant',
      async () => {
        try {
          const answer = (await ask(other, pilot, acquire, {
            input: { workerId, count: 1, free, waitSeconds: 1 },
          })) as unknown as Acquired;
          return answer.acquireJobs.assignments[0];
        } catch (error) {
          if ((error as { code?: string }).code === 'LEADER_UNAVAILABLE') return undefined;
          throw error;
        }
      },
      { deadlineMs: 60_000 },
    );
    expect(granted.attempt).toBe(1);
  });
});
