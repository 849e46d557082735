/** A box of a graph: one node, or nodes by label and layer, which it shows when it is opened. */
import { memo } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { NodeCounts, NodeGlyph, nodeStates } from '../components/node-state.js';
import {
  type NodeCountsFragment,
  type NodeMarkFragment,
  WorkflowNodesDocument,
  type WorkflowNodeState,
} from '../operations.generated.js';
import { type Box, layersText, titleOf } from './fold.js';
import type { Point } from './layout.js';

interface Size {
  readonly width: number;
  readonly height: number;
}

const nodeSize: Size = { width: 176, height: 40 };
const closedSize: Size = { width: 208, height: 88 };
/** Nodes of an opened box, in pixels and numbers. */
const grid = { columns: 14, cell: 26, head: 70, padding: 10, more: 38 };
const nodesPerPage = 100;
const mostPages = 5;

/** Number of nodes of a box in a state. */
function countIn(counts: NodeCountsFragment, state: WorkflowNodeState | null): number {
  const field = nodeStates.find(([one]) => one === state)?.[1] ?? 'total';
  return counts[field];
}

/** Size of a box whose first pages are shown; with 0 pages, it is closed. */
export function sizeOf(
  { node }: Box,
  counts: NodeCountsFragment,
  state: WorkflowNodeState | null,
  pages: number,
): Size {
  if (node) return nodeSize;
  if (pages === 0) return closedSize;
  const count = countIn(counts, state);
  const shown = Math.min(count, pages * nodesPerPage);
  const rows = Math.max(1, Math.ceil(shown / grid.columns));
  const width = grid.columns * grid.cell + 2 * grid.padding;
  const more = shown < count ? grid.more : 0;
  return { width, height: grid.head + rows * grid.cell + grid.padding + more };
}

interface Props {
  readonly workflowId: string;
  readonly box: Box;
  readonly size: Size;
  readonly at: Point;
  readonly counts: NodeCountsFragment;
  readonly state: WorkflowNodeState | null;
  readonly pages: number;
  readonly changes: number;
  readonly chosen: string | null;
  /** Element that the tab key reaches. */
  readonly tabStop: string | undefined;
  readonly onFocus: (id: string) => void;
  readonly onOpen: (id: string, pages: number) => void;
  readonly onChoose: (name: string) => void;
}

/** A box at its place. */
export function GraphBox(props: Props) {
  const { box, size, at } = props;
  const style = { left: at.x, top: at.y, width: size.width, height: size.height };
  return (
    <div className={box.node ? 'box box-node' : `box ${accentOf(props.counts)}`} style={style}>
      {box.node ? <SingleNode {...props} node={box.node} /> : <NodeSet {...props} />}
    </div>
  );
}

function accentOf({ failed, cancelled, submitted, waiting }: NodeCountsFragment): string {
  if (failed + cancelled > 0) return 'box-bad';
  if (submitted > 0) return 'box-busy';
  return waiting > 0 ? '' : 'box-good';
}

function SingleNode({ box, node, chosen, tabStop, onFocus, onChoose }: Props & { node: NodeMarkFragment }) {
  return (
    <button
      type="button"
      className="box-head"
      data-spot={box.id}
      data-state={node.state}
      title={`${node.name}: ${node.state}`}
      tabIndex={tabStop === box.id ? 0 : -1}
      aria-pressed={chosen === node.name}
      onFocus={() => onFocus(box.id)}
      onClick={() => onChoose(node.name)}
    >
      <NodeGlyph state={node.state} />
      <span className="box-title">{node.name}</span>
      <span className="unseen"> {node.state}</span>
    </button>
  );
}

function NodeSet(props: Props) {
  const { box, counts, pages, tabStop, onFocus, onOpen } = props;
  return (
    <>
      <button
        type="button"
        className={pages > 0 ? 'box-head' : 'box-head box-closed'}
        data-spot={box.id}
        title={titleOf(box)}
        tabIndex={tabStop === box.id ? 0 : -1}
        aria-expanded={pages > 0}
        onFocus={() => onFocus(box.id)}
        onClick={() => onOpen(box.id, pages > 0 ? 0 : 1)}
      >
        <span className="box-title">{titleOf(box)}</span>
        <span className="muted">
          {layersText(box)} · {counts.total.toLocaleString('en')} {counts.total === 1 ? 'node' : 'nodes'}
        </span>
        <NodeCounts counts={counts} />
      </button>
      {pages > 0 && (
        <div className="box-nodes">
          <NodePage {...props} after={null} left={pages} />
        </div>
      )}
    </>
  );
}

interface PageProps extends Props {
  readonly after: string | null;
  /** Number of pages to show from here on. */
  readonly left: number;
}

/** A page of the nodes of a box, and the next ones behind it. */
function NodePage(props: PageProps) {
  const { workflowId, box, state, changes, after, left } = props;
  const { label, minDepth, maxDepth } = box;
  const filter = {
    ...{ minDepth, maxDepth },
    // Core stores the empty label for nodes without one.
    ...(label !== undefined && { labels: [label ?? ''] }),
    ...(state !== null && { states: [state] }),
  };
  const { data } = useFresh(WorkflowNodesDocument, { id: workflowId, filter, after }, changes);
  const page = data?.workflow?.nodes;
  if (!page) return null;
  const next = page.pageInfo.hasNextPage ? page.pageInfo.endCursor : null;
  return (
    <>
      {page.nodes.map((node) => (
        <NodeMark
          key={node.id}
          node={node}
          isChosen={props.chosen === node.name}
          isTabStop={props.tabStop === node.id}
          onFocus={props.onFocus}
          onChoose={props.onChoose}
        />
      ))}
      {page.nodes.length === 0 && after === null && <p className="muted">no nodes in this state</p>}
      {next !== null && left > 1 && <NodePage {...props} after={next} left={left - 1} />}
      {next !== null && left === 1 && <More {...props} />}
    </>
  );
}

function More({ box, pages, tabStop, onFocus, onOpen }: Props) {
  if (pages >= mostPages)
    return (
      <p className="muted">{mostPages * nodesPerPage} nodes are shown: choose a state above the graph</p>
    );
  const spot = `${box.id} more`;
  return (
    <button
      type="button"
      className="box-more"
      data-spot={spot}
      tabIndex={tabStop === spot ? 0 : -1}
      onFocus={() => onFocus(spot)}
      onClick={() => onOpen(box.id, pages + 1)}
    >
      {nodesPerPage} more
    </button>
  );
}

interface MarkProps {
  readonly node: NodeMarkFragment;
  readonly isChosen: boolean;
  readonly isTabStop: boolean;
  readonly onFocus: (id: string) => void;
  readonly onChoose: (name: string) => void;
}

/** A node as its shape. */
const NodeMark = memo(function NodeMark({ node, isChosen, isTabStop, onFocus, onChoose }: MarkProps) {
  const { id, name, state } = node;
  return (
    <button
      type="button"
      className="node-mark"
      data-spot={id}
      data-state={state}
      title={`${name}: ${state}`}
      aria-label={`${name}: ${state}`}
      aria-pressed={isChosen}
      tabIndex={isTabStop ? 0 : -1}
      onFocus={() => onFocus(id)}
      onClick={() => onChoose(name)}
    >
      <NodeGlyph state={state} />
    </button>
  );
});
