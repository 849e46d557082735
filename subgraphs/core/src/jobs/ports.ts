/** Interfaces to other domains that jobs and tasks need; `app.ts` supplies them. */
import type { Principal } from '@rhizome/authz';
import type { AccessLevel } from '../access/access-grant.document.js';
import type { AccessedJob } from '../access/held-grants.js';
import type { SecretScope } from '../secrets/secret.document.js';
import type { ContinuityPolicy } from '../shared/continuity.js';
import type { JobState } from './model/job-state.js';
import type { StorageFacts } from '../storages/places.js';
import type { JobEvent } from './model/job-event.types.js';

/** Properties of an experiment that a submit needs. */
export interface ExperimentFacts {
  readonly name: string;
  /** Paths of its share leaves, `experiment/leaf`, the default first. */
  readonly shares: readonly string[];
  /** Defaults and bounds for the continuity of its jobs. */
  readonly continuity?: ContinuityPolicy | undefined;
  /** Reads the storages that it uses, as stored now. */
  readonly storages?: (() => Promise<readonly StorageFacts[]>) | undefined;
  /** Finds which of the locations are copies of files of datasets that are being deleted. */
  readonly deletedPlaces?: ((locations: readonly string[]) => Promise<ReadonlySet<string>>) | undefined;
  /** Reads datasets by id, those of other experiments, too; in no order. */
  readonly datasets?: ((ids: readonly string[]) => Promise<readonly DatasetFacts[]>) | undefined;
  /** Finds which of the uploads jobs of the owner may use; keeps them for some days. */
  readonly uploads?: ((owner: string, ids: readonly string[]) => Promise<ReadonlySet<string>>) | undefined;
}

/** Properties of a dataset that a submit needs. */
export interface DatasetFacts {
  readonly _id: string;
  readonly experiment: string;
  readonly owner: string;
  readonly state: 'OPEN' | 'CLOSED' | 'REMOVING';
}

/** Experiments with their shares as stored now, including changes by other processes. */
export interface ExperimentDirectory {
  /** Returns an experiment, or null. */
  find(name: string): Promise<ExperimentFacts | null>;
  /** Names of all experiments. */
  names(): Promise<readonly string[]>;
}

/** Consents of people that services submit for them. */
export interface SubmissionConsents {
  /** Returns true if the experiment's service may submit for the person now. */
  allows(experiment: string, subject: string): Promise<boolean>;
  /** Names of the person's secrets that jobs of the experiment's service may use now. */
  secretNames(experiment: string, subject: string): Promise<readonly string[]>;
}

/** Access of people and groups to jobs of other owners. */
export interface JobAccess {
  /** Returns true if a grant gives the principal this access to the job now. */
  allows(principal: Principal, job: AccessedJob, level: AccessLevel): boolean;
}

/** A secret that a payload names. */
export interface NamedSecret {
  readonly scope: SecretScope;
  readonly name: string;
}

/** Secrets that payloads may name. */
export interface JobSecrets {
  /**
   * Looks up secrets for jobs of an owner in an experiment.
   * @param allowed names of secrets of the owner that it allowed the submitter to use
   * @returns the ids of those that the submitter may use, in order; null for others
   */
  usable(
    principal: Principal,
    jobs: { readonly owner: string; readonly experiment: string },
    named: readonly NamedSecret[],
    allowed: readonly string[],
  ): Promise<readonly (string | null)[]>;
}

/** Limits of a queue on single jobs; absent ones do not limit. */
export interface QueueBounds {
  readonly maxCores?: number;
  readonly maxMemoryMiB?: number;
  readonly maxWalltimeSeconds?: number;
}

/** Look-up of queues by name. */
export interface QueueDirectory {
  /** Id of a queue, or null if there is none of this name. */
  idOf(name: string): Promise<string | null>;
  /** Limits of a queue on single jobs, as stored now; null if there is none of this name. */
  boundsOf(name: string): Promise<QueueBounds | null>;
  /** Filters the given names by queues that admit the experiment, as stored now. */
  admitted(names: readonly string[], experiment: string): Promise<ReadonlySet<string>>;
  /** Names of the queues that admit the experiment according to this process; for messages. */
  admitting(experiment: string): readonly string[];
}

/** Job events from a position in the stream on. */
export interface JobEventStream {
  /**
   * Yields batches in order, at least once each and without gaps, with the position after the batch. The
   * first batch comes as soon as the stream is open, possibly without events. The next batch is read when the
   * consumer requests it. Ends when the signal is aborted.
   * @param after position of an earlier batch; null starts now
   * @throws DomainError CURSOR_EXPIRED if the stream no longer reaches back to it
   */
  follow(options: {
    readonly after: string | null;
    readonly signal: AbortSignal;
  }): AsyncIterable<{ readonly events: readonly JobEvent[]; readonly cursor: string }>;
}

/** Number of jobs of a task by state; states without jobs are left out. */
export type StateCounts = Readonly<Partial<Record<JobState, number>>>;
