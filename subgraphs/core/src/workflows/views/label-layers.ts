/** Nodes of a workflow by label and depth, with the edges between these sets, to draw a large workflow. */
import { childOf, edgesFrom } from '../model/edges.js';
import { leadsFrom, leadsTo, type NodePlace, nodesIn, noNodes } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { type NodeCounts, type NodeState, shownState } from '../model/workflow.types.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeCountsRepository } from '../store/node-counts.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { KeptViews } from './kept-views.js';

/** Nodes with the same label and depth. */
export interface LabelLayerView extends NodePlace {
  readonly depth: number;
  readonly counts: NodeCounts;
  /** Positions in the list of the sets that edges lead to from here, ascending. */
  readonly dependents: readonly number[];
}

/** Stores that {@link LabelLayers} reads. */
export interface LabelLayersOptions {
  readonly workflows: Pick<WorkflowsRepository, 'size'>;
  readonly counts: Pick<NodeCountsRepository, 'places' | 'placeCounts'>;
  readonly edges: Pick<EdgesRepository, 'all'>;
}

/** Most sets that one call shows. */
const maxShown = 1000;
/** Most sets that each one names as its dependents. */
const maxDependents = 100;
const maxKept = 50;

/** Reads the sets, and keeps those of the latest workflows: edges never change, and nodes by steps only. */
export class LabelLayers {
  readonly #options: LabelLayersOptions;
  readonly #dependents = new KeptViews<readonly (readonly number[])[]>(maxKept);
  readonly #layers = new KeptViews<readonly LabelLayerView[]>(maxKept);

  constructor(options: LabelLayersOptions) {
    this.#options = options;
  }

  /** The first 1,000 sets, from the top; none while nodes are still being stored. */
  async of(workflow: WorkflowDocument): Promise<readonly LabelLayerView[]> {
    if (workflow.state === 'OPEN') return [];
    return this.#layers.of(workflow, () => this.#read(workflow));
  }

  async #read(workflow: WorkflowDocument): Promise<readonly LabelLayerView[]> {
    const counts = new Map<string, NodePlace & { depth: number; counts: Record<NodeState, number> }>();
    for (const { label, isFinal, depth, state, nodes } of await this.#options.counts.placeCounts(
      workflow._id,
    )) {
      const key = keyOf({ label, isFinal, depth });
      const layer = counts.get(key) ?? { label, isFinal, depth, counts: { ...noNodes } };
      counts.set(key, layer);
      layer.counts[shownState(state)] += nodes;
    }
    const shown = [...counts.values()].slice(0, maxShown);
    // Edges never change, except that payloads add nodes, whose edges are stored before them.
    const stored = [...counts.values()].reduce((sum, layer) => sum + nodesIn(layer.counts), 0);
    const dependents = await this.#dependents.of({ _id: workflow._id, revision: stored }, () =>
      this.#readDependents(workflow, shown, stored),
    );
    return shown.map((layer, at) => ({ ...layer, dependents: dependents[at] ?? [] }));
  }

  async #readDependents(
    workflow: WorkflowDocument,
    layers: readonly Layer[],
    count: number,
  ): Promise<readonly (readonly number[])[]> {
    const { workflows, counts, edges } = this.#options;
    const { _id, groupEdges } = workflow;
    const positions = new Map(layers.map((layer, at) => [keyOf(layer), at]));
    const dependents = layers.map(() => new Set<number>());
    const layerOf = new Int32Array(count).fill(-1);
    for await (const place of counts.places(_id)) layerOf[place.index] = positions.get(keyOf(place)) ?? -1;
    // The places of edges follow from the additions, which workflows of queries do not have.
    const owner = await workflows.size(_id);
    for (const block of owner ? await edges.all(owner) : [])
      for (let node = block.first; node < block.first + block.offsets.length - 1; node += 1) {
        const from = dependents[layerOf[node] ?? -1];
        if (!from) continue;
        for (const target of edgesFrom(block, node)) from.add(layerOf[childOf(target)] ?? -1);
      }
    for (const edge of groupEdges)
      layers.forEach((from, at) => {
        if (!leadsFrom(edge, from)) return;
        layers.forEach((to, position) => {
          if (leadsTo(edge, to)) dependents[at]?.add(position);
        });
      });
    return dependents.map((found) =>
      [...found]
        .filter((at) => at >= 0)
        .sort((one, other) => one - other)
        .slice(0, maxDependents),
    );
  }
}

type Layer = NodePlace & { readonly depth: number };

const keyOf = ({ label, isFinal, depth }: Layer): string => `${depth} ${isFinal ? 1 : 0} ${label}`;
