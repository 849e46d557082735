/** Doors of Larkspur: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, submissionOfPlace } from '@rhizome/experiment';
import { byKey, entity, reference, representationAsIs } from '@rhizome/subgraph';
import { actions } from './actions.js';
import type { Context } from './context.js';
import { errors } from './errors.js';
import { checkObservation, placementOf, stateOf, stepAt } from './observation.js';
import type { ObservationDocument } from './observation.document.js';
import type { Resolvers } from './types.generated.js';

const experiment = 'larkspur';
const read = { action: actions['larkspurObservation:read'], experiment };

const observation = entity<ObservationDocument, string, Context>({
  type: 'LarkspurObservation',
  key: 'id',
  load: async (ids, { observations }) => byKey(ids, await observations.find(ids), ({ _id }) => _id),
});

async function* changesOf(
  id: string,
  after: string | null | undefined,
  { observations, loaders, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  if (!(await loaders.load(observation.loader, id))) {
    const text = `id: there is no observation ${JSON.stringify(id)}`;
    throw new DomainError(errors.LARKSPUR_OBSERVATION_NOT_FOUND, text, { field: 'id', value: id });
  }
  yield* observations.changes(id, after, signal);
}

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  Query: { larkspur: () => ({}) },
  LarkspurQuery: {
    observation: (_parent, { id }, { loaders }) => loaders.load(observation.loader, id),
    observations: (_parent, { first, after }, { observations }) => observations.page({}, first ?? 20, after),
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
  LarkspurObservationChanged: {
    observation: reference({ loader: observation.loader, key: ({ id }: DocumentChange) => id }),
  },
  LarkspurObservation: {
    __resolveReference: ({ id }, { loaders }) => loaders.load(observation.loader, id),
    id: ({ _id }) => _id,
    submittedAt: ({ createdAt }) => createdAt,
    state: stateOf,
    calibratedExposures: ({ amounts }) => amounts['calibratedExposures'] ?? 0,
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
  },
  Job: {
    __resolveReference: representationAsIs,
    larkspur: jobDetails(read, ({ observations }: Context) => observations.places),
  },
  LarkspurJob: {
    observation: submissionOfPlace(observation.loader),
    step: ({ submission, index }) => stepAt(submission, index),
    exposure: ({ submission, index }) => (stepAt(submission, index) === 'CALIBRATE' ? index : null),
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Who may pass. */
export const policies: Policies = {
  'Query.larkspur': read,
  'Mutation.submitLarkspurObservation': { action: actions['larkspurObservation:submit'], experiment },
  'Subscription.larkspurObservationChanged': read,
  'LarkspurObservation.__resolveReference': read,
  // Jobs of all experiments come here; whose details a caller may see is decided by the field.
  'Job.__resolveReference': { action: 'job:read' },
};
