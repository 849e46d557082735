/**
 * The promises of core about jobs, each with the checks of histories that verify it. `docs/explanation/` has
 * them as a table.
 */
import * as answers from './checks/answers.js';
import * as counts from './checks/counts.js';
import * as dependencies from './checks/dependencies.js';
import * as leases from './checks/leases.js';
import * as ownership from './checks/ownership.js';
import * as submits from './checks/submits.js';
import * as transitions from './checks/transitions.js';
import { devicesAreBookedOnce } from './checks/devices.js';
import type { Fact, History } from './history.types.js';

/** Finds facts that break a promise, one line each. */
export type Check = (history: History) => Iterable<Fact>;

/** The checks by promise and name. */
export const promises = {
  'an accepted job is never lost': {
    'jobs-are-kept': submits.jobsAreKept,
    'waiting-jobs-go-on': submits.waitingJobsGoOn,
    'submits-are-whole': submits.submitsAreWhole,
  },
  'a submission is idempotent by key': {
    'keys-have-one-batch': submits.keysHaveOneBatch,
    'keys-have-one-answer': answers.keysHaveOneAnswer,
    'task-positions-are-unique': submits.taskPositionsAreUnique,
  },
  'at most one worker holds a job': {
    'one-open-attempt': ownership.oneOpenAttempt,
    'fences-rise': ownership.fencesRise,
    'fences-are-unique': ownership.fencesAreUnique,
    'workers-change-by-grants': ownership.workersChangeByGrants,
    'grants-are-answered-once': answers.grantsAreAnsweredOnce,
    'reports-count-for-holders': answers.reportsCountForHolders,
  },
  'a fault of Rhizome costs no attempt and ends no payload that may go on': {
    'attempts-are-charged': ownership.attemptsAreCharged,
    'adoptions-cost-nothing': ownership.adoptionsCostNothing,
    'unreachable-attempts-have-ended': ownership.unreachableAttemptsHaveEnded,
    'payloads-may-go-on': leases.payloadsMayGoOn,
    'holders-keep-their-jobs': answers.holdersKeepTheirJobs,
  },
  'only legal transitions': {
    'legal-edges': transitions.legalEdges,
    'revisions-without-gaps': transitions.revisionsWithoutGaps,
    'documents-match-events': transitions.documentsMatchEvents,
    'not-before-the-backoff-ends': transitions.notBeforeTheBackoffEnds,
  },
  'terminal is final': {
    'nothing-after-the-end': transitions.nothingAfterTheEnd,
    'retries-are-new-jobs': submits.retriesAreNewJobs,
    'replaced-jobs-have-copies': submits.replacedJobsHaveCopies,
  },
  'a job does not start after its cancellation was acknowledged': {
    'ends-void-fences': ownership.endsVoidFences,
    'acknowledged-cancels-hold': submits.acknowledgedCancelsHold,
    'no-grant-after-a-cancel': answers.noGrantAfterACancel,
  },
  'no device is booked twice': {
    'devices-are-booked-once': devicesAreBookedOnce,
  },
  'a job becomes ready exactly once': {
    'children-follow-parents': dependencies.childrenFollowParents,
    'released-once': dependencies.releasedOnce,
    'waits-for-its-parents': dependencies.waitsForItsParents,
    'closed-for-a-reason': dependencies.closedForAReason,
  },
  'the jobs of a lost worker come back, and not before their time': {
    'gone-workers-hold-nothing': leases.goneWorkersHoldNothing,
    'not-given-away-early': leases.notGivenAwayEarly,
  },
  'subscribers converge without gaps': {
    'events-of-every-change': transitions.eventsOfEveryChange,
    'subscribers-miss-nothing': answers.subscribersMissNothing,
  },
  'counts and tasks follow from the jobs': {
    'counts-match-events': counts.countsMatchEvents,
    'tasks-follow-their-jobs': counts.tasksFollowTheirJobs,
    'tasks-end-last': counts.tasksEndLast,
  },
} as const satisfies Record<string, Readonly<Record<string, Check>>>;

/** A promise. */
export type PromiseOfCore = keyof typeof promises;

/** Name of a check. */
export type CheckName = { [P in PromiseOfCore]: keyof (typeof promises)[P] }[PromiseOfCore];

/** A broken promise. */
export interface Finding {
  readonly promise: PromiseOfCore;
  readonly check: CheckName;
  /** Names the job and what is wrong. */
  readonly fact: Fact;
}

/** Facts of one check that are reported; the others are counted. */
const reported = 5;

/** Runs all checks on a history. */
export function findingsOf(history: History): readonly Finding[] {
  return Object.entries(promises).flatMap(([promise, checks]) =>
    Object.entries<Check>(checks).flatMap(([check, find]) =>
      limited([...new Set(find(history))]).map((fact) => ({ promise, check, fact }) as Finding),
    ),
  );
}

function limited(facts: readonly Fact[]): readonly Fact[] {
  if (facts.length <= reported) return facts;
  return [...facts.slice(0, reported), `and ${facts.length - reported} more`];
}

/** One line for each finding. */
export function textOf(findings: readonly Finding[]): string {
  return findings.map(({ promise, check, fact }) => `${promise} (${check}): ${fact}`).join('\n');
}
