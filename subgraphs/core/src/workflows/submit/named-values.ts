/**
 * Checks secrets and datasets that the nodes of a workflow name, before they run once more or elsewhere: what
 * held when they were submitted may hold no more.
 */
import type { Principal } from '@rhizome/authz';
import type { ExperimentDirectory } from '../../jobs/ports.js';
import type { NodeSecret } from '../store/node-jobs.repository.js';
import type { NodeExaminerOptions, Owners } from './node-examiner.js';
import { nodeText } from './workflow-input.js';

/** Experiment and owner of the workflow whose nodes run. */
export interface NodesOwner extends Owners {
  readonly experiment: string;
}

/** A dataset that takes no outputs, with the name of a node that adds some. */
export interface ClosedDataset {
  readonly id: string;
  readonly node: string;
}

/** Texts about secrets that the principal may not use: the jobs would receive them. */
export async function missingSecrets(
  { secrets, consents }: Pick<NodeExaminerOptions, 'secrets' | 'consents'>,
  principal: Principal,
  { owner, submittedBy, experiment }: NodesOwner,
  named: readonly NodeSecret[],
): Promise<readonly string[]> {
  if (named.length === 0) return [];
  const allowed = submittedBy === undefined ? [] : await consents.secretNames(experiment, owner);
  const found = await secrets.usable(principal, { owner, experiment }, named, allowed);
  return named.flatMap(({ node, name }, at) =>
    found[at] == null
      ? [`${nodeText({ name: node })}: secret ${JSON.stringify(name)} not found, or you may not use it.`]
      : [],
  );
}

/**
 * Datasets that are not open, or not those of the owner.
 * @param named names of nodes, by the id of a dataset
 */
export async function closedDatasets(
  experiments: Pick<ExperimentDirectory, 'find'>,
  { owner, experiment }: Pick<NodesOwner, 'owner' | 'experiment'>,
  named: ReadonlyMap<string, string>,
): Promise<readonly ClosedDataset[]> {
  if (named.size === 0) return [];
  const found = (await (await experiments.find(experiment))?.datasets?.([...named.keys()])) ?? [];
  const open = new Set(
    found.flatMap((one) =>
      one.state === 'OPEN' && one.owner === owner && one.experiment === experiment ? [one._id] : [],
    ),
  );
  return [...named].flatMap(([id, node]) => (open.has(id) ? [] : [{ id, node }]));
}

/** Text about a dataset that takes no outputs. */
export function closedText({ id, node }: ClosedDataset): string {
  return `${nodeText({ name: node })} adds outputs to dataset "${id}", which is not open any more`;
}
