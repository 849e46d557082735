/**
 * Stored fields that a selection of `Job` needs: payloads and histories are read only if they are selected.
 */
import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import type { JobProjection } from '../model/jobs.repository.js';

/** Stored fields behind each field of the type. Fields that are not listed need only {@link always}. */
const storedFields: Readonly<Record<string, readonly string[]>> = {
  name: ['name'],
  task: ['taskId'],
  taskId: ['taskId'],
  taskIndex: ['taskIndex'],
  workflowNode: ['workflow'],
  workflowId: ['workflow'],
  workflowIndex: ['workflow'],
  fleet: ['fleet'],
  share: ['share'],
  sharePath: ['share'],
  priority: ['priority'],
  labels: ['labels'],
  requirements: ['requirements', 'classId'],
  payload: ['payload'],
  retry: ['retry'],
  continuity: ['requirements'],
  dependsOn: ['dependsOn'],
  hold: ['hold'],
  notBefore: ['notBefore'],
  attempt: ['attempt'],
  attempts: ['attempts'],
  worker: ['workerId'],
  workerId: ['workerId'],
  queue: ['queueId'],
  exitCode: ['exitCode'],
  error: ['error'],
  metrics: ['metrics'],
  outputs: ['outputs'],
  outputFiles: ['outputs', 'attempts', 'updatedAt'],
  nodeFiles: ['payload'],
  log: ['attempt', 'attempts', 'queueId'],
  transitions: ['transitions'],
  createdAt: ['createdAt'],
  updatedAt: ['updatedAt'],
  stateTimes: ['stateTimes'],
  revision: ['revision'],
  retryOf: ['retryOf'],
  retriedBy: ['retriedBy'],
  pending: [
    'share',
    'priority',
    'classId',
    'hold',
    'notBefore',
    'avoid',
    'waitingFor',
    'attempt',
    'attempts',
    'retry',
  ],
  diagnosis: [
    ...['revision', 'name', 'priority', 'classId', 'requirements', 'retry', 'hold', 'notBefore', 'avoid'],
    ...['dependsOn', 'waitingFor', 'attempt', 'attempts', 'queueId', 'error', 'transitions', 'stateTimes'],
    ...['retriedBy', 'workflow', 'fleet'],
  ],
};

/** Small fields that the visibility rules need. */
const always = [
  ...['experiment', 'owner', 'submittedBy', 'taskId', 'share'],
  ...['state', 'queue', 'workerId', 'fence'],
];

const jobType = 'Job';
const remembered = new WeakMap<FieldNode, JobProjection>();

/**
 * Stored fields for the selection below the resolved field.
 * @param path fields between the resolved field and the jobs, such as `['edges', 'node']`; several paths are
 *   combined
 */
export function jobProjection(
  info: Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>,
  ...paths: readonly (readonly string[])[]
): JobProjection {
  const [first] = info.fieldNodes;
  const known = info.fieldNodes.length === 1 && first ? remembered.get(first) : undefined;
  if (known) return known;
  const names = new Set<string>();
  for (const path of paths.length > 0 ? paths : [[]]) {
    for (const node of info.fieldNodes) collect(node.selectionSet, path, info.fragments, names);
  }
  const fields = new Set([...always, ...[...names].flatMap((name) => storedFields[name] ?? [])]);
  const projection = Object.fromEntries([...fields].sort().map((field) => [field, 1] as const));
  // The nodes of a repeated operation are the same objects, and a field always has the same paths.
  if (info.fieldNodes.length === 1 && first) remembered.set(first, projection);
  return projection;
}

function collect(
  selection: SelectionSetNode | undefined,
  path: readonly string[],
  fragments: GraphQLResolveInfo['fragments'],
  names: Set<string>,
): void {
  for (const node of selection?.selections ?? []) {
    if (node.kind === 'Field') {
      const [next, ...rest] = path;
      if (next === undefined) names.add(node.name.value);
      else if (node.name.value === next) collect(node.selectionSet, rest, fragments, names);
      continue;
    }
    const fragment = node.kind === 'FragmentSpread' ? fragments[node.name.value] : node;
    const condition = fragment?.typeCondition?.name.value;
    // Entities of other types in the same list have their own fragments.
    if (path.length > 0 || condition === undefined || condition === jobType)
      collect(fragment?.selectionSet, path, fragments, names);
  }
}
