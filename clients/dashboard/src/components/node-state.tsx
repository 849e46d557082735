import type { ReactNode } from 'react';
import type { NodeCountsFragment, WorkflowNodeState } from '../operations.generated.js';

/** States of nodes in the order of their life, with the field of their number. */
export const nodeStates = [
  ['WAITING', 'waiting'],
  ['SUBMITTED', 'submitted'],
  ['SUCCEEDED', 'succeeded'],
  ['FAILED', 'failed'],
  ['SKIPPED', 'skipped'],
  ['CANCELLED', 'cancelled'],
] as const satisfies readonly (readonly [WorkflowNodeState, keyof NodeCountsFragment])[];

/** Each state has a shape of its own, besides its colour. */
const shapes: Readonly<Record<WorkflowNodeState, ReactNode>> = {
  WAITING: <circle cx="7" cy="7" r="5" className="outline" />,
  SUBMITTED: <path d="M3 1.5 L12.5 7 L3 12.5 Z" />,
  SUCCEEDED: (
    <>
      <circle cx="7" cy="7" r="6" />
      <path d="M4 7.2 L6.2 9.4 L10 4.8" className="mark" />
    </>
  ),
  FAILED: (
    <>
      <rect x="1" y="1" width="12" height="12" rx="1" />
      <path d="M4.2 4.2 L9.8 9.8 M9.8 4.2 L4.2 9.8" className="mark" />
    </>
  ),
  SKIPPED: <path d="M7 1.5 L12.5 7 L7 12.5 L1.5 7 Z" className="outline" />,
  CANCELLED: (
    <>
      <path d="M4.2 1 H9.8 L13 4.2 V9.8 L9.8 13 H4.2 L1 9.8 V4.2 Z" className="outline" />
      <path d="M4 7 H10" className="outline" />
    </>
  ),
};

/** The shape of a state. What it stands for is next to it, or in the name of the element around it. */
export function NodeGlyph({ state }: { state: WorkflowNodeState }) {
  return (
    <svg className={`glyph glyph-${state.toLowerCase()}`} viewBox="0 0 14 14" aria-hidden="true">
      {shapes[state]}
    </svg>
  );
}

/** Numbers of nodes by state, with shapes; states without nodes are left out. */
export function NodeCounts({ counts }: { counts: NodeCountsFragment }) {
  const shown = nodeStates.filter(([, field]) => counts[field] > 0);
  return (
    <span className="node-counts">
      {shown.map(([state, field]) => (
        <span key={state} data-state={state} title={state}>
          <NodeGlyph state={state} />
          {counts[field].toLocaleString('en')}
          <span className="unseen"> {state} </span>
        </span>
      ))}
    </span>
  );
}

/** Meaning of the shapes. */
export function NodeLegend() {
  return (
    <ul className="node-counts" aria-label="Shapes of states">
      {nodeStates.map(([state]) => (
        <li key={state}>
          <NodeGlyph state={state} />
          {state}
        </li>
      ))}
    </ul>
  );
}
