/** Resolvers of Rubin: read the arguments, call the module, map the result. */
import type { Policies } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { type DocumentChange, jobDetails, type JobPosition, submissionEntity } from '@rhizome/experiment';
import { positionsPage } from '@rhizome/mongo';
import { connection, representationAsIs } from '@rhizome/subgraph';
import {
  blockersIn,
  changedIn,
  costOf,
  escalatedIn,
  failuresOf,
  longestIn,
  retryPreview,
  sitesOf,
} from './campaign/answers.js';
import { type Campaign, positionsIn } from './campaign/campaign.js';
import { campaignFields } from './campaign/campaigns.js';
import type { Context } from './context.js';
import { errors } from './errors.js';
import { labelProgress, reportRows, wholeProgress } from './campaign/progress.js';
import { quantaAtPositions, quantaOf, quantumResolvers } from './quantum.resolvers.js';
import { checkRetry } from './retry.js';
import type { Resolvers } from './types.generated.js';
import { firstQuantumAt, placementOf, quantaAt } from './workflow.js';
import { type QuantumDocument, type WorkflowDocument, workflowsCollection } from './workflow.document.js';
import { checkWorkflow } from './workflow-input.js';

const experiment = 'rubin';
const maxQuantaAtOnce = 1000;
/** Labels of a filter at most. */
const maxLabels = 200;
const read = { action: 'task:read', experiment } as const;

const answers = {
  ...{ labels: campaignFields, estimatedEndAt: campaignFields, failures: campaignFields },
  ...{ blockers: campaignFields, retryPreview: campaignFields, cost: campaignFields },
  ...{ sites: campaignFields, longestQuanta: campaignFields, escalatedQuanta: campaignFields },
  ...{ changedQuanta: campaignFields, report: campaignFields },
};

const workflow = submissionEntity<WorkflowDocument, Context>({
  type: 'RubinWorkflow',
  collection: workflowsCollection,
  submissions: ({ workflows }) => workflows,
  stored: {
    ...answers,
    quanta: campaignFields,
    finishedQuanta: ['amounts', 'finishedJobs', 'workflowId'],
    submittedAt: ['createdAt'],
    workflow: ['workflowId'],
    task: ['taskId'],
  },
});

async function* changesOf(
  id: string,
  after: string | null | undefined,
  { workflows, signal }: Context,
): AsyncGenerator<DocumentChange, void, undefined> {
  if ((await workflows.find([id], { _id: 1 })).length === 0) {
    const text = `Workflow ${JSON.stringify(id)} not found.`;
    throw new DomainError(errors.RUBIN_WORKFLOW_NOT_FOUND, text, { field: 'id', value: id });
  }
  yield* workflows.changes(id, after, signal);
}

/** An answer from what is known of a workflow, or another for one that is not followed. */
async function answer<T>(
  of: WorkflowDocument,
  { campaigns }: Context,
  from: (campaign: Campaign) => T | Promise<T>,
  otherwise: T,
): Promise<T> {
  const campaign = await campaigns.of(of);
  return campaign ? from(campaign) : otherwise;
}

type Positions = (campaign: Campaign, limit: number) => readonly number[];

/** A resolver for the quanta at positions. */
function quantaBy(positions: Positions) {
  return (of: WorkflowDocument, { limit }: { limit?: number | null }, context: Context) =>
    answer<QuantumDocument[]>(
      of,
      context,
      (campaign) => quantaOf(campaign, positions(campaign, bounded(limit)), context),
      [],
    );
}

function bounded(limit: number | null | undefined): number {
  const value = limit ?? 10;
  if (value >= 1 && value <= 100) return value;
  const text = `limit: ${value} is not valid; must be 1 to 100`;
  throw new DomainError('BAD_USER_INPUT', text, { field: 'limit', value });
}

/** @throws DomainError BAD_USER_INPUT */
function checkFilter(filter: { labels?: readonly string[] | null } | null | undefined): void {
  const value = filter?.labels?.length ?? 0;
  if (value <= maxLabels) return;
  const text = `filter.labels: ${value} labels are not valid; must be at most ${maxLabels}`;
  throw new DomainError('BAD_USER_INPUT', text, { field: 'filter.labels', value });
}

function quantaOfJob(
  { submission, index }: JobPosition<WorkflowDocument>,
  context: Context,
): Promise<QuantumDocument[]> {
  const first = firstQuantumAt(submission, index);
  const positions = Array.from({ length: quantaAt(submission, index) }, (_, at) => first + at);
  return quantaAtPositions(submission._id, positions, context);
}

const noCost = { coreHours: 0, lostCoreHours: 0 };
const noPreview = { failed: 0, blocked: 0, labels: [] };

/** Resolvers of the SDL. */
export const resolvers: Resolvers = {
  ...quantumResolvers(workflow),
  Query: { rubin: () => ({}) },
  RubinQuery: {
    workflow: (_parent, { id }, context, info) => workflow.load(id, context, info),
    workflows: (_parent, { first, after }, { workflows }, info) =>
      workflows.page({}, first ?? 20, after, workflow.pageFields(info)),
  },
  Mutation: {
    submitRubinWorkflow: async (_parent, { input }, { workflows, principal }) => {
      const faults = checkWorkflow(input);
      if (faults.length > 0) return { workflow: null, userErrors: faults };
      const { idempotencyKey, ...content } = input;
      const result = await workflows.submit({ subject: principal.subject, idempotencyKey, content });
      return 'submission' in result
        ? { workflow: result.submission, userErrors: [] }
        : { workflow: null, userErrors: result.faults };
    },
    retryRubinWorkflow: async (_parent, { input }, { workflows, quanta, principal }) => {
      const [of = null] = await workflows.find([input.workflowId]);
      const checked = await checkRetry(input, of, principal, quanta);
      if ('faults' in checked || !of)
        return { workflow: null, userErrors: 'faults' in checked ? checked.faults : [] };
      const userErrors = await workflows.retry(of, checked.request);
      return userErrors.length > 0 ? { workflow: null, userErrors } : { workflow: of, userErrors };
    },
  },
  Subscription: {
    rubinWorkflowChanged: {
      subscribe: (_parent, { id, after }, context) => changesOf(id, after, context),
      resolve: (change: unknown) => change as never,
    },
  },
  RubinWorkflowChanged: { event: ({ id }: DocumentChange) => (id === null ? null : { id }) },
  RubinWorkflowEvent: { workflow: ({ id }, _args, context, info) => workflow.existing(id, context, info) },
  RubinWorkflow: {
    __resolveReference: workflow.resolveReference,
    id: ({ _id }) => _id,
    quanta: async (of, { first, after, filter }, context) => {
      const page = { first: first ?? 100, after, maxFirst: maxQuantaAtOnce };
      checkFilter(filter);
      const campaign = filter && (await context.campaigns.of(of));
      if (!campaign)
        return positionsPage({ totalCount: filter ? 0 : of.totalQuanta, ...page }, (from, count) =>
          context.quanta.range(of._id, from, count),
        );
      const positions = positionsIn(campaign, filter);
      return positionsPage({ totalCount: positions.length, ...page }, (from, count) =>
        quantaOf(campaign, positions.slice(from, from + count), context),
      );
    },
    finishedQuanta: ({ workflowId, amounts, finishedJobs }) =>
      workflowId === undefined ? finishedJobs : (amounts['quanta'] ?? 0),
    submittedBy: ({ submittedBy }) => ({ subject: submittedBy }),
    submittedAt: ({ createdAt }) => createdAt,
    workflow: ({ workflowId }) => (workflowId === undefined ? null : { id: workflowId }),
    task: ({ taskId }) => (taskId === undefined ? null : { id: taskId }),
    labels: (of, _args, context) => answer(of, context, (campaign) => [...labelProgress(campaign)], []),
    estimatedEndAt: (of, _args, context) =>
      answer(of, context, (campaign) => wholeProgress(campaign).estimatedEndAt, null),
    failures: (of, _args, context) =>
      answer(of, context, (campaign) => failuresOf(campaign).map((group) => ({ ...group, campaign })), []),
    blockers: (of, { limit }, context) =>
      answer(
        of,
        context,
        (campaign) => blockersIn(campaign, bounded(limit)).map((one) => ({ ...one, campaign })),
        [],
      ),
    retryPreview: (of, _args, context) =>
      answer(
        of,
        context,
        (campaign) => {
          const { failed, blocked, labels } = retryPreview(campaign);
          return { failed, blocked, labels: [...labels] };
        },
        noPreview,
      ),
    cost: (of, _args, context) => answer(of, context, costOf, noCost),
    sites: (of, _args, context) => answer(of, context, (campaign) => [...sitesOf(campaign)], []),
    longestQuanta: quantaBy(longestIn),
    escalatedQuanta: quantaBy(escalatedIn),
    changedQuanta: quantaBy(changedIn),
    report: (of, _args, context) =>
      answer(of, context, (campaign) => ({ rows: reportRows(campaign) }), { rows: [] }),
  },
  RubinWorkflowConnection: connection,
  RubinQuantumConnection: connection,
  Job: {
    __resolveReference: representationAsIs,
    rubin: jobDetails(read, ({ workflows }: Context) => workflows.jobPositions),
  },
  RubinJob: {
    workflow: workflow.ofPlace,
    quantum: async (place, _args, context) => (await quantaOfJob(place, context))[0] ?? null,
    quanta: (place, _args, context) => quantaOfJob(place, context),
    placement: ({ submission }) => placementOf(submission),
  },
};

/** Policy of each entry point. */
export const policies: Policies = {
  'Query.rubin': read,
  'Mutation.submitRubinWorkflow': { action: 'task:submit', experiment },
  'Mutation.retryRubinWorkflow': { action: 'job:retry', experiment },
  'Subscription.rubinWorkflowChanged': read,
  'RubinWorkflow.__resolveReference': read,
  // Jobs of all experiments are resolved here; the details field checks the experiment.
  'Job.__resolveReference': { action: 'job:read' },
};
