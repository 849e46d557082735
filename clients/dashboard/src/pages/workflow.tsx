import { useEffect } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { NoSuch } from '../components/no-such.js';
import { NodeCounts } from '../components/node-state.js';
import { ProgressBar } from '../components/progress-bar.js';
import { State } from '../components/state.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import {
  WorkflowMovesDocument,
  type WorkflowMovesSubscription,
  WorkflowPageDocument,
  type WorkflowPageQuery,
} from '../operations.generated.js';
import { WorkflowGraph } from '../workflow/workflow-graph.js';

/** Latest message of the stream, and the number of messages. */
interface Moves {
  readonly count: number;
  readonly workflow: WorkflowMovesSubscription['workflowChanged']['workflow'] | null;
}

const atRest: Moves = { count: 0, workflow: null };

const take = ({ count }: Moves, { workflowChanged }: WorkflowMovesSubscription): Moves => ({
  count: count + 1,
  workflow: workflowChanged.workflow,
});

/** One workflow, moving. */
export function WorkflowPage({ id }: { id: string }) {
  const moves = useLive(WorkflowMovesDocument, { id }, take, atRest);
  const page = useFresh(WorkflowPageDocument, { id });
  const { refresh } = page;
  const workflow = page.data?.workflow;
  const latest = moves.state.workflow;
  // Labels and depths are known once all nodes are stored, and change when nodes are added.
  const isKnown = (workflow?.labelLayers.length ?? 0) > 0;
  const isCurrent = isKnown && (!latest || latest.counts.total === workflow?.counts.total);
  useEffect(() => {
    if (latest && !isCurrent) refresh();
  }, [latest, isCurrent, refresh]);
  const layers = workflow?.labelLayers.map((layer, at) => ({
    ...layer,
    counts: (isCurrent ? latest?.labelLayers[at]?.counts : undefined) ?? layer.counts,
  }));
  if (workflow === null) return <NoSuch what="workflow" id={id} />;
  return (
    <>
      <Title>{workflow?.name ?? id}</Title>
      <FailureNote failures={[moves.failure, page.failure]} />
      {workflow && <Progress workflow={{ ...workflow, ...latest }} />}
      {workflow && layers && layers.length > 0 && (
        <WorkflowGraph id={id} layers={layers} nodes={workflow.counts.total} changes={moves.state.count} />
      )}
      {workflow?.state === 'OPEN' && !isKnown && <p className="muted">Nodes are being stored.</p>}
    </>
  );
}

type Workflow = NonNullable<WorkflowPageQuery['workflow']>;

function Progress({ workflow }: { workflow: Omit<Workflow, 'labelLayers'> }) {
  const { state, counts, endedFraction, estimatedEndAt, pause, cancellation } = workflow;
  const part = (nodes: number): number => (counts.total === 0 ? 0 : nodes / counts.total);
  return (
    <>
      <Facts
        facts={{
          State: <State state={state} />,
          Nodes: <NodeCounts counts={counts} />,
          Experiment: workflow.experiment.name,
          Owner: workflow.owner.subject,
          Submitted: minute(workflow.createdAt),
          ...(estimatedEndAt !== null && { 'Estimated end': minute(estimatedEndAt) }),
          ...(pause && { Paused: commandText(pause) }),
          ...(cancellation && { Cancelled: commandText(cancellation) }),
        }}
      />
      <h2>Progress</h2>
      <ProgressBar
        finished={part(counts.succeeded)}
        skipped={part(counts.skipped)}
        ended={endedFraction}
        label="Progress"
      />
    </>
  );
}

function commandText({ by, at, reason }: NonNullable<Workflow['pause']>): string {
  return `by ${by.subject} at ${minute(at)}${reason === null ? '' : `: ${reason}`}`;
}
