/** The graph of a workflow: boxes and arrows, with the details of the node that is chosen. */
import { useCallback, useMemo, useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { NodeLegend, nodeStates } from '../components/node-state.js';
import { WorkflowGraphDocument, type WorkflowNodeState } from '../operations.generated.js';
import { type BoxGraph, foldLayers, graphOfNodes, type LabelLayer } from './fold.js';
import { GraphCanvas } from './graph-canvas.js';
import { NodeDetails } from './node-details.js';

/** Workflows of at most this many nodes are shown node by node. */
const mostSingleNodes = 60;

interface Props {
  readonly id: string;
  readonly layers: readonly LabelLayer[];
  /** Number of nodes, also of those that are below the layers. */
  readonly nodes: number;
  /** Number of changes so far: nodes are read again after each. */
  readonly changes: number;
}

/** Shows a small workflow node by node, and a large one by label and layer. */
export function WorkflowGraph({ id, layers, nodes, changes }: Props) {
  const total = layers.reduce((sum, { counts }) => sum + counts.total, 0);
  const [state, setState] = useState<WorkflowNodeState | ''>('');
  const [chosen, setChosen] = useState<string | null>(null);
  const shape = JSON.stringify(layers.map(({ label, isFinal, depth }) => [label, isFinal, depth]));
  // Only the numbers change.
  const folded = useMemo(() => foldLayers(layers), [shape]);
  const choose = useCallback((name: string) => setChosen(name), []);
  const common = { id, changes, onChoose: choose, chosen };
  return (
    <section className="workflow">
      <h2>Graph</h2>
      <div className="workflow-tools">
        <NodeLegend />
        {total > mostSingleNodes && (
          <label>
            Nodes in boxes{' '}
            <select value={state} onChange={({ target }) => setState(target.value as WorkflowNodeState | '')}>
              <option value="">all</option>
              {nodeStates.map(([one]) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          </label>
        )}
        {folded.layersPerBox > 1 && total > mostSingleNodes && (
          <span className="muted">{folded.layersPerBox} layers in a box</span>
        )}
        {total < nodes && (
          <span className="muted">
            the first {total.toLocaleString('en')} of {nodes.toLocaleString('en')} nodes
          </span>
        )}
      </div>
      <div className="workflow-view">
        {total <= mostSingleNodes ? (
          <SingleNodes {...common} folded={folded} layers={layers} />
        ) : (
          <GraphCanvas {...common} graph={folded} layers={layers} state={state === '' ? null : state} />
        )}
        {chosen !== null && (
          <NodeDetails
            key={chosen}
            id={id}
            name={chosen}
            changes={changes}
            onChoose={choose}
            onClose={() => setChosen(null)}
          />
        )}
      </div>
    </section>
  );
}

interface SingleProps extends Omit<Props, 'nodes'> {
  readonly folded: BoxGraph;
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

function SingleNodes({ id, folded, layers, changes, chosen, onChoose }: SingleProps) {
  const { data } = useFresh(WorkflowGraphDocument, { id }, changes);
  const found = data?.workflow;
  const graph = useMemo(() => found && graphOfNodes(found.nodes.nodes, found.groupEdges), [found]);
  if (graph === undefined) return null;
  const common = { id, layers, changes, chosen, onChoose, state: null };
  return <GraphCanvas {...common} graph={graph ?? folded} />;
}
