/** Arithmetic of the demand for pilots, by class and experiment. Pure. */

/** Jobs of a class and experiment that wait. */
export interface Waiting {
  readonly classId: string;
  readonly experiment: string;
  readonly jobs: number;
  readonly isAtLeast: boolean;
  readonly oldestId: string | undefined;
}

/** Pilots on their way, of a class and experiment. */
export interface Coming {
  readonly pilots: number;
  readonly jobs: number;
}

/** Workers and pilots that will take waiting jobs. */
export interface Cover {
  /** Workers that could start a job now. */
  readonly freeWorkers: number;
  readonly coming: Coming;
}

/** Nothing on its way. */
export const nothingComing: Coming = { pilots: 0, jobs: 0 };

/** Sums the waiting jobs of the shares of each experiment. */
export function byExperiment(
  waiting: readonly (Omit<Waiting, 'experiment'> & { readonly share: string })[],
  experimentOf: (share: string) => string,
): readonly Waiting[] {
  const sums = new Map<string, Waiting>();
  for (const { share, classId, jobs, isAtLeast, oldestId } of waiting) {
    const experiment = experimentOf(share);
    const key = demandKey({ classId, experiment });
    const sum = sums.get(key);
    sums.set(key, {
      classId,
      experiment,
      jobs: jobs + (sum?.jobs ?? 0),
      isAtLeast: isAtLeast || (sum?.isAtLeast ?? false),
      oldestId: earliest(oldestId, sum?.oldestId),
    });
  }
  return [...sums.values()];
}

/** Sums pilots on their way. @param pilots with the jobs that each is expected to take */
export function comingBy(
  pilots: Iterable<{
    readonly classId: string;
    readonly experiment: string;
    readonly jobsPerPilot: number;
  }>,
): ReadonlyMap<string, Coming> {
  const sums = new Map<string, Coming>();
  for (const pilot of pilots) {
    const key = demandKey(pilot);
    const { pilots: number, jobs } = sums.get(key) ?? nothingComing;
    sums.set(key, { pilots: number + 1, jobs: jobs + pilot.jobsPerPilot });
  }
  return sums;
}

/** Jobs that neither free workers nor pilots on their way will take. */
export function missingJobs({ jobs }: Pick<Waiting, 'jobs'>, { freeWorkers, coming }: Cover): number {
  return Math.max(0, jobs - freeWorkers - coming.jobs);
}

/**
 * The candidates that an answer has, those with the most jobs first: a limited number, and all that have
 * pilots of the queue on their way, which would otherwise seem to be wanted by nobody.
 */
export function mostWanted<
  TCandidate extends {
    readonly one: Pick<Waiting, 'jobs'>;
    readonly coming: Coming;
    readonly isOwn: boolean;
  },
>(candidates: readonly TCandidate[], limit: number): readonly TCandidate[] {
  const uncovered = ({ one, coming }: TCandidate) => one.jobs - coming.jobs;
  return candidates
    .toSorted((a, b) => uncovered(b) - uncovered(a))
    .filter(({ isOwn }, index) => isOwn || index < limit);
}

/** Key of a class and experiment. Ids contain no space. */
export function demandKey({ classId, experiment }: Pick<Waiting, 'classId' | 'experiment'>): string {
  return `${classId} ${experiment}`;
}

function earliest(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}
