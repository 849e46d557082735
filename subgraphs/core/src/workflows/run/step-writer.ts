/** Applies recorded steps to the nodes of a workflow. Any step may be applied again, by any process. */
import type { Clock } from '@rhizome/clock';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { insertBatches } from '../../jobs/submit/insert-batches.js';
import { blockStart, segmentsOf, submittedNodes } from '../model/additions.js';
import { childOf, conditionOf, edgesFrom, type EdgeBlock, joinBlocks } from '../model/edges.js';
import { type NodeDocument, nodeIdOf, nodeSchemaVersion } from '../model/node.document.js';
import { nodesFromBits } from '../model/node-bits.js';
import { edgeOutcome } from '../model/node-rules.js';
import { recount, type WorkflowGraph } from '../model/reset.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { AddedPlace, NodeEnd, StoredStep } from '../model/workflow.types.js';
import { type AddedNodesRepository, templateCall } from '../store/added-nodes.repository.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { AddedToNodes, StepsRepository, StepTarget } from '../store/steps.repository.js';
import { Iteration } from './iteration.js';
import { nodeJobs } from './node-jobs.js';

/** Dependencies of {@link StepWriter}. */
export interface StepWriterOptions {
  readonly nodes: NodesRepository;
  readonly edges: EdgesRepository;
  readonly steps: StepsRepository;
  readonly added: AddedNodesRepository;
  readonly templates: Pick<AddedNodesRepository, 'nodes' | 'edges'>;
  readonly jobs: Pick<JobsRepository, 'insertNew'>;
  readonly clock: Clock;
}

/** Calls whose nodes are added concurrently. */
const callsAtOnce = 10;

/** Writes steps. */
export class StepWriter {
  readonly #options: StepWriterOptions;

  constructor(options: StepWriterOptions) {
    this.#options = options;
  }

  /** Applies the newest step of a workflow. */
  async apply(workflow: WorkflowDocument, content: StoredStep): Promise<void> {
    const { steps, added } = this.#options;
    const target: StepTarget = { workflowId: workflow._id, step: workflow.step, at: content.at };
    switch (content.kind) {
      case 'ENDS':
        await steps.end(target, content.ends);
        await this.#countInDependents(workflow, target, content.ends);
        if (workflow.additions)
          await added.drop(
            workflow._id,
            content.ends.map(({ node }) => node),
            content.at,
          );
        return;
      case 'ADD':
        await this.#addAll(workflow, target, [content, ...(content.more ?? [])]);
        return;
      case 'ENTER': {
        const { by, calls } = workflow.additions?.[content.addition] ?? {};
        const { first, nodes } = calls?.[content.call] ?? {};
        if (by === undefined || first === undefined || nodes === undefined)
          throw new Error(`step ${workflow.step} of ${workflow._id} enters nodes that are not recorded`);
        await steps.enter(target, { first, nodes });
        await steps.open(target, [by]);
        return;
      }
      case 'GROUP': {
        const edge = workflow.groupEdges[content.edge];
        const isMet = content.outcome === 'MET';
        const outcome = isMet ? { met: 1, lost: 0 } : { met: 0, lost: 1, cause: -1 - content.edge };
        await steps.addToGroup(target, { label: edge?.to, nodes: submittedNodes(workflow) }, outcome);
        return;
      }
      case 'RELEASE':
        await this.#submit(workflow, target, content.nodes);
        return;
      case 'RESET': {
        const graph = await this.graphOf(workflow);
        const reopened = nodesFromBits(content.reopened ?? new Uint8Array());
        const { numbers } = recount(graph, nodesFromBits(content.nodes), content.marks, reopened);
        await steps.reset(target, numbers, content);
        await steps.open(target, [...reopened]);
        await steps.end(target, content.marks);
      }
    }
  }

  /** The whole workflow in memory. */
  async graphOf(workflow: WorkflowDocument): Promise<WorkflowGraph> {
    const { nodes: repository, edges } = this.#options;
    const { _id, nodes: count, groups, groupEdges, additions } = workflow;
    const submitted = submittedNodes(workflow);
    const blocks = await edges.all(workflow);
    const nodes: WorkflowGraph['nodes'][number][] = [];
    for await (const { index, by, isEntry, ...node } of repository.graph(_id)) {
      const { label, isFinal, state, total, needed } = node;
      nodes.push({
        ...{ label, isFinal, state, total, needed, isMarked: by !== undefined },
        ...(index < submitted ? {} : { isAdded: true }),
        ...(isEntry === true ? { isEntry } : {}),
      });
    }
    if (nodes.length !== count) throw new Error(`workflow ${_id}: ${nodes.length} of ${count} nodes exist`);
    return { nodes, edges: joinBlocks(count, blocks), groups, groupEdges, additions };
  }

  async #countInDependents(
    workflow: WorkflowDocument,
    target: StepTarget,
    ends: readonly NodeEnd[],
  ): Promise<void> {
    const { edges, steps } = this.#options;
    const blocks = await edges.containing(
      workflow,
      ends.map(({ node }) => node),
    );
    const segments = segmentsOf(workflow);
    await steps.add(
      target,
      addedEdges(ends, (node) => blocks.get(blockStart(node, segments))),
    );
  }

  /** Adds the nodes of calls, some at a time. */
  async #addAll(
    workflow: WorkflowDocument,
    target: StepTarget,
    places: readonly AddedPlace[],
  ): Promise<void> {
    for (let start = 0; start < places.length; start += callsAtOnce) {
      const some = places.slice(start, start + callsAtOnce);
      await Promise.all(some.map((place) => this.#add(workflow, target, place)));
    }
  }

  /** Adds the nodes of a call. They do not exist before, so a repetition changes nothing. */
  async #add(workflow: WorkflowDocument, target: StepTarget, content: AddedPlace): Promise<void> {
    const { nodes, edges, added, templates, steps } = this.#options;
    const { _id: workflowId, additions = [] } = workflow;
    const { step, at } = target;
    const addition = additions[content.addition];
    const call = addition?.calls[content.call];
    if (!addition || call?.first === undefined)
      throw new Error(`step ${step} of ${workflowId} adds nodes that are not recorded`);
    const { by, run, attempt } = addition;
    const iteration = addition.scope && (await this.#iteration(workflow, by, content.call + 1));
    const [source, stored] = iteration
      ? [templates, templateCall(workflowId, iteration.template)]
      : [added, { workflowId, by, run, attempt, digest: call.digest }];
    for await (const block of source.edges(stored, call.first))
      await edges.insert(workflowId, [block], at, true);
    let index = call.first;
    for await (const page of source.nodes(stored))
      await nodes.insert(
        page.map((node): NodeDocument => {
          const own = iteration?.node(node) ?? node;
          return {
            ...{ _id: nodeIdOf(workflowId, index), schemaVersion: nodeSchemaVersion, revision: 1 },
            ...{ createdAt: at, updatedAt: at, workflowId, index: index++, addedBy: by },
            ...{ isFinal: false, met: 0, lost: 0, step, run: 1, ...own },
          };
        }),
      );
    if (iteration) await steps.open(target, [by]);
    // Without one of them, the workflow would never end.
    const count = await nodes.count(workflowId, { first: call.first, nodes: call.nodes });
    if (count !== call.nodes)
      throw new Error(
        `step ${step} of ${workflowId} adds ${call.nodes} nodes, of which ${count} exist afterwards`,
      );
  }

  /** Iteration of the sub-graph of a node. */
  async #iteration(
    { _id, templates = [] }: WorkflowDocument,
    by: number,
    iteration: number,
  ): Promise<Iteration> {
    const [unit] = await this.#options.nodes.findMany([nodeIdOf(_id, by)]);
    const template = unit?.subgraph && templates[unit.subgraph.template];
    if (!unit?.subgraph || !template) throw new Error(`node ${by} of ${_id} has no sub-graph`);
    const { name, depth, subgraph } = unit;
    return new Iteration({ workflowId: _id, name, depth, subgraph }, template, iteration);
  }

  async #submit(workflow: WorkflowDocument, target: StepTarget, nodes: readonly number[]): Promise<void> {
    const { steps, jobs, clock } = this.#options;
    await steps.submit(target, nodes);
    for await (const submitted of steps.submitted(target, nodes))
      for (const batch of insertBatches(nodeJobs(workflow, submitted, clock.now())))
        await jobs.insertNew(batch);
  }
}

/** Sums up what the ends mean for their dependents, which must get one addition each. */
function addedEdges(
  ends: readonly NodeEnd[],
  blockOf: (node: number) => EdgeBlock | undefined,
): readonly AddedToNodes[] {
  const ending = new Set(ends.map(({ node }) => node));
  const children = new Map<number, { met: number; lost: number; cause?: number }>();
  for (const { node, state } of ends) {
    const block = blockOf(node);
    if (!block) throw new Error(`the edges of node ${node} do not exist`);
    for (const target of edgesFrom(block, node)) {
      const child = childOf(target);
      // The step has changed it already.
      if (ending.has(child)) continue;
      const sum = children.get(child) ?? { met: 0, lost: 0 };
      children.set(child, sum);
      if (edgeOutcome(conditionOf(target), state) === 'MET') sum.met += 1;
      else {
        sum.lost += 1;
        sum.cause ??= node;
      }
    }
  }
  const groups = new Map<string, AddedToNodes & { readonly nodes: number[] }>();
  for (const [child, sum] of children) {
    const key = `${sum.met} ${sum.lost} ${sum.cause}`;
    const known = groups.get(key);
    if (known) known.nodes.push(child);
    else groups.set(key, { nodes: [child], ...sum });
  }
  return [...groups.values()];
}
