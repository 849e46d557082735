/** Access to the edges of workflows. Blocks never change, so that the latest ones stay in memory. */
import { collection } from '@rhizome/mongo';
import { LRUCache } from 'lru-cache';
import type { Collection, Db } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import { blockStart, blockStarts, segmentsOf, submittedNodes } from '../model/additions.js';
import { edgesCollection, type EdgesDocument, edgesSchemaVersion } from '../model/edges.document.js';
import { bytesOf, type EdgeBlock, nodesPerBlock, numbersIn } from '../model/edges.js';
import type { WorkflowDocument } from '../model/workflow.document.js';

/** Most numbers that the blocks in memory have together; one block has far fewer. */
const maxKept = 4_000_000;

/** Workflow as its blocks need it. */
export type BlockOwner = Pick<WorkflowDocument, '_id' | 'nodes' | 'additions'>;

/** Stored edges. */
export class EdgesRepository {
  readonly #edges: Collection<EdgesDocument>;
  readonly #kept = new LRUCache<string, EdgeBlock>({ maxSize: maxKept, sizeCalculation: sizeOf });

  constructor(db: Db) {
    this.#edges = collection(db, edgesCollection);
  }

  /**
   * Inserts blocks; those that exist are not changed.
   * @param areAdded true for edges of nodes that a payload added
   */
  async insert(workflowId: string, blocks: Iterable<EdgeBlock>, now: Date, areAdded = false): Promise<void> {
    for (const { first, offsets, targets } of blocks)
      await insertAbsent(this.#edges, [
        {
          _id: blockId(workflowId, first, areAdded),
          schemaVersion: edgesSchemaVersion,
          revision: 1,
          createdAt: now,
          workflowId,
          offsets: bytesOf(offsets),
          targets: bytesOf(targets),
        },
      ]);
  }

  /** Blocks that contain these nodes, by the position of their first node. */
  containing(workflow: BlockOwner, nodes: Iterable<number>): Promise<ReadonlyMap<number, EdgeBlock>> {
    const segments = segmentsOf(workflow);
    return this.#blocks(workflow, new Set([...nodes].map((node) => blockStart(node, segments))));
  }

  /** Blocks by the position of their first node. */
  async #blocks(workflow: BlockOwner, firsts: Iterable<number>): Promise<ReadonlyMap<number, EdgeBlock>> {
    const submitted = submittedNodes(workflow);
    const idOf = (first: number): string => blockId(workflow._id, first, first >= submitted);
    const found = new Map<number, EdgeBlock>();
    const missing: number[] = [];
    for (const first of firsts) {
      const known = this.#kept.get(idOf(first));
      if (known) found.set(first, known);
      else missing.push(first);
    }
    if (missing.length === 0) return found;
    const read = await this.#edges
      .find({ _id: { $in: missing.map(idOf) } }, { promoteBuffers: true })
      .toArray();
    for (const document of read) {
      const block = blockOf(document);
      found.set(block.first, block);
      this.#kept.set(document._id, block);
    }
    return found;
  }

  /** All blocks of a workflow, in order. */
  async all(workflow: BlockOwner): Promise<readonly EdgeBlock[]> {
    const firsts = blockStarts(segmentsOf(workflow));
    const found = await this.#blocks(workflow, firsts);
    return firsts.flatMap((first) => found.get(first) ?? []);
  }

  /** Deletes the edges of a workflow that was removed. */
  async drop(workflowId: string): Promise<void> {
    await this.#edges.deleteMany({ _id: { $gte: `${workflowId}/`, $lt: `${workflowId}0` } });
  }
}

function sizeOf({ offsets, targets }: EdgeBlock): number {
  return offsets.length + targets.length;
}

/** Blocks of submitted nodes begin at multiples of their size; those of added nodes anywhere. */
function blockId(workflowId: string, first: number, isAdded: boolean): string {
  return isAdded
    ? `${workflowId}/a${String(first).padStart(7, '0')}`
    : `${workflowId}/${String(first / nodesPerBlock).padStart(4, '0')}`;
}

function blockOf({ _id, offsets, targets }: EdgesDocument): EdgeBlock {
  const place = _id.slice(_id.indexOf('/') + 1);
  return {
    first: place.startsWith('a') ? Number(place.slice(1)) : Number(place) * nodesPerBlock,
    offsets: numbersIn(offsets),
    targets: numbersIn(targets),
  };
}
