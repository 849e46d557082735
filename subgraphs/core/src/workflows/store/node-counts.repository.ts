/** Counts of the nodes of workflows by depth and label. */
import { collection } from '@rhizome/mongo';
import type { Collection, Db } from 'mongodb';
import { type NodeDocument, nodeRange, nodesCollection } from '../model/node.document.js';
import type { StoredNodeState } from '../model/workflow.types.js';

/** Counts of stored nodes. */
export class NodeCountsRepository {
  readonly #nodes: Collection<NodeDocument>;

  constructor(db: Db) {
    this.#nodes = collection(db, nodesCollection);
  }

  /** Numbers of nodes by depth and state. */
  async depths(
    workflowId: string,
  ): Promise<readonly { readonly depth: number; readonly state: StoredNodeState; readonly nodes: number }[]> {
    return this.#nodes
      .aggregate<{ depth: number; state: StoredNodeState; nodes: number }>(
        [
          { $match: { workflowId } },
          { $group: { _id: { depth: '$depth', state: '$state' }, nodes: { $sum: 1 } } },
          { $sort: { '_id.depth': 1 } },
          { $project: { _id: 0, depth: '$_id.depth', state: '$_id.state', nodes: 1 } },
        ],
        { hint: 'workflowId_depth_idx' },
      )
      .toArray();
  }

  /** Numbers of nodes by depth, label and state, from the top. */
  async placeCounts(
    workflowId: string,
  ): Promise<
    readonly (Pick<NodeDocument, 'depth' | 'label' | 'isFinal' | 'state'> & { readonly nodes: number })[]
  > {
    const fields = { depth: '$depth', label: '$label', isFinal: '$isFinal', state: '$state' };
    return this.#nodes
      .aggregate<Pick<NodeDocument, keyof typeof fields> & { nodes: number }>(
        [
          { $match: { _id: nodeRange(workflowId) } },
          { $group: { _id: fields, nodes: { $sum: 1 } } },
          { $replaceWith: { $mergeObjects: ['$_id', { nodes: '$nodes' }] } },
          { $sort: { depth: 1, label: 1, isFinal: 1 } },
        ],
        { hint: '_id_' },
      )
      .toArray();
  }

  /** Numbers of the first nodes of a workflow by label, with their largest depth. */
  async groupCounts(
    workflowId: string,
    count: number,
  ): Promise<readonly (Pick<NodeDocument, 'label' | 'isFinal' | 'depth'> & { readonly nodes: number })[]> {
    return this.#nodes
      .aggregate<Pick<NodeDocument, 'label' | 'isFinal' | 'depth'> & { nodes: number }>([
        { $match: { _id: nodeRange(workflowId, 0, count) } },
        {
          $group: {
            _id: { label: '$label', isFinal: '$isFinal' },
            ...{ depth: { $max: '$depth' }, nodes: { $sum: 1 } },
          },
        },
        { $replaceWith: { $mergeObjects: ['$_id', { depth: '$depth', nodes: '$nodes' }] } },
      ])
      .toArray();
  }

  /** Characters of the longest name of the first nodes of a workflow. */
  async longestName(workflowId: string, count: number): Promise<number> {
    const longest = { $max: { $strLenCP: '$name' } };
    const [found] = await this.#nodes
      .aggregate<{ longest: number }>([
        { $match: { _id: nodeRange(workflowId, 0, count) } },
        { $group: { _id: null, longest } },
      ])
      .toArray();
    return found?.longest ?? 0;
  }

  /** Label and depth of all nodes of a workflow, in order. */
  async *places(
    workflowId: string,
  ): AsyncGenerator<Pick<NodeDocument, 'index' | 'label' | 'isFinal' | 'depth'>> {
    const projection = { index: 1, label: 1, isFinal: 1, depth: 1 } as const;
    yield* this.#nodes.find(
      { _id: nodeRange(workflowId) },
      { projection, sort: { _id: 1 }, batchSize: 5000 },
    );
  }
}
