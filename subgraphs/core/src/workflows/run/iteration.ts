/** Nodes of an iteration of a sub-graph, from those of its template. */
import type { StoredNodeInput } from '../../jobs/model/job.types.js';
import type { AddedNode } from '../model/added-node.document.js';
import {
  namePrefix,
  type StoredSubgraph,
  type StoredTemplate,
  type StoredTemplateInput,
} from '../model/scopes.js';
import type { NodeDocument } from '../model/node.document.js';

/** Node whose sub-graph is repeated. */
export interface IterationUnit extends Pick<NodeDocument, 'name' | 'depth'> {
  readonly workflowId: string;
  readonly subgraph: StoredSubgraph;
}

/** Makes nodes. */
export class Iteration {
  readonly #unit: IterationUnit;
  readonly #layers: number;
  readonly #iteration: number;

  constructor(unit: IterationUnit, { layers }: Pick<StoredTemplate, 'layers'>, iteration: number) {
    this.#unit = unit;
    this.#layers = layers;
    this.#iteration = iteration;
  }

  /** Position of the template. */
  get template(): number {
    return this.#unit.subgraph.template;
  }

  /** A node of the iteration. One without edges of its own begins with it. */
  node({ inputs = [], ...node }: AddedNode): Omit<AddedNode, 'inputs'> & Partial<NodeDocument> {
    const { subgraph, job } = node;
    const isEntry = node.total === 0;
    const files = this.#inputs(inputs);
    const nodeInputs = { workflowId: this.#unit.workflowId, files };
    return {
      ...node,
      name: `${this.#prefix(this.#iteration)}${node.name}`,
      depth: this.#unit.depth + 1 + (this.#iteration - 1) * this.#layers + node.depth,
      iteration: this.#iteration,
      ...(isEntry ? { isEntry, total: 1, needed: 1, met: 1, state: 'READY' } : {}),
      ...(subgraph ? { subgraph: { ...subgraph, inputs: this.#inputs(subgraph.inputs) } } : {}),
      ...(job && files.length > 0 ? { job: { ...job, payload: { ...job.payload, nodeInputs } } } : {}),
    };
  }

  /** Inputs with the names that their sources have in the workflow. */
  #inputs(inputs: readonly StoredTemplateInput[]): readonly StoredNodeInput[] {
    return inputs.flatMap(({ input, isPrevious, ...file }): readonly StoredNodeInput[] => {
      if (input !== undefined) {
        const outer = this.#unit.subgraph.inputs.find(({ as }) => as === input);
        if (!outer) return [];
        const isOptional = file.isOptional === true || outer.isOptional === true;
        return [{ ...outer, as: file.as, ...(isOptional ? { isOptional } : {}) }];
      }
      if (isPrevious && this.#iteration === 1) return [];
      const prefix = this.#prefix(this.#iteration - (isPrevious ? 1 : 0));
      return [{ ...file, ...(file.node === undefined ? {} : { node: `${prefix}${file.node}` }) }];
    });
  }

  #prefix(iteration: number): string {
    return namePrefix(this.#unit, this.#unit.subgraph, iteration);
  }
}
