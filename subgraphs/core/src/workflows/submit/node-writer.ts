/** Writes the nodes of a call. */
import { setImmediate as turn } from 'node:timers/promises';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { StoredPayload } from '../../jobs/model/job.types.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import { normalisePayload, normaliseRetry } from '../../jobs/submit/normalise.js';
import {
  type NodeDocument,
  nodeIdOf,
  nodeSchemaVersion,
  type StoredNodeJob,
} from '../model/node.document.js';
import { waitingState } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { PlannedNode } from './graph-input.js';
import type { ExaminedNodes } from './node-examiner.js';
import { inputsOf, storedInputs } from './node-files.js';
import { type PlannedTemplate, storedSubgraph } from '../templates/planned-template.js';
import { type GivenNodes, jobOf } from './workflow-input.js';
import type { NodeSpec } from './workflow-spec.types.js';

/** Dependencies of {@link NodeWriter}. */
export interface NodeWriterOptions {
  readonly nodes: Pick<NodesRepository, 'insert'>;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
}

/** Nodes to write. */
export interface NodesToWrite extends Pick<GivenNodes, 'nodes' | 'labels'> {
  /** Position of the first node in the workflow. */
  readonly first: number;
  /** Places and numbers of the nodes, in their order. */
  readonly planned: readonly PlannedNode[];
  readonly examined: Pick<ExaminedNodes, 'classOf' | 'secretIds'>;
  /** Positions of templates by name; absent without any. */
  readonly templates?: ReadonlyMap<string, PlannedTemplate>;
  readonly at: Date;
}

/** Nodes that are made into documents, and inserted, at a time. */
const nodesPerWrite = 1000;

/** Writes nodes, and their requirement classes. */
export class NodeWriter {
  readonly #options: NodeWriterOptions;

  constructor(options: NodeWriterOptions) {
    this.#options = options;
  }

  /** Inserts nodes, in several turns of the event loop; those that exist are not changed. */
  async write(
    workflow: Pick<WorkflowDocument, '_id' | 'priority'>,
    { nodes: given, labels, first, planned, examined, templates, at }: NodesToWrite,
  ): Promise<void> {
    const { nodes, classes } = this.#options;
    const { _id: workflowId } = workflow;
    for (let start = 0; start < given.length; start += nodesPerWrite) {
      await turn();
      const documents = given.slice(start, start + nodesPerWrite).map((node, offset): NodeDocument => {
        const place = planned[start + offset];
        const index = first + start + offset;
        const work = place && workOf(workflow, node, { labels, examined, templates });
        if (!place || !work) throw new Error(`node ${index} of ${workflowId} was not examined`);
        return {
          _id: nodeIdOf(workflowId, index),
          ...{ schemaVersion: nodeSchemaVersion, revision: 1, createdAt: at, updatedAt: at },
          ...{ workflowId, index, name: node.name, ...place },
          ...{ met: 0, lost: 0, step: 0, run: 1 },
          ...(node.maxAddedNodes == null ? {} : { maxAdded: node.maxAddedNodes }),
          state: waitingState({ ...place, met: 0, lost: 0 }),
          ...work,
        };
      });
      await nodes.insert(documents);
    }
    await classes.ensure(examined.classOf.classes, at);
  }
}

/** Job of a node, or its sub-graph; undefined for a node that was not examined. */
function workOf(
  { _id, priority }: Pick<WorkflowDocument, '_id' | 'priority'>,
  node: NodeSpec,
  {
    labels,
    examined: { classOf, secretIds },
    templates,
  }: Pick<NodesToWrite, 'labels' | 'examined' | 'templates'>,
): Pick<NodeDocument, 'job' | 'subgraph'> | undefined {
  const inputs = inputsOf(node, labels);
  if (node.subgraph != null) {
    const template = templates?.get(node.subgraph.template);
    return template && { subgraph: storedSubgraph(node.subgraph, template, inputs) };
  }
  const job = jobOf(node, labels);
  return job && { job: storedJob(job, { classOf, secretIds, priority }, storedInputs(_id, inputs)) };
}

/** Job of a node as it is stored. */
export function storedJob(
  job: JobSpec,
  {
    classOf,
    secretIds,
    priority,
  }: Pick<ExaminedNodes, 'classOf' | 'secretIds'> & { readonly priority: number },
  inputs: Pick<StoredPayload, 'nodeInputs'> = {},
): StoredNodeJob {
  return {
    ...classOf(job),
    payload: { ...normalisePayload(job.payload, secretIds), ...inputs },
    retry: normaliseRetry(job.retry),
    priority: job.priority ?? priority,
  };
}
