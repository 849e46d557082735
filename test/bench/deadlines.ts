/**
 * Deadlines of behaviour: how soon a command reaches a payload, a schema goes live, a revocation or the end
 * of rights ends streams, a dead worker's jobs run again, another core process leads, a process stops, a
 * saved file takes effect. Each row is the longest of several tries.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Api } from './api.js';
import type { Bench } from './bench.types.js';
import { elevationEnded, enrolmentEnded, rightsLost } from './deadlines/lost-rights.js';
import { revoked } from './deadlines/revocation.js';
import { measureSaves } from './deadlines/saves.js';
import { ended, publishedExperiment, type Services, startServices } from './deadlines/services.js';
import type { Row } from './report.js';

/** Something that did not happen by then is broken, not slow. */
const giveUpMs = 180_000;
const pollMs = 5;

const submit = /* GraphQL */ `
  mutation DeadlineSubmit($input: SubmitJobsInput!) {
    submitJobs(input: $input) {
      jobs {
        id
      }
      userErrors {
        message
      }
    }
  }
`;
const jobState = /* GraphQL */ `
  query DeadlineJob($id: ID!) {
    job(id: $id) {
      state
      attempts {
        worker {
          id
        }
      }
    }
  }
`;
const cancel = /* GraphQL */ `
  mutation DeadlineCancel($input: CancelJobsInput!) {
    cancelJobs(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const drain = /* GraphQL */ `
  mutation DeadlineDrain($input: DrainWorkerInput!) {
    drainWorker(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const withdraw = /* GraphQL */ `
  mutation DeadlineWithdraw($input: WithdrawSubgraphInput!) {
    withdrawSubgraph(input: $input) {
      userErrors {
        message
      }
    }
  }
`;
const publish = /* GraphQL */ `
  mutation DeadlinePublish($input: PublishSchemaInput!) {
    publishSchema(input: $input) {
      userErrors {
        message
      }
    }
  }
`;

interface JobState {
  readonly job: {
    readonly state: string;
    readonly attempts: readonly { readonly worker: { readonly id: string } | null }[];
  };
}

/** Waits until `check` answers something; throws when that takes far too long. */
async function until<T>(what: string, check: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const started = performance.now();
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (performance.now() - started > giveUpMs) throw new Error(`${what}: not within ${giveUpMs / 1000} s`);
    await delay(pollMs);
  }
}

let submitted = 0;

/**
 * Submits a payload that sleeps for a number of seconds that no other process sleeps for; resolves when it
 * runs.
 */
async function startSleeper(api: Api): Promise<{ readonly id: string; readonly seconds: string }> {
  submitted += 1;
  const seconds = `${600 + submitted}.${process.pid}`;
  const { submitJobs } = await api.post<{
    submitJobs: { jobs: readonly { id: string }[]; userErrors: readonly { message: string }[] };
  }>(submit, {
    input: {
      experiment: publishedExperiment,
      idempotencyKey: `deadline-${process.pid}-${submitted}`,
      jobs: [{ name: 'sleep', payload: { command: 'sleep', arguments: [seconds] } }],
    },
  });
  const id = submitJobs.jobs[0]?.id;
  if (id === undefined) throw new Error(submitJobs.userErrors[0]?.message);
  await until('the payload runs', async () => {
    const { job } = await api.post<JobState>(jobState, { id });
    return job.state === 'RUNNING' && isSleeping(seconds) ? true : undefined;
  });
  return { id, seconds };
}

/** True if the payload is a process of this machine. */
function isSleeping(seconds: string): boolean {
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return readFileSync(`/proc/${entry}/cmdline`, 'utf8') === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

/** Cancels a running job, to the end of its payload. */
async function command({ gateways, api, startPilot }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const pilot = await startPilot(`command-${submitted}`);
  const { id, seconds } = await startSleeper(admin);
  const taken = await timed(async () => {
    await admin.post(cancel, { input: { selection: { ids: [id] } } });
    await until('the payload ends', () => (isSleeping(seconds) ? undefined : true));
  });
  pilot.kill('SIGKILL');
  await admin.close();
  return taken;
}

/** Drains a worker without jobs by a mutation, to the end of its pilot. */
async function drained({ gateways, api, startPilot }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const pilot = await startPilot(`drain-${submitted}`);
  const { id } = await startSleeper(admin);
  const { job } = await admin.post<JobState>(jobState, { id });
  await admin.post(cancel, { input: { selection: { ids: [id] } } });
  const taken = await timed(async () => {
    await admin.post(drain, { input: { workerId: job.attempts[0]?.worker?.id } });
    await ended(pilot);
  });
  await admin.close();
  return taken;
}

/** Kills a pilot and looks for the next attempt of its job on another one. */
async function requeued({ gateways, api, startPilot }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const pilot = await startPilot(`lost-${submitted}`);
  const { id } = await startSleeper(admin);
  const other = await startPilot(`heir-${submitted}`);
  const taken = await timed(async () => {
    pilot.kill('SIGKILL');
    await until('the job runs again', async () => {
      const { job } = await admin.post<JobState>(jobState, { id });
      return job.attempts.length > 1 && job.state === 'RUNNING' ? true : undefined;
    });
  });
  await admin.post(cancel, { input: { selection: { ids: [id] } } });
  other.kill('SIGKILL');
  await admin.close();
  return taken;
}

/** Withdraws and publishes a schema at one gateway, to the moment at which the other one serves it. */
async function reloaded({ gateways, api }: Services): Promise<number> {
  const [here, there] = [api(gateways[0]), api(gateways[1])];
  const served = async (isExpected: boolean) => {
    const { __type } = await there.post<{ __type: unknown }>('{ __type(name: "LarkspurQuery") { name } }');
    return (__type !== null) === isExpected ? true : undefined;
  };
  const change = (query: string, input: object, isExpected: boolean) =>
    timed(async () => {
      await here.post(query, { input });
      await until('the other gateway serves it', () => served(isExpected));
    });
  const subgraph = publishedExperiment;
  const out = await change(withdraw, { subgraph, isBreakingAccepted: true }, false);
  const back = await change(publish, { subgraph, isBreakingAccepted: true }, true);
  await Promise.all([here.close(), there.close()]);
  return Math.max(out, back);
}

/** Kills the leading core process while a pilot waits; to the start of the next job. */
async function failedOver({ cores, gateways, api, startPilot }: Services): Promise<number> {
  const admin = api(gateways[0]);
  const pilot = await startPilot('fail-over');
  const first = await startSleeper(admin);
  await admin.post(cancel, { input: { selection: { ids: [first.id] } } });
  const taken = await timed(async () => {
    await cores[0].kill();
    await startSleeper(admin);
  });
  pilot.kill('SIGKILL');
  await admin.close();
  return taken;
}

/** Stops the services in order with SIGTERM; the longest of them. */
async function stopped({ gateways, experiment, cores }: Services): Promise<number> {
  let longest = 0;
  for (const service of [...gateways, experiment, cores[1]])
    longest = Math.max(longest, await timed(() => service.stop(giveUpMs)));
  return longest;
}

/** Tries of a deadline, the longest of which counts. */
interface Deadline {
  readonly name: string;
  /** Goal in seconds. */
  readonly goal: number;
  readonly tries: number;
}

async function longest({ name, goal, tries }: Deadline, run: () => Promise<number>): Promise<Row> {
  let value = 0;
  for (let at = 0; at < tries; at += 1) value = Math.max(value, await run());
  return { name: `deadline: ${name}`, value, unit: 's', goal: { value: goal, better: 'lower' } };
}

/** Deadlines of the services, in an order in which the last ones may end some of them. */
const ofServices: readonly (Deadline & { run(of: Services): Promise<number> })[] = [
  { name: 'cancel, to the end of the payload', goal: 1, tries: 3, run: command },
  { name: 'drain of a worker without jobs, to the end of its pilot', goal: 5, tries: 3, run: drained },
  { name: 'schema published at one gateway, to live at another', goal: 2, tries: 3, run: reloaded },
  {
    name: 'tokens revoked at one gateway, to the end of open streams at two',
    goal: 2,
    tries: 3,
    run: revoked,
  },
  {
    name: 'rights lost at one gateway, to the end of open streams at two',
    goal: 2,
    tries: 3,
    run: rightsLost,
  },
  {
    name: 'elevation ended at one gateway, to the end of open streams at two',
    goal: 2,
    tries: 3,
    run: elevationEnded,
  },
  {
    name: 'enrolment ended at one gateway, to the end of open streams at two',
    goal: 2,
    tries: 3,
    run: enrolmentEnded,
  },
  { name: 'pilot killed, to the next attempt running', goal: 45, tries: 2, run: requeued },
  { name: 'leading core killed, to the next job running', goal: 10, tries: 1, run: failedOver },
  { name: 'SIGTERM of a service, to its end', goal: 5, tries: 1, run: stopped },
];

/** The benchmark. */
export const deadlines: Bench = {
  name: 'deadlines',
  about: 'command, drain, reload, revocation, lost rights, re-queue, fail-over, stop, saved source files',
  async run({ brief, progress }) {
    const rows: Row[] = [];
    const measure = async (deadline: Deadline, run: () => Promise<number>): Promise<void> => {
      const row = await longest({ ...deadline, tries: brief ? 1 : deadline.tries }, run);
      progress(`${deadline.name}: ${row.value.toFixed(2)} s`);
      rows.push(row);
    };
    const services = await startServices();
    try {
      for (const deadline of ofServices) await measure(deadline, () => deadline.run(services));
    } finally {
      await services.stop();
    }
    await measureSaves(({ run, ...deadline }) => measure({ ...deadline, tries: 3 }, run));
    return rows;
  },
};
