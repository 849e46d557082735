/** Takes nodes that the payload of a running node adds. They become part of the workflow when it succeeds. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestInTurns } from '@rhizome/digest';
import { DomainError, type InputError, InputErrors } from '@rhizome/errors';
import { isHeld } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { reportReused } from '../../jobs/submit/submit.service.js';
import { TimeSlices } from '../../shared/time-slices.js';
import { type StoredAddedCall, withCall } from '../model/additions.js';
import type { AddedNode } from '../model/added-node.document.js';
import { blocksOf } from '../model/edges.js';
import { type NodeFacts, nodeIdOf } from '../model/node.document.js';
import { nodesIn as countOf, waitingState } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { Journal } from '../run/journal.js';
import type { AddedNodesRepository } from '../store/added-nodes.repository.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { planWorkflow, type WorkflowPlan } from '../submit/graph-input.js';
import { checkFileNeeds, fileNeeds, inputsOf, storedInputs, withFileEdges } from '../submit/node-files.js';
import { sourcesIn } from '../submit/file-sources.js';
import { type ExaminedNodes, NodeExaminer, type NodeExaminerOptions } from '../submit/node-examiner.js';
import { storedJob } from '../submit/node-writer.js';
import { jobOf, maxErrors, sliceMs } from '../submit/workflow-input.js';
import type { NodeSpec } from '../submit/workflow-spec.types.js';
import type { AddErrorCode } from './add-errors.js';
import { checkAdded, checkAdditions, maxNodesPerCall, nodesIn } from './added-input.js';

/** Dependencies of {@link NodeAdditions}. */
export interface NodeAdditionsOptions extends NodeExaminerOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly nodeJobs: Pick<NodeJobsRepository, 'outputsOf'>;
  readonly added: AddedNodesRepository;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly classes: ClassesRepository;
  readonly journal: Journal;
  readonly quota: Pick<LiveQuota, 'charge'>;
  readonly clock: Clock;
}

/** Nodes to add. */
export interface AddSpec {
  readonly idempotencyKey: string;
  readonly nodes: readonly NodeSpec[];
}

/** Number of nodes that the call will have added, or the errors because of which it adds none. */
export interface AddNodesResult {
  readonly nodeCount: number | null;
  readonly userErrors: readonly InputError<AddErrorCode>[];
}

/** Attempt that its worker holds, with the node that it runs. */
interface Running {
  readonly workflow: WorkflowDocument;
  readonly node: NodeFacts;
  readonly run: number;
  readonly attempt: number;
}

/** Call with the others of its attempt. */
interface OtherCalls {
  readonly running: Omit<Running, 'workflow'>;
  readonly calls: readonly StoredAddedCall[];
  readonly call: StoredAddedCall;
  readonly names: readonly string[];
  /** Digests of calls that are known to have other names; filled. */
  readonly distinct: Set<string>;
}

type Errors = InputErrors<AddErrorCode>;

const jobFields = { state: 1, fence: 1, attempt: 1, workflow: 1 } as const;
const maxEdgesPerCall = 100_000;
const noLabels = new Map();

/** Adds nodes. */
export class NodeAdditions {
  readonly #options: NodeAdditionsOptions;
  readonly #examiner: NodeExaminer;

  constructor(options: NodeAdditionsOptions) {
    this.#options = options;
    this.#examiner = new NodeExaminer(options);
  }

  /**
   * Takes nodes for the attempt of the caller. They are added when this attempt succeeds, and forgotten
   * otherwise. The same key with the same nodes changes nothing.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async add(principal: Principal, { idempotencyKey: key, nodes }: AddSpec): Promise<AddNodesResult> {
    const errors: Errors = new InputErrors();
    const running = await this.#running(principal, errors);
    if (!running) return refused(errors);
    errors.verbatim(['idempotencyKey'], key, 1, 200);
    errors.list(['nodes'], nodes, maxNodesPerCall, 1);
    if (!errors.isEmpty) return refused(errors);
    const digest = await digestInTurns(nodes);
    const known = callsOf(running.workflow, running)?.find((call) => call.key === key);
    if (known) return known.digest === digest ? { nodeCount: known.nodes, userErrors: [] } : reused(key);
    const prepared = await this.#prepared(principal, running, nodes, errors);
    if (!prepared) return refused(errors);
    const { added, classes, ...call } = prepared;
    const { clock } = this.#options;
    const { _id: workflowId } = running.workflow;
    const { run, attempt, node } = running;
    const stored = { workflowId, by: node.index, run, attempt, digest };
    await this.#options.classes.ensure(classes, clock.now());
    await this.#options.added.insert(stored, added.nodes, blocksOf(added.edges), clock.now());
    const names = added.nodes.map(({ name }) => name);
    await this.#record(principal, running, { call: { key, digest, ...call }, names }, errors);
    return errors.isEmpty ? { nodeCount: call.nodes, userErrors: [] } : refused(errors);
  }

  /** The attempt of the caller; adds an error if its worker lost the job. @throws DomainError FORBIDDEN */
  async #running({ attempt }: Principal, errors: Errors): Promise<Running | undefined> {
    if (!attempt) throw new DomainError('FORBIDDEN', 'Nodes are added by the token of an attempt only');
    const { workflows, nodes } = this.#options;
    const { jobId } = attempt;
    const job = await this.#held(attempt, errors);
    if (!job) return undefined;
    const workflow = job.workflow ? await workflows.find(job.workflow.id) : null;
    const [node] = job.workflow ? await nodes.findMany([nodeIdOf(job.workflow.id, job.workflow.node)]) : [];
    if (!workflow || !node || !job.workflow) {
      errors.report('WORKFLOW_NOT_FOUND', [], `Job ${jobId} runs no node of a workflow.`);
      return undefined;
    }
    const running = { workflow, node, run: job.workflow.run, attempt: job.attempt };
    checkState(workflow, node, running, errors);
    return errors.isEmpty ? running : undefined;
  }

  /** The job of an attempt; adds an error if its worker lost it. */
  async #held(
    { jobId, fence }: NonNullable<Principal['attempt']>,
    errors: Errors,
  ): Promise<Pick<JobDocument, keyof typeof jobFields> | undefined> {
    const [job] = (await this.#options.jobs.find([jobId], jobFields)) as readonly Pick<
      JobDocument,
      keyof typeof jobFields
    >[];
    if (job && isHeld(job.state) && job.fence === fence) return job;
    errors.report('FENCE_STALE', [], `Job ${jobId} was taken from this attempt, or has ended.`);
    return undefined;
  }

  /** Checks the nodes, and arranges them; undefined if there are errors. */
  async #prepared(principal: Principal, running: Running, given: readonly NodeSpec[], errors: Errors) {
    const { workflow, node: adder } = running;
    checkAdded(given, adder, workflow.groupEdges, errors);
    if (!errors.isEmpty) return undefined;
    const named = nodesIn(adder, given);
    const whole = { labels: noLabels, counts: { min: 1, max: maxNodesPerCall } };
    const submitter = { principal, owners: workflow, experiment: workflow.experiment };
    const examined = await this.#examiner.examine(submitter, { ...whole, nodes: named }, errors);
    if (!examined || !errors.isEmpty) return undefined;
    const nodes = withFileEdges(named, noLabels).map((node) => ({
      ...node,
      dependsOn: node.dependsOn?.filter((edge) => edge.node !== adder.name),
    }));
    const slices = new TimeSlices(this.#options.clock, sliceMs);
    const plan = await planWorkflow(nodes, { labels: noLabels, groupEdges: [] }, errors, slices);
    if (plan) await this.#checkFiles(running, nodes, plan, errors);
    await this.#examiner.checkLimits({ ...whole, nodes }, examined.classOf, errors);
    if (plan && plan.edges.targets.length > maxEdgesPerCall)
      errors.add(
        ['nodes'],
        `${plan.edges.targets.length} edges`,
        `at most ${maxEdgesPerCall} edges in one call`,
      );
    const taken = await this.#options.nodes.positionsOf(
      workflow._id,
      nodes.map(({ name }) => name),
    );
    for (const name of [...taken.keys()].slice(0, maxErrors))
      errors.report('NODE_NAME_TAKEN', ['nodes'], `The workflow has a node ${JSON.stringify(name)} already.`);
    if (!plan || !errors.isEmpty) return undefined;
    return {
      ...{ nodes: nodes.length, bytes: examined.bytes, edges: plan.edges.targets.length },
      layers: adder.depth + 1 + plan.layers,
      groups: plan.groups.map(({ label, counts }) => ({ label, nodes: countOf(counts) })),
      classes: examined.classOf.classes,
      added: { nodes: addedNodes(nodes, { running, plan, examined }), edges: plan.edges },
    };
  }

  async #checkFiles(
    { workflow: { _id }, node: { name } }: Running,
    nodes: readonly NodeSpec[],
    plan: WorkflowPlan,
    errors: Errors,
  ): Promise<void> {
    const own = sourcesIn(nodes, noLabels);
    const outputsOf = async (names: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> =>
      new Map([...(await own.outputsOf(names)), ...(await this.#options.nodeJobs.outputsOf(_id, [name]))]);
    await checkFileNeeds(fileNeeds(nodes, noLabels), plan, { ...own, outputsOf }, errors);
  }

  /** Records a call in the workflow, if limits permit it and the node still runs. @throws LIMIT_EXCEEDED */
  async #record(
    { attempt: held }: Principal,
    { workflow: { _id }, ...running }: Running,
    { call, names }: { readonly call: StoredAddedCall; readonly names: readonly string[] },
    errors: Errors,
  ): Promise<void> {
    const { journal, nodes, quota } = this.#options;
    let found: Errors = errors;
    let isCharged = false;
    /** Digests of calls that are known to have other names. */
    const distinct = new Set<string>();
    await journal.change(_id, async (workflow) => {
      // Decided again if another process has changed the workflow meanwhile.
      found = new InputErrors();
      const [node] = await nodes.findMany([nodeIdOf(_id, running.node.index)]);
      if (!node) throw new Error(`node ${running.node.index} of ${_id} does not exist`);
      checkState(workflow, node, running, found);
      // The checks of the nodes take time, in which another attempt may have begun.
      if (held) await this.#held(held, found);
      if (!found.isEmpty) return undefined;
      const calls = callsOf(workflow, running) ?? [];
      const known = calls.find(({ key }) => key === call.key);
      if (known) {
        if (known.digest !== call.digest) reportReused(found, call.key);
        return undefined;
      }
      const { run, attempt } = running;
      const change = withCall(workflow.additions, { by: node.index, run, attempt }, call);
      if (!change)
        found.report('FENCE_STALE', [], `A later attempt of node ${JSON.stringify(node.name)} has begun.`);
      else checkAdditions(workflow, { node, ...change }, found);
      if (found.isEmpty) await this.#checkNames(_id, { running, calls, call, names, distinct }, found);
      if (!found.isEmpty || !change) return undefined;
      const { experiment, owner } = workflow;
      if (!isCharged) await quota.charge(experiment, owner, { jobs: call.nodes, bytes: call.bytes });
      isCharged = true;
      return { patch: { additions: change.additions } };
    });
    errors.addAll(found);
  }

  /** Compares the names of a call with those of the other calls of the attempt. */
  async #checkNames(
    workflowId: string,
    { running, calls, call, names, distinct }: OtherCalls,
    errors: Errors,
  ): Promise<void> {
    const { run, attempt, node } = running;
    const among = new Set(names);
    for (const { digest, key } of calls) {
      if (distinct.has(digest)) continue;
      const other = { workflowId, by: node.index, run, attempt, digest };
      const taken =
        digest === call.digest ? names.slice(0, 1) : await this.#options.added.namesAmong(other, among);
      for (const name of taken.slice(0, maxErrors))
        errors.report(
          'NODE_NAME_TAKEN',
          ['nodes'],
          `This attempt adds a node ${JSON.stringify(name)} already, by the key ${JSON.stringify(key)}.`,
        );
      if (!errors.isEmpty) return;
      distinct.add(digest);
    }
  }
}

/** Calls of an attempt; undefined if it has made none. Those of earlier attempts do not count. */
function callsOf(
  { additions = [] }: WorkflowDocument,
  { node, run, attempt }: Pick<Running, 'node' | 'run' | 'attempt'>,
): readonly StoredAddedCall[] | undefined {
  const own = additions.find(({ by }) => by === node.index);
  return own?.run === run && own.attempt === attempt ? own.calls : undefined;
}

function checkState(
  { _id, state }: WorkflowDocument,
  node: NodeFacts,
  { run }: Pick<Running, 'run'>,
  errors: Errors,
): void {
  if (state !== 'RUNNING' && state !== 'PAUSED')
    errors.report(
      'WORKFLOW_STATE_CONFLICT',
      [],
      `Workflow "${_id}" is ${state}; to add nodes, it must be RUNNING or PAUSED`,
    );
  if (node.run !== run || node.state !== 'SUBMITTED')
    errors.report('FENCE_STALE', [], `The run ${run} of node ${JSON.stringify(node.name)} has ended.`);
  if (node.maxAdded === undefined)
    errors.report(
      'NODE_LIMIT_EXCEEDED',
      ['nodes'],
      `Node ${JSON.stringify(node.name)} may add no nodes; set its \`maxAddedNodes\` when you submit it`,
    );
}

function addedNodes(
  nodes: readonly NodeSpec[],
  { running, plan, examined }: { running: Running; plan: WorkflowPlan; examined: ExaminedNodes },
): readonly AddedNode[] {
  const { workflow, node: adder } = running;
  return nodes.map((node, at) => {
    const place = plan.nodes[at];
    const job = jobOf(node, noLabels);
    if (!place || !job) throw new Error(`node ${at} was not examined`);
    const { label, total, needed, depth } = place;
    return {
      ...{ name: node.name, label, total, needed, depth: adder.depth + 1 + depth },
      ...(node.maxAddedNodes == null ? {} : { maxAdded: node.maxAddedNodes }),
      state: waitingState({ total, needed, met: 0, lost: 0 }),
      job: storedJob(
        job,
        { ...examined, priority: workflow.priority },
        storedInputs(workflow._id, inputsOf(node, noLabels)),
      ),
    };
  });
}

function refused(errors: Errors): AddNodesResult {
  return { nodeCount: null, userErrors: errors.all.slice(0, maxErrors) };
}

function reused(key: string): AddNodesResult {
  const errors: Errors = new InputErrors();
  reportReused(errors, key);
  return refused(errors);
}
