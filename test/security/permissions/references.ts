/** References of subgraphs: what a gateway asks for an object that another subgraph has named. */
import type { Objects } from './objects.js';
import type { Row, Rows } from './row.js';

/** Members of a representation. */
type Representation = (objects: Objects) => object;

/** A reference, called as the gateway calls the subgraph. @param key fields of its key */
function reference(
  subgraph: string,
  [type, key]: readonly [string, string],
  select: string,
  representation: Representation,
  more: Partial<Row> = {},
): readonly [string, Row] {
  const row: Row = {
    text: `query ($of: [_Any!]!) { _entities(representations: $of) { ... on ${type} { ${select} } } }`,
    variables: (objects) => ({ of: [{ __typename: type, ...representation(objects) }] }),
    subgraph,
    ...more,
  };
  return [`${subgraph}: ${type}(${key})`, row];
}

/** The objects of a service, and what it adds to its jobs. */
const ofService = (home: string, type: string): Rows => [
  reference(home, [type, 'id'], 'id', ({ ofServices }) => ({ id: ofServices[home] }), { home }),
  reference(
    home,
    ['Job', 'id'],
    `${home} { __typename }`,
    ({ jobsOfServices }) => ({ ...jobsOfServices[home] }),
    {
      home,
      found: (value) => (value as unknown as readonly Record<string, unknown>[])[0]?.[home] !== null,
    },
  ),
];

/** The rows. */
export const references: Rows = [
  reference('core', ['Experiment', 'name'], 'title', ({ experiment: name }) => ({ name })),
  reference('core', ['Job', 'id'], 'name', ({ jobId: id }) => ({ id })),
  reference('core', ['Queue', 'id'], 'state', ({ queueId: id }) => ({ id })),
  reference('core', ['Queue', 'name'], 'state', ({ queue: name }) => ({ name })),
  reference('core', ['Task', 'id'], 'name', ({ taskId: id }) => ({ id })),
  reference('core', ['Workflow', 'id'], 'name', ({ workflowId: id }) => ({ id })),
  reference('core', ['Worker', 'id'], 'name', ({ worker }) => ({ id: worker.id })),
  reference('core', ['Site', 'name'], 'name', () => ({ name: 'POLE' })),
  reference('core', ['Principal', 'subject'], 'id', () => ({ subject: 'other@example' })),
  ...ofService('atlas', 'AtlasTask'),
  ...ofService('epic', 'EpicRun'),
  reference('epic', ['EpicLiveRun', 'id'], 'id', ({ ofServices }) => ({ id: ofServices['epicLiveRun'] }), {
    home: 'epic',
  }),
  ...ofService('larkspur', 'LarkspurObservation'),
  ...ofService('rubin', 'RubinWorkflow'),
];
