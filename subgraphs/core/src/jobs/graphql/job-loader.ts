import { DomainError } from '@rhizome/errors';
import { defineLoader, type LoaderDefinition } from '@rhizome/subgraph';
import type { GraphQLResolveInfo } from 'graphql';
import type { ExplanationCaller } from '../../scheduler/explain/explanations.js';
import type { PendingFacts } from '../../scheduler/explain/pending.types.js';
import type { Context } from '../../context.js';
import { jobProjection } from './job-fields.js';
import { isItsOwn } from '../model/job-visibility.js';
import type { LoggedJob, LogPage, LogPageRequest } from '../logs/job-logs.js';
import type { JobDocument } from '../model/job.types.js';
import type { JobProjection } from '../model/jobs.repository.js';

interface JobKey {
  readonly id: string;
  readonly projection: JobProjection;
}

const texts = new WeakMap<JobProjection, string>();

function textOf(projection: JobProjection): string {
  let text = texts.get(projection);
  if (text === undefined) texts.set(projection, (text = Object.keys(projection).join()));
  return text;
}

/** Field sets are shared objects, so most batches have one set, which is compared by identity. */
function unionOf(projections: ReadonlySet<JobProjection>): JobProjection {
  const [only] = projections;
  if (only && projections.size === 1) return only;
  return Object.assign({}, ...projections) as JobProjection;
}

/**
 * Loads jobs by id, with the required stored fields. All jobs of a batch are read together, with the union of
 * their fields.
 */
const loaderOf = (name: string, as: 'job' | 'parent'): LoaderDefinition<JobKey, JobDocument, Context> =>
  defineLoader({
    name,
    cacheKey: ({ id, projection }) => `${id} ${textOf(projection)}`,
    load: (keys, { core, principal }) => {
      const ids = keys.map(({ id }) => id);
      const projection = unionOf(new Set(keys.map((key) => key.projection)));
      return core.jobs.findMany(ids, projection, principal, as);
    },
    maxBatchSize: 10_000,
  });

const jobLoader = loaderOf('Job', 'job');
const parentLoader = loaderOf('ParentJob', 'parent');

/** Returns a job with its selected fields; null if it does not exist or the principal may not read it. */
export function loadJob(id: string, context: Context, info: GraphQLResolveInfo): Promise<JobDocument | null> {
  return context.loaders.load(jobLoader, { id, projection: jobProjection(info) });
}

const copyProjection: JobProjection = { retryOf: 1 };

/** Returns true if the job repeats another. It is read together with the other fields of the operation. */
export async function isCopy(id: string, { loaders }: Pick<Context, 'loaders'>): Promise<boolean> {
  return (await loaders.load(jobLoader, { id, projection: copyProjection }))?.retryOf !== undefined;
}

/** Returns jobs with their selected fields, in order. @throws DomainError NOT_FOUND if one cannot be read */
export async function loadJobs(
  ids: readonly string[],
  context: Context,
  info: GraphQLResolveInfo,
): Promise<readonly JobDocument[]> {
  return allFound(ids, await Promise.all(ids.map((id) => loadJob(id, context, info))));
}

/**
 * Parents of a job. A pilot may read the parents of the jobs that it may read, wherever they ran, because it
 * stages their outputs; it may not read their parents in turn.
 * @throws DomainError JOB_NOT_FOUND if one cannot be read
 */
export async function loadParents(
  { dependsOn, ...job }: Pick<JobDocument, 'dependsOn' | 'queue' | 'workerId'>,
  context: Context,
  info: GraphQLResolveInfo,
): Promise<readonly JobDocument[]> {
  const { principal, loaders } = context;
  if (principal.kind !== 'PILOT' || !isItsOwn(principal, job)) return loadJobs(dependsOn, context, info);
  const projection = jobProjection(info);
  const found = await Promise.all(dependsOn.map((id) => loaders.load(parentLoader, { id, projection })));
  return allFound(dependsOn, found);
}

function allFound(ids: readonly string[], found: readonly (JobDocument | null)[]): readonly JobDocument[] {
  return found.map((job, position) => {
    if (job) return job;
    throw new DomainError('JOB_NOT_FOUND', `Job "${ids[position]}" not found, or you may not see it.`, {
      value: ids[position],
    });
  });
}

/**
 * Creates a resolver for a field that leads to a job. Calls are batched with all others of the operation;
 * only selected fields are read.
 */
export function jobReference<TParent>(
  key: (parent: TParent) => string | null | undefined,
): (
  parent: TParent,
  args: object,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<JobDocument | null> {
  return async (parent, _args, context, info) => {
    const id = key(parent);
    return id == null ? null : loadJob(id, context, info);
  };
}

/** Principal of an explanation. */
export function explanationCaller({
  principal,
  requestId,
  signal,
  isForwarded = false,
}: Context): ExplanationCaller {
  return { token: principal.token, requestId, signal, isForwarded };
}

/** Loads explanations of why jobs wait; the jobs of a list are explained together. */
export const pendingLoader = defineLoader<JobDocument, PendingFacts, Context>({
  name: 'JobPending',
  cacheKey: ({ _id }) => _id,
  load: (jobs, context) => context.core.pending(jobs, explanationCaller(context)),
});

/** Loads job logs; the pages of all jobs of a list are read together. */
export const jobLogLoader = defineLoader<
  { readonly job: LoggedJob; readonly request: LogPageRequest },
  LogPage,
  Context
>({
  name: 'JobLog',
  cacheKey: ({ job, request }) => JSON.stringify([job._id, request.attempt, request.after, request.first]),
  load: (keys, { core }) => core.jobLogs.pages(keys),
});
