/** Resolvers of ePIC: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, type JobOutcome, submissionEntity } from '@rhizome/experiment';
import { positionsPage } from '@rhizome/mongo';
import { connection, representationAsIs } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { errors } from './errors.js';
import { livePolicies, liveRoots, liveTypes } from './live/graphql/resolvers.js';
import { checkRun, framesOf, groupCount, phaseOf, placementOf } from './run.js';
import { type RunDocument, runsCollection } from './run.document.js';
import type { EpicGroupState, Resolvers } from './types.generated.js';

const experiment = 'epic';
const read = { action: 'task:read', experiment } as const;
const maxGroupsAtOnce = 1000;

const groupStates: Readonly<Record<JobOutcome, EpicGroupState>> = {
  WAITING: 'WAITING',
  FINISHED: 'PROCESSED',
  LOST: 'LOST',
};

const run = submissionEntity<RunDocument, Context>({
  type: 'EpicRun',
  collection: runsCollection,
  submissions: ({ runs }) => runs,
  stored: {
    submittedAt: ['createdAt'],
    phase: ['taskId', 'amounts', 'superTimeFrames', 'framesPerGroup'],
    groups: ['superTimeFrames', 'framesPerGroup'],
    processedFrames: ['amounts'],
    task: ['taskId'],
  },
});

async function* changesOf(
  runNumber: number,
  after: string | null | undefined,
  { runs, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  const found = await runs.where({ runNumber }, { _id: 1 });
  if (!found) {
    const details = { field: 'runNumber', value: runNumber };
    throw new DomainError(errors.EPIC_RUN_NOT_FOUND, `Run ${runNumber} not found.`, details);
  }
  yield* runs.changes(found._id, after, signal);
}

function groupsOf(submission: RunDocument, page: { first: number; after?: string | null | undefined }) {
  const request = { ...page, totalCount: groupCount(submission), maxFirst: maxGroupsAtOnce };
  return positionsPage(request, (from, length) =>
    Array.from({ length }, (_, offset) => ({ submission, index: from + offset })),
  );
}

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  ...liveTypes,
  Query: { epic: () => ({}) },
  EpicQuery: {
    ...liveRoots.EpicQuery,
    run: (_parent, { runNumber }, { runs }, info) => runs.where({ runNumber }, run.fields(info)),
    runs: (_parent, { first, after }, { runs }, info) =>
      runs.page({}, first ?? 20, after, run.pageFields(info)),
  },
  Mutation: {
    ...liveRoots.Mutation,
    submitEpicRun: async (_parent, { input }, { runs, principal }) => {
      const faults = checkRun(input);
      if (faults.length > 0) return { run: null, userErrors: faults };
      const { idempotencyKey, ...content } = input;
      const result = await runs.submit({ subject: principal.subject, idempotencyKey, content });
      return 'submission' in result
        ? { run: result.submission, userErrors: [] }
        : { run: null, userErrors: result.faults };
    },
  },
  Subscription: {
    ...liveRoots.Subscription,
    epicRunChanged: {
      subscribe: (_parent, { runNumber, after }, context) => changesOf(runNumber, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
  EpicRunChanged: { event: ({ id }: DocumentChange) => (id === null ? null : { id }) },
  EpicRunEvent: { run: ({ id }, _args, context, info) => run.existing(id, context, info) },
  EpicRun: {
    __resolveReference: run.resolveReference,
    id: ({ _id }) => _id,
    submittedBy: ({ submittedBy }) => ({ subject: submittedBy }),
    submittedAt: ({ createdAt }) => createdAt,
    phase: phaseOf,
    groups: (parent, { first, after }) => groupsOf(parent, { first: first ?? 100, after }),
    processedFrames: ({ amounts }) => amounts['processedFrames'] ?? 0,
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
  },
  EpicRunConnection: connection,
  EpicTimeFrameGroupConnection: connection,
  EpicTimeFrameGroup: {
    firstFrame: ({ submission, index }) => framesOf(submission, index).firstFrame,
    frames: ({ submission, index }) => framesOf(submission, index).frames,
    state: async ({ submission, index }, _args, { loaders, runs }) =>
      groupStates[(await loaders.load(runs.outcomes, { submissionId: submission._id, index })) ?? 'WAITING'],
  },
  Job: {
    __resolveReference: representationAsIs,
    epic: jobDetails(read, ({ runs }: Context) => runs.jobPositions),
  },
  EpicJob: {
    run: run.ofPlace,
    group: (place) => (place.index < groupCount(place.submission) ? place : null),
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Policy of each entry point. */
export const policies: Policies = {
  ...livePolicies,
  'Query.epic': read,
  'Mutation.submitEpicRun': { action: 'task:submit', experiment },
  'Subscription.epicRunChanged': read,
  'EpicRun.__resolveReference': read,
  // Jobs of all experiments are resolved here; the details field checks the experiment.
  'Job.__resolveReference': { action: 'job:read' },
};
