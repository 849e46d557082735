/** For tests: what callers may do with the entities of core, and with fields that have rules of their own. */
import type { World } from './access.fixture.js';
import type { Row } from './access-row.fixture.js';

const entity = (type: string, key: (world: World) => object, fields: string, outcomes: string): Row => ({
  text: `query ($of: [_Any!]!) { _entities(representations: $of) { ... on ${type} { ${fields} } } }`,
  variables: (world) => ({ of: [{ __typename: type, ...key(world) }] }),
  got: (answer: { _entities: unknown[] }) => answer._entities[0],
  outcomes,
});

/** Entities and fields. */
export const fieldRows: Readonly<Record<string, Row>> = {
  'Viewer.submissionConsents': {
    text: '{ viewer { submissionConsents { experimentName } } }',
    got: ({ viewer }: { viewer: { submissionConsents: unknown[] } }) => viewer.submissionConsents.length > 0,
    outcomes: 'e e e e e e',
  },
  'Experiment.__resolveReference': entity('Experiment', () => ({ name: 'alpha' }), 'title', 'r r r r r a'),
  'Queue.__resolveReference': entity('Queue', () => ({ name: 'north' }), 'site { name }', 'a a a a a a'),
  'Job.__resolveReference': entity('Job', ({ jobId }) => ({ id: jobId }), 'name', 'e a e e e a'),
  'Task.__resolveReference': entity('Task', ({ taskId }) => ({ id: taskId }), 'name', 'r r e e e a'),
  'Workflow.__resolveReference': entity(
    'Workflow',
    ({ workflowId }) => ({ id: workflowId }),
    'name',
    'r r e e e a',
  ),
  'Worker.__resolveReference': entity('Worker', ({ workerId }) => ({ id: workerId }), 'host', 'a a a a a a'),
  'Experiment.shares': {
    text: 'query ($id: ID!) { job(id: $id) { experiment { shares { path } } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    outcomes: 'e r e e e a',
  },
  'Job.share': {
    text: 'query ($id: ID!) { job(id: $id) { share { path } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { share: unknown } | null }) => job?.share,
    outcomes: 'e r e e e a',
  },
  'Task.share': {
    text: 'query ($id: ID!) { task(id: $id) { share { path } } }',
    variables: ({ taskId }) => ({ id: taskId }),
    got: ({ task }: { task: { share: unknown } | null }) => task?.share,
    outcomes: 'r r e e e a',
  },
  'Workflow.share': {
    text: 'query ($id: ID!) { workflow(id: $id) { share { path } } }',
    variables: ({ workflowId }) => ({ id: workflowId }),
    got: ({ workflow }: { workflow: { share: unknown } | null }) => workflow?.share,
    outcomes: 'r r e e e a',
  },
  'Fleet.share': {
    text: 'query ($id: ID!) { fleet(id: $id) { share { path } } }',
    variables: ({ fleetId }) => ({ id: fleetId }),
    got: ({ fleet }: { fleet: { share: unknown } | null }) => fleet?.share,
    outcomes: 'r r e e e a',
  },
  'JobCount.share': {
    text: '{ jobCounts { share { path } } }',
    got: ({ jobCounts }: { jobCounts: { share: unknown }[] }) =>
      jobCounts.some(({ share }) => share !== null),
    outcomes: 'r r e e e a',
  },
  'Site.__resolveReference': entity('Site', () => ({ name: 'Pole' }), 'name', 'a a a a a a'),
  'Principal.__resolveReference': entity('Principal', () => ({ subject: 'x' }), 'subject', 'a a a a a a'),
  'Task.jobs': {
    text: 'query ($id: ID!) { task(id: $id) { jobs { nodes { id } } } }',
    variables: ({ taskId }) => ({ id: taskId }),
    outcomes: 'r r e e e a',
  },
  'Job.access': {
    text: 'query ($id: ID!) { job(id: $id) { access { id } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { access: unknown[] } | null }) => job?.access.length,
    outcomes: 'e e e e e e',
  },
  // Each caller has an access to jobs in a share of alpha.
  'JobAccess.share': {
    text: '{ jobAccess { nodes { share { path } } } }',
    got: ({ jobAccess }: { jobAccess: { nodes: { share: unknown }[] } }) =>
      jobAccess.nodes.some(({ share }) => share !== null),
    outcomes: 'r r r r r a',
  },
  'Job.viewerCanCancel': {
    text: 'query ($id: ID!) { job(id: $id) { viewerCanCancel } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { viewerCanCancel: boolean } | null }) => job?.viewerCanCancel,
    outcomes: 'e e e e e e',
  },
  'JobPayload.environment': {
    text: 'query ($id: ID!) { job(id: $id) { payload { environment { value } } } }',
    variables: ({ jobId }) => ({ id: jobId }),
    got: ({ job }: { job: { payload: { environment: unknown } } | null }) => job?.payload.environment,
    outcomes: 'e a e e e e',
  },
};
