/** Numbers of a preview: objects, core-hours and GPU-hours. */
import type { MutationInput } from './freeze.js';
import type { AskedResources } from './targets.js';

/** Hours that jobs ask for; null if something about them is unknown. */
export interface AskedHours {
  readonly coreHours: number | null;
  readonly gpuHours: number | null;
}

const secondsPerHour = 3600;
const unknown: AskedHours = { coreHours: null, gpuHours: null };

/** Number of the jobs that an input submits; undefined if it is unknown, as for those of a dataset. */
export function submittedJobs({ jobs }: MutationInput): number | undefined {
  if (Array.isArray(jobs)) return jobs.length;
  const { count, parameterSets } = (jobs ?? {}) as {
    readonly count?: unknown;
    readonly parameterSets?: unknown;
  };
  if (typeof count === 'number') return count;
  return Array.isArray(parameterSets) ? parameterSets.length : undefined;
}

/** The hours of jobs that exist, with the changes of a retry. */
export function hoursOfJobs(
  jobs: readonly (AskedResources | null)[],
  { changes }: { readonly changes?: unknown },
): AskedHours {
  if (jobs.length === 0) return unknown;
  const { requirements = {} } = (changes ?? {}) as { readonly requirements?: RetryRequirements | null };
  return sumOf(jobs.map((job) => job && changed(job, requirements ?? {})));
}

/** The hours of jobs that are submitted; requirements that the input leaves to core are unknown here. */
export function hoursOfSubmission(mutation: string, input: MutationInput): AskedHours {
  if (mutation !== 'submitJobs' || !Array.isArray(input['jobs'])) return unknown;
  const jobs = input['jobs'] as readonly { readonly requirements?: Partial<AskedResources> | null }[];
  return sumOf(
    jobs.map(({ requirements }) => {
      const { cores, walltimeSeconds, gpu = null } = requirements ?? {};
      return cores === undefined || walltimeSeconds === undefined ? null : { cores, walltimeSeconds, gpu };
    }),
  );
}

interface RetryRequirements {
  readonly cores?: number | null;
  readonly walltime?: { readonly seconds?: number | null; readonly factor?: number | null } | null;
}

function changed(job: AskedResources, { cores, walltime }: RetryRequirements): AskedResources {
  const seconds = walltime?.seconds ?? job.walltimeSeconds * (walltime?.factor ?? 1);
  return { cores: cores ?? job.cores, walltimeSeconds: seconds, gpu: job.gpu };
}

function sumOf(jobs: readonly (AskedResources | null)[]): AskedHours {
  let coreSeconds = 0;
  let gpuSeconds = 0;
  for (const job of jobs) {
    if (!job) return unknown;
    coreSeconds += job.cores * job.walltimeSeconds;
    gpuSeconds += (job.gpu?.count ?? 0) * job.walltimeSeconds;
  }
  return { coreHours: hours(coreSeconds), gpuHours: hours(gpuSeconds) };
}

const hours = (seconds: number): number => Math.round((seconds / secondsPerHour) * 100) / 100;
