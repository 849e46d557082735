/** Resolvers of Larkspur: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, submissionEntity } from '@rhizome/experiment';
import { connection, representationAsIs } from '@rhizome/subgraph';
import { actions } from './actions.js';
import type { Context } from './context.js';
import { errors } from './errors.js';
import { checkObservation, placementOf, stateOf, stepAt } from './observation.js';
import { type ObservationDocument, observationsCollection } from './observation.document.js';
import type { Resolvers } from './types.generated.js';

const experiment = 'larkspur';
const read = { action: actions['larkspurObservation:read'], experiment };

/** Reads the selected fields only; `stored` lists the stored fields that the resolvers below use. */
const observation = submissionEntity<ObservationDocument, Context>({
  type: 'LarkspurObservation',
  collection: observationsCollection,
  submissions: ({ observations }) => observations,
  stored: {
    submittedAt: ['createdAt'],
    state: ['taskId', 'finishedJobs', 'lostJobs', 'totalJobs'],
    calibratedExposures: ['amounts'],
    task: ['taskId'],
  },
});

async function* changesOf(
  id: string,
  after: string | null | undefined,
  { observations, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  if ((await observations.find([id], { _id: 1 })).length === 0) {
    const text = `Observation ${JSON.stringify(id)} not found.`;
    throw new DomainError(errors.LARKSPUR_OBSERVATION_NOT_FOUND, text, { field: 'id', value: id });
  }
  yield* observations.changes(id, after, signal);
}

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  Query: { larkspur: () => ({}) },
  LarkspurQuery: {
    observation: (_parent, { id }, context, info) => observation.load(id, context, info),
    observations: (_parent, { first, after }, { observations }, info) =>
      observations.page({}, first ?? 20, after, observation.pageFields(info)),
  },
  Mutation: {
    submitLarkspurObservation: async (_parent, { input }, { observations, principal }) => {
      const faults = checkObservation(input);
      if (faults.length > 0) return { observation: null, userErrors: faults };
      const { idempotencyKey, ...content } = input;
      const result = await observations.submit({ subject: principal.subject, idempotencyKey, content });
      return 'submission' in result
        ? { observation: result.submission, userErrors: [] }
        : { observation: null, userErrors: result.faults };
    },
  },
  Subscription: {
    larkspurObservationChanged: {
      subscribe: (_parent, { id, after }, context) => changesOf(id, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
  LarkspurObservationChanged: { event: ({ id }: DocumentChange) => (id === null ? null : { id }) },
  LarkspurObservationEvent: {
    observation: ({ id }, _args, context, info) => observation.existing(id, context, info),
  },
  LarkspurObservation: {
    __resolveReference: observation.resolveReference,
    id: ({ _id }) => _id,
    submittedBy: ({ submittedBy }) => ({ subject: submittedBy }),
    submittedAt: ({ createdAt }) => createdAt,
    state: stateOf,
    calibratedExposures: ({ amounts }) => amounts['calibratedExposures'] ?? 0,
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
  },
  LarkspurObservationConnection: connection,
  Job: {
    __resolveReference: representationAsIs,
    larkspur: jobDetails(read, ({ observations }: Context) => observations.jobPositions),
  },
  LarkspurJob: {
    observation: observation.ofPlace,
    step: ({ submission, index }) => stepAt(submission, index),
    exposure: ({ submission, index }) => (stepAt(submission, index) === 'CALIBRATE' ? index : null),
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Policy of each entry point. */
export const policies: Policies = {
  'Query.larkspur': read,
  'Mutation.submitLarkspurObservation': { action: actions['larkspurObservation:submit'], experiment },
  'Subscription.larkspurObservationChanged': read,
  'LarkspurObservation.__resolveReference': read,
  // Jobs of all experiments are resolved here; the details field checks the experiment.
  'Job.__resolveReference': { action: 'job:read' },
};
