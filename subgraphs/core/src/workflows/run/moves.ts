/** Counts of a workflow that change with the states of its nodes. */
import { movedGroups, type NodeMove } from '../model/node-rules.js';
import { movedScopes } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { WorkflowPatch } from '../store/workflows.repository.js';

/** Counts of the workflow, and of its sub-graphs, after nodes have changed their states. */
export function movedCounts(
  { groups, additions }: Pick<WorkflowDocument, 'groups' | 'additions'>,
  moves: readonly (NodeMove & { readonly index: number })[],
): Required<Pick<WorkflowDocument, 'groups'>> & Pick<WorkflowPatch, 'additions'> {
  return {
    groups: movedGroups(groups, moves),
    ...(additions ? { additions: movedScopes(additions, moves) } : {}),
  };
}
