/** Jobs as stories need them, and what is asked about them. */
import { randomUUID } from 'node:crypto';
import type { Api } from './api.js';

/** A job to submit, where it differs from one that does nothing and ends well. */
export interface JobPlan {
  readonly name?: string;
  /** Run by `sh -c`. */
  readonly shell?: string;
  readonly [field: string]: unknown;
}

/** Fields that tests look at. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly attempt: number;
  readonly exitCode: number | null;
  readonly revision: number;
  readonly worker: { readonly id: string; readonly name: string } | null;
  readonly attempts: readonly {
    readonly number: number;
    readonly outcome: string | null;
    readonly exitCode: number | null;
    readonly error: { readonly code: string; readonly family: string } | null;
    readonly worker: { readonly name: string } | null;
  }[];
  readonly transitions: readonly { readonly revision: number; readonly from: string; readonly to: string }[];
}

const jobFields = /* GraphQL */ `
  id
  name
  state
  attempt
  exitCode
  revision
  worker {
    id
    name
  }
  attempts {
    number
    outcome
    exitCode
    error {
      code
      family
    }
    worker {
      name
    }
  }
  transitions {
    revision
    from
    to
  }
`;

/** The experiment whose jobs stories submit unless they need another. */
export const experiment = 'larkspur';

/** The input of a job. */
export function jobInput({ name = 'a job', shell = 'true', ...more }: JobPlan): object {
  const requirements = { memoryMiB: 64, diskMiB: 1, walltimeSeconds: 600 };
  return { name, requirements, payload: { command: 'sh', arguments: ['-c', shell] }, ...more };
}

/** Submits jobs; answers their ids. Fails when one is refused. */
export async function submit(api: Api, plans: readonly JobPlan[]): Promise<readonly string[]> {
  const input = { experiment, idempotencyKey: randomUUID(), jobs: plans.map(jobInput) };
  const { submitJobs } = await api.data<{
    submitJobs: { jobs: ({ id: string } | null)[]; userErrors: { message: string }[] };
  }>(
    'mutation ($input: SubmitJobsInput!) { submitJobs(input: $input) { jobs { id } userErrors { message path code } } }',
    { input },
  );
  if (submitJobs.userErrors.length > 0) throw new Error(JSON.stringify(submitJobs.userErrors));
  return submitJobs.jobs.flatMap((job) => job?.id ?? []);
}

/** One job as it is now. */
export async function jobOf(api: Api, id: string): Promise<JobView> {
  const { job } = await api.data<{ job: JobView | null }>(
    `query ($id: ID!) { job(id: $id) { ${jobFields} } }`,
    { id },
  );
  if (!job) throw new Error(`there is no job ${id}`);
  return job;
}

/** Jobs by id, in the order asked for. */
export async function jobsOf(api: Api, ids: readonly string[]): Promise<readonly JobView[]> {
  return Promise.all(ids.map((id) => jobOf(api, id)));
}

/** Everything a job has written, of the latest attempt. */
export async function logOf(api: Api, id: string): Promise<string> {
  const { job } = await api.data<{ job: { log: { chunks: { text: string }[] } } }>(
    'query ($id: ID!) { job(id: $id) { log(first: 1000) { chunks { text } } } }',
    { id },
  );
  return job.log.chunks.map(({ text }) => text).join('');
}
