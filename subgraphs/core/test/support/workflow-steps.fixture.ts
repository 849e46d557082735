/** For tests of steps: workflows in the store, and processes that take their steps, and may be killed. */
import { createIds, systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import type { TestDatabase } from '@rhizome/testkit';
import {
  workflowStores,
  type WorkflowStores,
} from '../../src/composition/workflows/workflow-stores.repository.js';
import type { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { TimeSlices } from '../../src/shared/time-slices.js';
import { blocksOf } from '../../src/workflows/model/edges.js';
import { type NodeDocument, nodeIdOf } from '../../src/workflows/model/node.document.js';
import { waitingState } from '../../src/workflows/model/node-rules.js';
import type { WorkflowDocument } from '../../src/workflows/model/workflow.document.js';
import type { EndedNodeState } from '../../src/workflows/model/workflow.types.js';
import { Journal } from '../../src/workflows/run/journal.js';
import { NextChange } from '../../src/workflows/run/next-change.js';
import { StepWriter } from '../../src/workflows/run/step-writer.js';
import { planWorkflow, type WorkflowPlan } from '../../src/workflows/submit/graph-input.js';
import type { WorkflowErrorCode } from '../../src/workflows/submit/workflow-errors.js';
import type { WorkflowSpec } from '../../src/workflows/submit/workflow-spec.types.js';
import { instead } from './instead.fixture.js';

const ids = createIds();
const never = new AbortController().signal;

/** Graph of a workflow. */
export type Graph = Pick<WorkflowSpec, 'nodes' | 'groupEdges' | 'nodeLabels'>;

/** Process that takes steps of workflows. */
export interface StepProcess {
  readonly stores: WorkflowStores;
  readonly writer: StepWriter;
  readonly journal: Journal;
  readonly next: NextChange;
  /** Takes the steps that nothing has to be waited for. */
  advance(id: string): Promise<void>;
  /** Takes all steps, and notes the ends of all jobs, until the workflow has ended. */
  finish(id: string, outcomeOf: (node: number) => EndedNodeState): Promise<WorkflowDocument>;
}

/** Arranges a graph. */
export async function plannedGraph({ nodes, groupEdges, nodeLabels }: Graph): Promise<WorkflowPlan> {
  const errors = new InputErrors<WorkflowErrorCode>();
  const labels = new Map((nodeLabels ?? []).map((label) => [label.label, label]));
  const slices = new TimeSlices(systemClock, 10);
  const plan = await planWorkflow(nodes, { labels, groupEdges: groupEdges ?? [] }, errors, slices);
  if (!plan) throw new Error(errors.all.map(({ message }) => message).join('\n'));
  return plan;
}

/** Stores a workflow that runs. @returns its id */
export async function storeWorkflow(
  db: TestDatabase,
  graph: Graph,
  changed: Partial<WorkflowDocument> = {},
): Promise<string> {
  const { workflows, nodes, edges } = workflowStores(db);
  const plan = await plannedGraph(graph);
  const id = ids.next('workflow');
  const now = systemClock.now();
  const common = { schemaVersion: 1, revision: 1, createdAt: now, updatedAt: now };
  const { groups, groupEdges, layers } = plan;
  await workflows.insert({
    ...{ _id: id, ...common, experiment: 'alpha', name: 'test', owner: 'ada', share: 'alpha/default' },
    ...{ priority: 0, labels: [], state: 'RUNNING', nodes: plan.nodes.length, step: 0 },
    ...{ groups, groupEdges, layers, ...changed },
  });
  const job: NodeDocument['job'] = {
    requirements: { cores: 1, memoryMiB: 1, diskMiB: 1, walltimeSeconds: 1, network: false },
    classId: 'class',
    payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [] },
    retry: { maxAttempts: 1, backoffSeconds: 0, backoffFactor: 1, retryOn: [] },
    priority: 0,
  };
  await nodes.insert(
    plan.nodes.map((place, index): NodeDocument => {
      const numbers = { ...place, met: 0, lost: 0 };
      return {
        ...{ _id: nodeIdOf(id, index), ...common, workflowId: id, index, ...numbers },
        ...{ name: graph.nodes[index]?.name ?? '', step: 0, state: waitingState(numbers), run: 1, job },
      };
    }),
  );
  await edges.insert(id, blocksOf(plan.edges), now);
  return id;
}

/** A process that is killed before its n-th write. @param allows consent of owners to submissions for them */
export function stepProcess(
  db: TestDatabase,
  jobs: JobsRepository,
  killAt = Infinity,
  allows = async (): Promise<boolean> => true,
): StepProcess {
  const stores = workflowStores(db);
  const counted = killedAt(killAt);
  const workflows = instead(stores.workflows, {
    record: counted((...args) => stores.workflows.record(...args)),
    applied: counted((...args) => stores.workflows.applied(...args)),
  });
  const steps = instead(stores.steps, {
    end: counted((...args) => stores.steps.end(...args)),
    add: counted((...args) => stores.steps.add(...args)),
    addToGroup: counted((...args) => stores.steps.addToGroup(...args)),
    submit: counted((...args) => stores.steps.submit(...args)),
    enter: counted((...args) => stores.steps.enter(...args)),
    open: counted((...args) => stores.steps.open(...args)),
    reset: counted((...args) => stores.steps.reset(...args)),
  });
  const { templates } = stores;
  const nodes = instead(stores.nodes, { insert: counted((...args) => stores.nodes.insert(...args)) });
  const edges = instead(stores.edges, { insert: counted((...args) => stores.edges.insert(...args)) });
  const added = instead(stores.added, { drop: counted((...args) => stores.added.drop(...args)) });
  const insertNew = counted((batch: Parameters<JobsRepository['insertNew']>[0]) => jobs.insertNew(batch));
  const clock = systemClock;
  const writer = new StepWriter({ nodes, edges, steps, added, templates, jobs: { insertNew }, clock });
  const journal = new Journal({ workflows, writer, clock });
  const next = new NextChange({ nodes, edges, added, jobs, consents: { allows }, now: () => clock.now() });
  const advance = async (id: string): Promise<void> => {
    await journal.changeAll(id, (workflow) => next.of(workflow), never);
  };
  return {
    ...{ stores: { ...stores, workflows, steps }, writer, journal, next, advance },
    async finish(id, outcomeOf) {
      for (;;) {
        await advance(id);
        const workflow = await stores.workflows.find(id);
        if (workflow?.endedAt) return workflow;
        const { value: submitted } = await nodes.submitted(id, true).next();
        if (!submitted) throw new Error('nothing is left to do');
        await nodes.jobsEnded(
          submitted.map(({ _id: nodeId, index, run }) => ({
            ...{ nodeId, run, at: clock.now() },
            outcome: outcomeOf(index),
          })),
        );
      }
    },
  };
}

/** Thrown instead of a write. */
export class Killed extends Error {}

/** Wraps the writes of a process that is killed before its n-th one. */
export function killedAt(killAt: number) {
  let writes = 0;
  return <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if ((writes += 1) >= killAt) throw new Killed();
      return write(...args);
    };
}
