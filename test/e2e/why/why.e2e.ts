/** Core's explanation of a waiting job, and the rules of the job's experiment. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { waitFor } from '@rhizome/testkit';
import { commandLineOf } from '../system/cli.js';
import { jobInput } from '../system/jobs.js';
import type { Api } from '../system/api.js';
import { type PlaygroundSystem, startPlayground } from '../system/playground-system.js';

const submitObservation = /* GraphQL */ `
  mutation ($input: SubmitLarkspurObservationInput!) {
    submitLarkspurObservation(input: $input) {
      observation {
        task {
          id
        }
      }
      userErrors {
        message
      }
    }
  }
`;

/** The first job of an observation that asks for a calibration. */
async function calibratedJob(api: Api): Promise<string> {
  const input = {
    idempotencyKey: 'why',
    field: 'LK-042',
    band: 'RED',
    exposures: 1,
    exposureSeconds: 30,
    command: 'true',
    calibration: '2030a',
  };
  const { submitLarkspurObservation: submitted } = await api.data<{
    submitLarkspurObservation: { observation: { task: { id: string } }; userErrors: object[] };
  }>(submitObservation, { input });
  expect(submitted.userErrors).toEqual([]);
  const { id } = submitted.observation.task;
  const first = async (): Promise<string | undefined> => {
    const { task } = await api.data<{ task: { jobs: { nodes: { id: string }[] } } }>(
      'query ($id: ID!) { task(id: $id) { jobs(first: 1) { nodes { id } } } }',
      { id },
    );
    return task.jobs.nodes[0]?.id;
  };
  let job: string | undefined;
  await waitFor('the first job', async () => (job = await first()) !== undefined, { deadlineMs: 30_000 });
  return job ?? '';
}

it('shows the rules of the experiment next to core’s explanation, and none of another job', async () => {
  const system = await startPlayground();
  const cli = commandLineOf(system);
  const job = await calibratedJob(system.api());
  const output = await cli.run(['why', job]);
  expect([output.exitCode, output.stderr]).toEqual([0, '']);
  expect(output.stdout).toContain('ACTIVATED');
  expect(output.stdout).toContain('calibration "2030a"');
  const { placement, pending } = (await cli.run(['why', job, '--json'])).json<{
    placement: readonly { experiment: string; rules: readonly { text: string; selector: string }[] }[];
    pending: { summary: string } | null;
  }>();
  expect(placement.map(({ experiment, rules }) => [experiment, rules.length])).toEqual([['larkspur', 1]]);
  expect(placement[0]?.rules[0]?.selector).toContain('2030a');
  expect(pending?.summary).toEqual(expect.any(String));

  const { submitJobs } = await system
    .api()
    .data<{ submitJobs: { jobs: { id: string }[] } }>(
      'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } } }',
      { input: { experiment: 'rubin', idempotencyKey: 'plain', jobs: [jobInput({ name: 'plain' })] } },
    );
  const plain = await cli.run(['why', submitJobs.jobs[0]?.id ?? '']);
  expect(plain.exitCode).toBe(0);
  expect(plain.stdout).not.toContain('calibration');
  await explainToAssistant(system, job);
  await system.stop();
});

/** The tools of the playground, as an assistant of its person calls them. */
async function explainToAssistant({ file, data, api }: PlaygroundSystem, job: string): Promise<void> {
  const token = await readFile(join(data, 'assistant-token'), 'utf8');
  const ask = async (method: string, params: object): Promise<string> => {
    const response = await fetch(file.mcp, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        authorization: `Bearer ${token}`,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    return response.text();
  };
  const call = (name: string, given: object): Promise<string> =>
    ask('tools/call', { name, arguments: given });
  const explained = await call('explain_job', { id: job });
  expect(explained).toContain('ACTIVATED');
  expect(explained).toContain('constraints');
  expect(await call('my_jobs', { states: ['ACTIVATED'] })).toContain(job);
  // From a cursor on, no change is missed, whenever it occurs.
  const watched = async (from?: string): Promise<string | undefined> =>
    /cursor: \\"([^"\\]+)/.exec(await call('watch_jobs', { ids: [job], waitSeconds: 0, cursor: from }))?.[1];
  const cursor = await watched();
  expect(cursor).toBeDefined();
  expect(await watched(cursor)).toBe(cursor);
  await api().data(
    'mutation ($input: CancelJobsInput!) { cancelJobs(input: $input) { userErrors { code } } }',
    {
      input: { selection: { ids: [job] }, idempotencyKey: 'assistant' },
    },
  );
  const changes = await call('watch_jobs', { ids: [job], cursor, waitSeconds: 25 });
  expect(changes).toMatch(new RegExp(`${job},[^\\n]*CANCELLED`));
  await retryByProposal(api(), call, job);
  expect(await ask('resources/read', { uri: `rhizome://job/${job}/log` })).toContain('Untrusted lines');
  expect(await call('run_query', { query: 'mutation { __typename }' })).toContain(
    'a mutation does not run here',
  );
}

/** The assistant proposes a retry, its person approves it, and it runs once. */
async function retryByProposal(
  api: Api,
  call: (name: string, given: object) => Promise<string>,
  job: string,
): Promise<void> {
  const propose = (): Promise<string> =>
    call('propose_retry_jobs', { ids: [job], reason: 'The calibration is published.' });
  const proposed = await propose();
  const [ref = ''] = /pr-[0-9a-z]+/.exec(proposed) ?? [];
  expect(proposed).toContain('PROPOSED');
  expect(await propose()).toContain(ref);
  const retriesText = 'query ($id: ID!) { job(id: $id) { retriedBy { id } } }';
  const retry = async (): Promise<string | undefined> => {
    const { job: found } = await api.data<{ job: { retriedBy: { id: string } | null } }>(retriesText, {
      id: job,
    });
    return found.retriedBy?.id;
  };
  expect(await retry()).toBeUndefined();
  const approve = (): Promise<{ proposal: object | null; userErrors: readonly object[] }> =>
    api.change('approveProposal', { id: ref }, 'proposal { status } userErrors { code }');
  expect(await approve()).toEqual({ proposal: { status: expect.any(String) }, userErrors: [] });
  await waitFor('the change', async () => (await call('list_proposals', { status: 'DONE' })).includes(ref), {
    deadlineMs: 30_000,
  });
  const retried = await retry();
  expect(retried).toMatch(/^job_/);
  await approve();
  const outcomeText = 'query ($id: ID!) { proposal(id: $id) { outcome { data } } }';
  const { proposal } = await api.data<{ proposal: { outcome: { data: object } } }>(outcomeText, { id: ref });
  expect(proposal.outcome.data).toMatchObject({ jobs: [{ id: retried }], result: { changedCount: 1 } });
  expect(await retry()).toBe(retried);
}
