/** One node of a workflow: its state with the reason, its job, and what depends on it. */
import { useFresh } from '../api/use-fresh.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { NodeCounts, NodeGlyph } from '../components/node-state.js';
import { second } from '../components/utc.js';
import { WorkflowNodeDetailsDocument, type WorkflowNodeDetailsQuery } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath } from '../routing/routes.js';

interface Props {
  /** The workflow. */
  readonly id: string;
  readonly name: string;
  readonly changes: number;
  readonly onChoose: (name: string) => void;
  readonly onClose: () => void;
}

/** Shows a node next to the graph. */
export function NodeDetails({ id, name, changes, onChoose, onClose }: Props) {
  const { data, failure } = useFresh(WorkflowNodeDetailsDocument, { id, names: [name] }, changes);
  const node = data?.workflow?.nodes.nodes[0];
  return (
    <aside className="card note" aria-label="Node" aria-live="polite">
      <h3>{name}</h3>
      <FailureNote failures={[failure]} />
      {node && (
        <>
          <Facts
            facts={{
              State: (
                <span className="node-counts">
                  <span>
                    <NodeGlyph state={node.state} />
                    {node.state}
                  </span>
                </span>
              ),
              Reason: node.reason,
              ...(node.endedBy && { 'Ended by': node.endedBy.subject }),
              Job: node.jobId === null ? null : <Link to={jobPath(node.jobId)}>{node.jobId}</Link>,
              'Part of': node.addedBy && (
                <button type="button" onClick={() => onChoose(node.addedBy?.name ?? '')}>
                  {node.addedBy.name}
                </button>
              ),
              Iteration: node.iteration,
              'Sub-graph': node.subgraph && subgraphText(node.subgraph),
              Label: node.label,
              Layer: node.depth + 1,
              Run: node.run,
              'Edges met': edgesText(node),
              Submitted: node.submittedAt === null ? null : second(node.submittedAt),
              Ended: node.endedAt === null ? null : second(node.endedAt),
            }}
          />
          {node.subgraph && <Iterations {...node.subgraph} />}
          <Dependents {...node.dependents} onChoose={onChoose} />
        </>
      )}
      <p>
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
    </aside>
  );
}

type Node = NonNullable<WorkflowNodeDetailsQuery['workflow']>['nodes']['nodes'][number];

type Subgraph = NonNullable<Node['subgraph']>;

function subgraphText({ template, maxIterations, iteration, until }: Subgraph): string {
  const condition = until === null ? '' : `, until ${until}`;
  return maxIterations === 1
    ? template
    : `${template}, iteration ${iteration} of at most ${maxIterations}${condition}`;
}

/** Numbers of nodes of the iterations of a loop, or of the only one. */
function Iterations({ iterations }: Subgraph) {
  if (iterations.length === 0) return null;
  return (
    <>
      <h4>Iterations</h4>
      <ol className="iterations">
        {iterations.map(({ number, counts }) => (
          <li key={number} value={number}>
            <NodeCounts counts={counts} />
          </li>
        ))}
      </ol>
    </>
  );
}

function edgesText({ metEdges, neededEdges, lostEdges }: Node): string {
  const lost = lostEdges > 0 ? `; ${lostEdges} can no longer be met` : '';
  return `${metEdges} of ${neededEdges}${lost}`;
}

function Dependents({
  nodes,
  totalCount,
  onChoose,
}: Node['dependents'] & { readonly onChoose: Props['onChoose'] }) {
  if (nodes.length === 0) return null;
  return (
    <>
      <h4>
        Nodes that depend on it{totalCount !== null && totalCount > nodes.length ? ` (${totalCount})` : ''}
      </h4>
      <ul className="dependents">
        {nodes.map(({ node, condition }) => (
          <li key={node.id}>
            <button type="button" onClick={() => onChoose(node.name)} title={`${node.name}: ${node.state}`}>
              <NodeGlyph state={node.state} /> {node.name}
              <span className="unseen"> {node.state}</span>
            </button>
            {condition !== 'SUCCEEDED' && <span className="muted"> if {condition}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}
