/** All of an experiment's mechanics over one collection: submitting, following, showing. */
import {
  type CollectionDefinition,
  type EnsureReport,
  ensureCollections,
  type KeysetPage,
  type Migration,
  recordDeclarations,
  runMigrations,
} from '@rhizome/mongo';
import { defineLoader, type LoaderDefinition } from '@rhizome/subgraph';
import { ChangeFeed, type DocumentChange } from './changes/change-feed.js';
import { changesOf } from './changes/change-stream.repository.js';
import { type JobPositionLoader, jobPositionLoader } from './details/job-details.js';
import { KnownSubmissions } from './details/known-submissions.js';
import { forgetPlaces } from './following/forget-places.repository.js';
import { JobFollower } from './following/follower.js';
import {
  type JobOutcome,
  jobStatesCollection,
  streamPlacesCollection,
} from './following/job-state.document.js';
import { type Alongside, type AmountsOf, Ledger } from './following/ledger.repository.js';
import { type NodeStateDocument, nodeStatesCollection } from './following/node-state.document.js';
import { deadLettersCollection } from './following/dead-letter.document.js';
import { takeJobs } from './following/snapshot.js';
import { WorkflowEnds } from './following/workflow-ends.js';
import type { ExperimentOptions, Following } from './module.js';
import type { InputFault } from './input/experiment-input-errors.js';
import type { PathRule } from './submissions/core-task.js';
import { retryInCore, type RetryRequest } from './submissions/core-retry.js';
import type { SubmissionErrorCode } from './submissions/error-codes.js';
import type { SubmissionDocument } from './submissions/submission.document.js';
import { type SubmissionProjection, SubmissionsRepository } from './submissions/submissions.repository.js';
import {
  Submitter,
  type SubmissionRules,
  type SubmitRequest,
  type SubmitResult,
  type WorkflowRules,
} from './submissions/submitter.js';
import { sweepWhile } from './submissions/sweep.js';

/** Options of {@link createSubmissions}. */
export interface SubmissionsOptions<
  T extends SubmissionDocument,
  C,
  E extends string = never,
> extends ExperimentOptions {
  /** The name, as in the manifest. */
  readonly experiment: string;
  /** Made by `defineSubmissions`. */
  readonly definition: CollectionDefinition<T>;
  /** Key of the label that each job carries, with the submission's id as its value. */
  readonly label: string;
  readonly rules: SubmissionRules<T, C, E> | WorkflowRules<T, C, E>;
  /** Contribution of ended jobs to the sums; nothing by default. */
  readonly amountsOf?: AmountsOf<T>;
  /** Writes with each new state of the job of a node, in the same transaction; nothing by default. */
  readonly alongside?: Alongside<T>;
  /** Called after events were recorded, and periodically: there may be work that `alongside` left. */
  readonly recorded?: () => void;
  /** Maps paths of core's input to the experiment's input, for errors from core. */
  readonly pathRules: readonly PathRule[];
  /** Interval of the search for submissions that were left behind, in milliseconds; default 15,000. */
  readonly sweepMs?: number;
  /**
   * Upper bound of the wait after the event stream broke, in milliseconds; doubles with each further break.
   * Default 500.
   */
  readonly backoffMs?: number;
}

/**
 * Submissions of one experiment. `C` is what a caller submits, `E` the error codes of the experiment's own.
 */
export interface Submissions<T extends SubmissionDocument, C, E extends string = never> {
  /** Submits once for each subject and key; see {@link Submitter.submit}. */
  submit(request: SubmitRequest<C>): Promise<SubmitResult<T, E>>;
  /** Submissions by id, in no order; all that is stored of them, or these fields. */
  find(ids: readonly string[], projection?: SubmissionProjection): Promise<readonly T[]>;
  /** The first with these values in fields of the experiment's own, or null. */
  where(fields: Readonly<Partial<T>>, projection?: SubmissionProjection): Promise<T | null>;
  /** A page of those with these values, newest first. @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    fields: Readonly<Partial<T>>,
    first: number,
    after?: string | null,
    projection?: SubmissionProjection,
  ): Promise<KeysetPage<T>>;
  /**
   * Finds what jobs are, by task or workflow, and position: one read for many, and none for those that were
   * met before.
   */
  readonly jobPositions: JobPositionLoader<T>;
  /** State of positions according to the event stream: many in one read. */
  readonly outcomes: LoaderDefinition<{ readonly submissionId: string; readonly index: number }, JobOutcome>;
  /** Nodes of a workflow that have or had a job, from one position to before another, in order. */
  nodeStates(submissionId: string, from: number, to: number): Promise<readonly NodeStateDocument[]>;
  /**
   * Runs ended nodes of the workflow of a submission again, by default those that failed and what they
   * blocked. May be repeated with the same key. @returns the errors because of which core refused it
   */
  retry(submission: T, request: RetryRequest): Promise<readonly InputFault<SubmissionErrorCode>[]>;
  /** Follows the changes of one submission. @throws DomainError CURSOR_INVALID, CURSOR_EXPIRED */
  changes(
    id: string,
    after: string | null | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<DocumentChange, void, undefined>;
  /** Starts to follow core's events and to submit what was left behind. Core need not be reachable yet. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** True between start and stop. */
  ready(): boolean;
  /** State of the event stream, with the number of dead letters. */
  following(): Following;
}

/**
 * Builds it; nothing runs before `start`, but all questions are answered. The collections must be there: see
 * {@link prepareDatabase}.
 */
export function createSubmissions<T extends SubmissionDocument, C, E extends string = never>(
  options: SubmissionsOptions<T, C, E>,
): Submissions<T, C, E> {
  const { db, clock, ids, core, experiment, definition, label, rules, pathRules } = options;
  const { amountsOf = () => ({}), alongside, recorded } = options;
  const log = options.log.child({ part: 'submissions' });
  const submissions = new SubmissionsRepository(db, definition);
  const ledger = new Ledger({ db, definition, amountsOf, alongside, clock });
  const { schemaVersion } = definition;
  const known = new KnownSubmissions<T>(clock);
  const submitter = new Submitter({
    core,
    experiment,
    label,
    pathRules,
    rules,
    schemaVersion,
    submissions,
    onHandedOver: (submission: T) => void known.add(submission),
    clock,
    ids,
    log,
  });
  const feed = new ChangeFeed({ read: changesOf(db, definition as unknown as CollectionDefinition), log });
  const backoffMs = options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs };
  const follower = new JobFollower({
    core,
    experiment,
    label,
    areWorkflows: 'toWorkflow' in rules,
    submissions,
    ledger,
    recorded,
    clock,
    log,
    ...backoffMs,
  });
  const stopping = new AbortController();
  const { signal } = stopping;
  const healed = (submission: T): Promise<void> =>
    takeJobs({ core, submissions, ledger }, submission, signal);
  const workflowEnds = new WorkflowEnds({ core, submissions, clock });
  const ends = () => workflowEnds.note(signal);
  const everyMs = options.sweepMs ?? 15_000;
  const sweep = { submissions, submitter, healed, recorded, log, everyMs, ends };
  let sweeping: Promise<void> | undefined;
  return {
    submit: (request) => submitter.submit(request),
    find: (wanted, projection) => submissions.find(wanted, projection),
    where: (fields, projection) => submissions.where(fields, projection),
    page: (fields, first, after, projection) => submissions.page(fields, first, after, projection),
    jobPositions: jobPositionLoader(`${experiment}.jobPositions`, submissions, submitter, known),
    outcomes: defineLoader({
      name: `${experiment}.outcomes`,
      load: (positions) => ledger.outcomes(positions),
    }),
    nodeStates: (id, from, to) => ledger.nodeStates(id, from, to),
    async retry(submission, request) {
      // Before the call: if events are lost after it, the snapshot must not leave the submission out.
      await submissions.reopened(submission._id, clock.now());
      return retryInCore({ core, pathRules }, submission, request);
    },
    changes: (id, after, until) => feed.changes(id, after, until),
    async start() {
      follower.start();
      sweeping ??= sweepWhile(sweep, signal);
    },
    async stop() {
      stopping.abort();
      await Promise.all([follower.stop(), sweeping, feed.stop(), submitter.settled()]);
    },
    ready: () => sweeping !== undefined && !signal.aborted,
    following: () => follower.following,
  };
}

/** Runs an experiment's migrations, and makes its collections and those that `createSubmissions` needs. */
export async function prepareDatabase(
  { db, clock, log }: Pick<ExperimentOptions, 'db' | 'clock' | 'log'>,
  migrations: readonly Migration[],
  own: readonly CollectionDefinition[],
): Promise<EnsureReport> {
  await runMigrations(db, migrations, { log, clock, afterRestore: forgetPlaces });
  const report = await ensureCollections(db, collectionsOf(own), { log });
  await recordDeclarations(db, collectionsOf(own), migrations);
  return report;
}

/**
 * An experiment's collections and those that `createSubmissions` needs, for `ensureCollections` in a
 * migration.
 */
export function collectionsOf(own: readonly CollectionDefinition[]): readonly CollectionDefinition[] {
  return [
    ...own,
    jobStatesCollection,
    nodeStatesCollection,
    streamPlacesCollection,
    deadLettersCollection,
  ] as unknown as readonly CollectionDefinition[];
}
