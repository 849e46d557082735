/** Access to the edges of workflows. Blocks never change, so that the latest ones stay in memory. */
import { collection } from '@rhizome/mongo';
import { LRUCache } from 'lru-cache';
import type { Collection, Db } from 'mongodb';
import { insertAbsent } from '../../shared/duplicate-keys.repository.js';
import { edgesCollection, type EdgesDocument, edgesSchemaVersion } from '../model/edges.document.js';
import { bytesOf, type EdgeBlock, nodesPerBlock, numbersIn } from '../model/edges.js';

/** Most numbers that the blocks in memory have together; one block has far fewer. */
const maxKept = 4_000_000;

/** Stored edges. */
export class EdgesRepository {
  readonly #edges: Collection<EdgesDocument>;
  readonly #kept = new LRUCache<string, EdgeBlock>({ maxSize: maxKept, sizeCalculation: sizeOf });

  constructor(db: Db) {
    this.#edges = collection(db, edgesCollection);
  }

  /** Inserts blocks; those that exist are not changed. */
  async insert(workflowId: string, blocks: Iterable<EdgeBlock>, now: Date): Promise<void> {
    for (const { first, offsets, targets } of blocks)
      await insertAbsent(this.#edges, [
        {
          _id: blockId(workflowId, first),
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
  async containing(workflowId: string, nodes: Iterable<number>): Promise<ReadonlyMap<number, EdgeBlock>> {
    const found = new Map<number, EdgeBlock>();
    const missing: number[] = [];
    for (const first of new Set([...nodes].map(firstOf))) {
      const known = this.#kept.get(blockId(workflowId, first));
      if (known) found.set(first, known);
      else missing.push(first);
    }
    if (missing.length === 0) return found;
    const read = await this.#edges
      .find({ _id: { $in: missing.map((first) => blockId(workflowId, first)) } }, { promoteBuffers: true })
      .toArray();
    for (const document of read) {
      const block = blockOf(document);
      found.set(block.first, block);
      this.#kept.set(document._id, block);
    }
    return found;
  }

  /** All blocks of a workflow with this many nodes, in order. */
  async all(workflowId: string, nodes: number): Promise<readonly EdgeBlock[]> {
    const firsts = Array.from({ length: Math.ceil(nodes / nodesPerBlock) }, (_, at) => at * nodesPerBlock);
    const found = await this.containing(workflowId, firsts);
    return firsts.flatMap((first) => found.get(first) ?? []);
  }

  /** Deletes the edges of a workflow that was removed. */
  async drop(workflowId: string): Promise<void> {
    await this.#edges.deleteMany({ _id: { $gte: blockId(workflowId, 0), $lt: `${workflowId}0` } });
  }
}

/** Position of the first node of the block of a node. */
export function firstOf(node: number): number {
  return node - (node % nodesPerBlock);
}

function sizeOf({ offsets, targets }: EdgeBlock): number {
  return offsets.length + targets.length;
}

function blockId(workflowId: string, first: number): string {
  return `${workflowId}/${String(first / nodesPerBlock).padStart(4, '0')}`;
}

function blockOf({ _id, offsets, targets }: EdgesDocument): EdgeBlock {
  return {
    first: Number(_id.slice(_id.indexOf('/') + 1)) * nodesPerBlock,
    offsets: numbersIn(offsets),
    targets: numbersIn(targets),
  };
}
