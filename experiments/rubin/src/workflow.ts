/** Rules of workflows: what is stored of a submission, and which workflow of core follows. */
import {
  commonPathRules,
  type CoreNode,
  type CoreWorkflow,
  givenResources,
  type PathRule,
  workerLabel,
  type WorkflowRules,
} from '@rhizome/experiment';
import { plannedNodes } from './graph/planned-nodes.js';
import { dropQuanta, type QuantaRepository, writeQuanta } from './quanta.repository.js';
import type {
  PlacementRule,
  RubinLabelInput,
  RubinFinalJobInput,
  SubmitRubinWorkflowInput,
} from './types.generated.js';
import type { FinalJob, LabelRetry, Quantum, StoredLabel, WorkflowDocument } from './workflow.document.js';
import { argumentsOf, dataIdOf } from './workflow-input.js';

/** The label by which a job names its workflow. */
export const workflowLabel = 'rubin-workflow';

/** Input of a submission without its idempotency key. */
export type WorkflowContent = Omit<SubmitRubinWorkflowInput, 'idempotencyKey'>;

/** Name of the node of the final job; quanta have no tilde in their names. */
const finalNode = '~final';

/** The quanta as they are stored: in order, those of a node together. */
export function orderedQuanta({
  quanta,
  labels,
}: Pick<WorkflowContent, 'quanta' | 'labels'>): readonly (Quantum & { readonly node: number })[] {
  return nodesOf({ quanta, labels }).flatMap(({ quanta: inNode, name: cluster, isCluster }, node) =>
    inNode.map(({ name, label, needs, ...data }) => {
      const dimensions = (data.dimensions ?? []).map(({ dimension, value }) => ({ dimension, value }));
      return {
        ...{ name, label, dataId: dataIdOf(data), needs: [...(needs ?? [])], node },
        ...(dimensions.length > 0 ? { dimensions } : {}),
        ...(isCluster ? { cluster } : {}),
      };
    }),
  );
}

function nodesOf(content: Pick<WorkflowContent, 'quanta' | 'labels'>) {
  const planned = plannedNodes(content);
  if ('nodes' in planned) return planned.nodes;
  throw new Error(`a circle that was not refused: ${planned.circle.join(' → ')}`);
}

/** Maps workflows to workflows of core: a node per quantum or cluster. */
export function workflowRules(quanta: QuantaRepository): WorkflowRules<WorkflowDocument, WorkflowContent> {
  return {
    idPrefix: 'rubinWorkflow',
    describe: (content) => {
      const { name, pipeline, command, quanta: all, finalJob, ...rest } = content;
      const nodes = nodesOf(content);
      const areClusters = nodes.some(({ isCluster }) => isCluster);
      return {
        ...{ name, pipeline, command },
        arguments: [...(rest.arguments ?? [])],
        memoryMiB: rest.memoryMiB ?? 4000,
        walltimeSeconds: rest.walltimeSeconds ?? 7200,
        ...(rest.release == null ? {} : { release: rest.release }),
        ...storedLabels(rest.labels),
        ...(areClusters ? { nodeSizes: nodes.map(({ quanta: inNode }) => inNode.length) } : {}),
        ...(finalJob ? { finalJob: storedFinalJob(finalJob) } : {}),
        totalQuanta: all.length,
        totalJobs: nodes.length + (finalJob ? 1 : 0),
      };
    },
    toWorkflow: async (workflow) =>
      workflowOf(workflow, await quanta.range(workflow._id, 0, workflow.totalQuanta)),
    // Documents of version 1 were submitted as tasks.
    mayBeTask: ({ schemaVersion }) => schemaVersion === 1,
    parts: (content) => writeQuanta(orderedQuanta(content)),
    dropParts: dropQuanta,
  };
}

function storedFinalJob(job: RubinFinalJobInput): FinalJob {
  return {
    command: job.command,
    arguments: [...(job.arguments ?? [])],
    memoryMiB: job.memoryMiB ?? 4000,
    walltimeSeconds: job.walltimeSeconds ?? 7200,
  };
}

function storedLabels(
  labels: readonly RubinLabelInput[] | null | undefined,
): Pick<WorkflowDocument, 'labels'> {
  const stored = (labels ?? []).flatMap((given): readonly StoredLabel[] => {
    const resources = givenResources(given);
    const retry = retryOf(given);
    if (!resources && !retry) return [];
    return [{ label: given.label, resources: resources ?? {}, ...(retry ? { retry } : {}) }];
  });
  return stored.length === 0 ? {} : { labels: stored };
}

function retryOf({ maxAttempts, memoryFactor, maxMemoryMiB }: RubinLabelInput): LabelRetry | undefined {
  const retry = {
    ...(maxAttempts == null ? {} : { maxAttempts }),
    ...(memoryFactor == null ? {} : { memoryFactor }),
    ...(maxMemoryMiB == null ? {} : { maxMemoryMiB }),
  };
  return Object.keys(retry).length === 0 ? undefined : retry;
}

/** Maps paths of core's input to the experiment's input. */
export const workflowPathRules: readonly PathRule[] = [
  ...commonPathRules,
  ['nodes', () => ['quanta']],
  ['nodeLabels', () => ['labels']],
  ['nodeLabels.*.requirements.selector', () => ['release']],
  ['requirements.memory.factor', () => ['memoryFactor']],
  ['requirements.memory', () => ['memoryMiB']],
  ['requirements.memoryMiB', () => ['memoryMiB']],
  ['idempotencyKey', () => ['idempotencyKey']],
  ['workflowId', () => ['workflowId']],
];

/** The workflow of core. @param quanta in order */
export function workflowOf(
  workflow: Omit<WorkflowDocument, '_id'>,
  quanta: readonly Quantum[],
): CoreWorkflow {
  const { name, pipeline, memoryMiB, walltimeSeconds, labels = [] } = workflow;
  const [rule] = placementOf(workflow);
  const placement = rule?.selector == null ? {} : { selector: rule.selector };
  const special = new Map(labels.map((label) => [label.label, label]));
  const used = [...new Set(quanta.map(({ label }) => label))];
  return {
    name,
    labels: [{ key: 'rubin-pipeline', value: pipeline }],
    nodeLabels: used.map((label) => {
      const { resources, retry } = special.get(label) ?? {};
      return {
        label,
        requirements: { memoryMiB, walltimeSeconds, ...placement, ...resources },
        ...(retry ? { retry } : {}),
      };
    }),
    nodes: [...coreNodes(workflow, quanta), ...finalNodes(workflow, placement)],
  };
}

function coreNodes(
  { command, arguments: given }: Pick<WorkflowDocument, 'command' | 'arguments'>,
  quanta: readonly Quantum[],
): readonly CoreNode[] {
  const nodes: { name: string; label: string; quanta: Quantum[] }[] = [];
  const nodeOf = new Map<string, string>();
  quanta.forEach((quantum, index) => {
    const { node: position = index, cluster, name, label } = quantum;
    const node = (nodes[position] ??= { name: cluster ?? name, label, quanta: [] });
    node.quanta.push(quantum);
    nodeOf.set(name, node.name);
  });
  return nodes.map(({ name, label, quanta: inNode }) => {
    const needed = new Set(inNode.flatMap(({ needs }) => needs.map((need) => nodeOf.get(need) ?? need)));
    needed.delete(name);
    return {
      name,
      label,
      dependsOn: [...needed].map((node) => ({ node })),
      payload: {
        command,
        arguments: [...given, '--label', label, ...inNode.flatMap(argumentsOf)],
      },
    };
  });
}

function finalNodes(
  { finalJob }: Pick<WorkflowDocument, 'finalJob'>,
  placement: object,
): readonly CoreNode[] {
  if (!finalJob) return [];
  const { command, arguments: args, memoryMiB, walltimeSeconds } = finalJob;
  return [
    {
      name: finalNode,
      isFinal: true,
      requirements: { memoryMiB, walltimeSeconds, ...placement },
      payload: { command, arguments: [...args] },
    },
  ];
}

/** Quanta that finish with the job at a position. */
export function quantaAt(
  { nodeSizes, finalJob, totalJobs }: Pick<WorkflowDocument, 'nodeSizes' | 'finalJob' | 'totalJobs'>,
  index: number,
): number {
  if (finalJob && index === totalJobs - 1) return 0;
  return nodeSizes?.[index] ?? 1;
}

/** Position of the first quantum of a node. */
export function firstQuantumAt({ nodeSizes }: Pick<WorkflowDocument, 'nodeSizes'>, index: number): number {
  return nodeSizes ? nodeSizes.slice(0, index).reduce((sum, size) => sum + size, 0) : index;
}

/** The rules about where the jobs of a workflow are run, as they are in their selector. */
export function placementOf({ release }: Pick<WorkflowDocument, 'release'>): readonly PlacementRule[] {
  if (release === undefined) return [];
  const text = `Only workers with the label rubin-release=${release}: the workflow requires this release of the pipelines.`;
  return [{ text, selector: workerLabel('rubin-release', release) }];
}
