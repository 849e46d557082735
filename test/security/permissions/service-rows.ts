/** Calls of the fields of experiments' services. */
import { experimentInputs, liveRunInputs } from '../experiment-inputs.js';
import { liveRunOf, type Objects } from './objects.js';
import { mutation, query, type Row, type Rows, subscription } from './row.js';

/** A service: its objects by id and in a list, its stream and its mutation. */
interface Service {
  readonly home: string;
  readonly object: string;
  readonly list: string;
  readonly stream: string;
  readonly submit: string;
  /** Name and type of the argument that names the object. */
  readonly key?: readonly [string, string];
}

const services: readonly Service[] = [
  { home: 'atlas', object: 'task', list: 'tasks', stream: 'atlasTaskChanged', submit: 'submitAtlasTask' },
  {
    ...{ home: 'epic', object: 'run', list: 'runs', stream: 'epicRunChanged', submit: 'submitEpicRun' },
    key: ['runNumber', 'Int!'],
  },
  {
    ...{ home: 'larkspur', object: 'observation', list: 'observations' },
    ...{ stream: 'larkspurObservationChanged', submit: 'submitLarkspurObservation' },
  },
  {
    ...{ home: 'rubin', object: 'workflow', list: 'workflows' },
    ...{ stream: 'rubinWorkflowChanged', submit: 'submitRubinWorkflow' },
  },
];

let runs = 100;

/** True if the first field inside the value has an object, or a list that is not empty. */
const inside: Row['found'] = (value) => {
  const found = Object.values(value)[0] as { readonly nodes?: readonly unknown[] } | null;
  return found !== null && (found.nodes === undefined || found.nodes.length > 0);
};

function rowsOf({ home, object, list, stream, submit, key = ['id', 'ID!'] }: Service): Rows {
  const [name, type] = key;
  const variables = ({ ofServices }: Objects) => ({
    v: ofServices[name === 'id' ? home : `${home}Number`],
  });
  const gathering = `${home[0]?.toUpperCase()}${home.slice(1)}Query`;
  return [
    query(home, `{ ${home} { __typename } }`, undefined, { home }),
    query(
      `${gathering}.${object}`,
      `query ($v: ${type}) { ${home} { ${object}(${name}: $v) { ${name} } } }`,
      variables,
      { home, found: inside },
    ),
    query(`${gathering}.${list}`, `{ ${home} { ${list} { nodes { ${name} } } } }`, undefined, {
      home,
      found: inside,
    }),
    subscription(stream, `($v: ${type}) { ${stream}(${name}: $v) { cursor } }`, variables, { home }),
    mutation(
      submit,
      (_objects, caller, target) => ({
        ...experimentInputs[submit]?.(),
        ...(home === 'epic' && { runNumber: (runs += 1) }),
        idempotencyKey: `${caller} ${target}`,
      }),
      { home },
    ),
  ];
}

const ofLiveRuns = { home: 'epic', found: inside };

/** Calls about live runs. */
const liveRows: Rows = [
  query(
    'EpicQuery.liveRun',
    'query ($v: Int!) { epic { liveRun(runNumber: $v) { id } } }',
    (_objects, ...who) => ({ v: liveRunOf(...who) }),
    ofLiveRuns,
  ),
  query('EpicQuery.liveRuns', '{ epic { liveRuns { nodes { id } } } }', undefined, ofLiveRuns),
  query('EpicQuery.siteBreakers', '{ epic { siteBreakers { siteName } } }', undefined, ofLiveRuns),
  subscription(
    'epicLiveRunChanged',
    '($v: Int!) { epicLiveRunChanged(runNumber: $v) { cursor } }',
    (_objects, ...who) => ({ v: liveRunOf(...who) }),
    { home: 'epic' },
  ),
  mutation(
    'announceEpicLiveRun',
    () => ({ ...liveRunInputs['announceEpicLiveRun']?.(), runNumber: (runs += 1) }),
    { home: 'epic' },
  ),
  ...['announceEpicRunState', 'announceEpicTimeFrames'].map((field) =>
    mutation(field, (_objects, ...who) => ({ ...liveRunInputs[field]?.(), runNumber: liveRunOf(...who) }), {
      home: 'epic',
    }),
  ),
  mutation('setEpicSiteFeed', () => liveRunInputs['setEpicSiteFeed']?.() ?? {}, { home: 'epic' }),
];

/** The rows. */
export const serviceRows: Rows = [
  ...services.flatMap(rowsOf),
  ...liveRows,
  mutation(
    'retryRubinWorkflow',
    ({ ofServices }, caller, target) => ({
      workflowId: ofServices['rubin'],
      idempotencyKey: `${caller} ${target}`,
    }),
    { home: 'rubin' },
  ),
];
