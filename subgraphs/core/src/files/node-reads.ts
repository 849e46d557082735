/** Finds which outputs of other nodes the job of a node reads. */
import type { JobDocument, StoredNodeInputs } from '../jobs/model/job.types.js';
import { nodeIdOf, type NodeFacts } from '../workflows/model/node.document.js';
import { maxNesting, ScopePlaces } from '../workflows/model/scopes.js';
import type { NodesRepository } from '../workflows/store/nodes.repository.js';
import type { WorkflowsRepository } from '../workflows/store/workflows.repository.js';
import { storingNode } from '../workflows/views/subgraph-view.js';

/** Dependencies of {@link NodeReads}. */
export interface NodeReadsOptions {
  readonly nodes: Pick<NodesRepository, 'findMany'>;
  readonly workflows: Pick<WorkflowsRepository, 'scopes'>;
}

/** Output of a job that is asked for. */
interface Asked {
  readonly jobId: string;
  readonly output: string;
  /** Node that stores it, or one whose sub-graph that node is in. */
  readonly node: NodeFacts;
}

/** Jobs of which outputs are asked for, and the names of these. */
export interface AskedOutputs {
  readonly jobs: readonly Pick<JobDocument, '_id' | 'workflow'>[];
  readonly outputs: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Looks from the nodes that store outputs to those that are read, of which an input may name many. */
export class NodeReads {
  readonly #options: NodeReadsOptions;

  constructor(options: NodeReadsOptions) {
    this.#options = options;
  }

  /** Names of the outputs that the inputs of a job name, by the id of the job that has stored them. */
  async of(
    inputs: StoredNodeInputs | undefined,
    { jobs, outputs }: AskedOutputs,
  ): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const read = new Map<string, Set<string>>();
    if (!inputs) return read;
    let left = await this.#asked(inputs.workflowId, jobs, outputs);
    let outer: ((asked: readonly Asked[]) => Promise<readonly Asked[]>) | undefined;
    for (let depth = 0; left.length > 0; depth += 1) {
      const others: Asked[] = [];
      for (const asked of left)
        if (isRead(inputs, asked))
          read.set(asked.jobId, (read.get(asked.jobId) ?? new Set()).add(asked.output));
        else others.push(asked);
      if (others.length === 0 || depth === maxNesting) break;
      outer ??= await this.#outer(inputs.workflowId);
      left = await outer(others);
    }
    return read;
  }

  async #asked(
    workflowId: string,
    jobs: AskedOutputs['jobs'],
    outputs: AskedOutputs['outputs'],
  ): Promise<readonly Asked[]> {
    const own = jobs.flatMap(({ _id: jobId, workflow }) =>
      workflow?.id === workflowId ? [{ jobId, index: workflow.node }] : [],
    );
    const nodes = await this.#nodes(
      workflowId,
      own.map(({ index }) => index),
    );
    return own.flatMap(({ jobId, index }) => {
      const node = nodes.get(index);
      return node ? [...(outputs.get(jobId) ?? [])].map((output) => ({ jobId, output, node })) : [];
    });
  }

  /** Goes from nodes to those of their sub-graphs, where these pass the output on. */
  async #outer(workflowId: string): Promise<(asked: readonly Asked[]) => Promise<readonly Asked[]>> {
    const [workflow] = await this.#options.workflows.scopes([workflowId]);
    const { additions = [] } = workflow ?? {};
    const places = new ScopePlaces(additions);
    const unitOf = ({ index }: NodeFacts): number | undefined => {
      const place = places.of(index);
      return place && additions[place.addition]?.by;
    };
    return async (asked) => {
      const units = await this.#nodes(
        workflowId,
        asked.flatMap(({ node }) => unitOf(node) ?? []),
      );
      return asked.flatMap((one) => {
        const unit = units.get(unitOf(one.node) ?? -1);
        const isPassed = unit && workflow && storingNode(unit, one.output, workflow) === one.node.name;
        return isPassed ? [{ ...one, node: unit }] : [];
      });
    };
  }

  async #nodes(workflowId: string, indexes: readonly number[]): Promise<ReadonlyMap<number, NodeFacts>> {
    if (indexes.length === 0) return new Map();
    const ids = [...new Set(indexes)].map((index) => nodeIdOf(workflowId, index));
    return new Map((await this.#options.nodes.findMany(ids)).map((node) => [node.index, node]));
  }
}

function isRead({ files }: StoredNodeInputs, { node, output }: Asked): boolean {
  return files.some(
    (input) =>
      input.output === output &&
      (input.label === undefined ? node.name === input.node : node.label === input.label && !node.isFinal),
  );
}
