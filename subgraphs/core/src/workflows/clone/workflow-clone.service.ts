/** Clones workflows: the same graph with the same jobs, all of which wait. */
import { owns, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type {
  ExperimentDirectory,
  JobAccess,
  JobSecrets,
  QueueDirectory,
  SubmissionConsents,
} from '../../jobs/ports.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { missingConsent, otherIdentities } from '../../jobs/submit/ownership.js';
import { submissionSchemaVersion } from '../../jobs/submit/submission.document.js';
import type { SubmissionsRepository } from '../../jobs/submit/submissions.repository.js';
import { keyReused } from '../../jobs/submit/submit.service.js';
import { storedKey } from '../../shared/stored-key.js';
import { changeable } from '../control/workflow-access.js';
import { nodesPerBlock } from '../model/edges.js';
import { submittedNodes } from '../model/additions.js';
import { countsOf, nodesIn, noNodes, placeKey, sourcesOf } from '../model/node-rules.js';
import { type WorkflowDocument, workflowSchemaVersion } from '../model/workflow.document.js';
import type { StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import type { Journal } from '../run/journal.js';
import { emptiedAgain, isAbandoned } from '../run/open-workflows.js';
import { type AddedNodesRepository, templateCall } from '../store/added-nodes.repository.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeCountsRepository } from '../store/node-counts.repository.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { closedDatasets, closedText, missingSecrets } from '../submit/named-values.js';
import { maxErrors } from '../submit/workflow-input.js';
import {
  boundsOnce,
  exceededLimit,
  limitText,
  maxWarned,
  type NodeKind,
  placementWarnings,
  type PlacementSources,
} from '../submit/placement.js';
import {
  type CloneErrorCode,
  type CloneErrors,
  type CloneSpec,
  checkClone,
  LabelChanges,
} from './clone-input.js';

/** Dependencies of {@link WorkflowClones}. */
export interface WorkflowClonesOptions extends PlacementSources {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly nodeJobs: Pick<NodeJobsRepository, 'kindsByLabel' | 'secrets' | 'firstDatasets'>;
  readonly nodeCounts: Pick<NodeCountsRepository, 'groupCounts'>;
  readonly edges: EdgesRepository;
  readonly templates: AddedNodesRepository;
  readonly journal: Journal;
  readonly classes: ClassesRepository;
  readonly submissions: SubmissionsRepository;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly secrets: JobSecrets;
  readonly access: JobAccess;
  readonly quota: Pick<LiveQuota, 'charge'>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** The clone, or the errors because of which there is none. */
export interface CloneWorkflowResult {
  readonly workflow: WorkflowDocument | null;
  /** Requirements that no present worker meets; empty for a repeated call. */
  readonly warnings: readonly string[];
  readonly userErrors: readonly InputError<CloneErrorCode>[];
}

/** Clones workflows, in pages of nodes. */
export class WorkflowClones {
  readonly #options: WorkflowClonesOptions;

  constructor(options: WorkflowClonesOptions) {
    this.#options = options;
  }

  /**
   * Submits the graph of a workflow again, for its owner. The same key with the same changes returns the same
   * clone, and completes what a process that was killed has left.
   * @throws DomainError LIMIT_EXCEEDED
   */
  async clone(principal: Principal, spec: CloneSpec): Promise<CloneWorkflowResult> {
    const { workflows, submissions, access, clock, ids } = this.#options;
    const errors: CloneErrors = new InputErrors();
    const { workflowId: id, idempotencyKey, ...changes } = spec;
    const found = await workflows.find(id);
    const allowed = changeable(errors, principal, 'task:submit', { id, workflow: found }, access);
    if (!allowed) return refused(errors);
    const source = submittedFor(principal, allowed);
    const size = await this.#submitted(source);
    checkClone(size, spec, errors);
    if (!errors.isEmpty) return refused(errors);
    const digest = digestOf({ id, ...changes });
    const key = storedKey('workflowClone', source.experiment, principal.subject, idempotencyKey);
    let reserved = await submissions.find(key);
    const known = reserved && (await workflows.find(reserved.batchId));
    if (reserved && (reserved.digest !== digest || (known && isAbandoned(known))))
      return reused(idempotencyKey, reserved.digest === digest);
    if (known && known.state !== 'OPEN') return { workflow: known, warnings: [], userErrors: [] };
    const labels = new LabelChanges(spec.nodeLabels ?? []);
    const kinds = await this.#check(size, labels, reserved !== null, errors);
    if (!reserved) await this.#checkNamed(principal, size, errors);
    if (!errors.isEmpty) return refused(errors);
    const { nodes, bytes = 0, nesting, experiment, owner } = size;
    const linked = otherIdentities(principal, owner);
    const most = { jobs: nodes + (nesting?.nodes ?? 0), bytes: bytes + (nesting?.bytes ?? 0) };
    if (!reserved) await this.#options.quota.charge(experiment, owner, most, linked);
    reserved ??= await submissions.reserve({
      ...{ _id: key, schemaVersion: submissionSchemaVersion, revision: 1, createdAt: clock.now(), digest },
      ...{ batchId: ids.next('workflow'), count: 0, refused: [] },
    });
    if (reserved.digest !== digest) return reused(idempotencyKey, false);
    const document = documentOf(size, spec, { id: reserved.batchId, now: clock.now() });
    const workflow = await this.#write(source, document, { labels, by: principal.subject });
    if (!workflow || isAbandoned(workflow)) return reused(idempotencyKey, true);
    const warnings = await placementWarnings(this.#options, workflow, kinds.first, kinds.count);
    return { workflow, warnings, userErrors: [] };
  }

  /** The workflow without the nodes that payloads have added: those of the clone add theirs. */
  async #submitted(source: WorkflowDocument): Promise<WorkflowDocument> {
    const nodes = submittedNodes(source);
    if (nodes === source.nodes) return source;
    const { _id, additions = [], bytes, groupEdges, templates = [] } = source;
    const inner = new Set(templates.flatMap((one) => one.groups.map(({ label }) => label)));
    const counts = new Map(
      (await this.#options.nodeCounts.groupCounts(_id, nodes)).map((group) => [placeKey(group), group]),
    );
    const groups = source.groups.flatMap((group) => {
      const found = counts.get(placeKey(group));
      const isInner = inner.has(group.label) && !group.isFinal;
      if (!found && !isInner) return [];
      return [{ ...group, counts: { ...noNodes, WAITING: found?.nodes ?? 0 } }];
    });
    const added = additions.flatMap(({ calls }) => calls.filter(({ first }) => first !== undefined));
    const left = (bytes ?? 0) - added.reduce((sum, call) => sum + call.bytes, 0);
    const layers = Math.max(...[...counts.values()].map(({ depth }) => depth + 1));
    const edges = groupEdges.map((edge) => undecided(edge, source.groups, groups));
    return { ...source, nodes, bytes: left, layers, groups, groupEdges: edges };
  }

  /** Checks what may have changed since the workflow was submitted. A repeated clone goes on. */
  async #check(
    { _id, experiment: name, share, nodes: count, ...owners }: WorkflowDocument,
    labels: LabelChanges,
    isRepeated: boolean,
    errors: CloneErrors,
  ): Promise<{ readonly first: readonly NodeKind[]; readonly count: number }> {
    const { experiments, consents, nodeJobs, templates } = this.#options;
    const first: NodeKind[] = [];
    let found = 0;
    if (isRepeated) return { first, count: found };
    const experiment = await experiments.find(name);
    if (!experiment?.shares.includes(share))
      errors.report('SHARE_NOT_FOUND', ['workflowId'], `Share "${share}" of the workflow not found.`);
    const missing = await missingConsent(owners, name, consents);
    if (missing) errors.report('CONSENT_MISSING', ['workflowId'], missing.message);
    const queues = boundsOnce(this.#options.queues);
    await this.#checkQueues(labels, name, errors);
    const kinds = [nodeJobs.kindsByLabel(_id, count), templates.kindsByLabel(_id)];
    for await (const { label, node, ...job } of chained(kinds)) {
      if (errors.all.length >= maxErrors) break;
      const { requirements } = labels.of(label, job);
      found += 1;
      if (first.length < maxWarned) first.push({ node, requirements });
      const over = await exceededLimit(queues, requirements);
      if (over) errors.report('QUEUE_LIMIT_EXCEEDED', ['workflowId'], limitText(node, over, 'would require'));
    }
    return { first, count: found };
  }

  /** Refuses secrets that the principal may not use, and datasets that take no outputs. */
  async #checkNamed(principal: Principal, workflow: WorkflowDocument, errors: CloneErrors): Promise<void> {
    const { nodeJobs, templates, experiments } = this.#options;
    const { _id, nodes } = workflow;
    const secrets = [...(await nodeJobs.secrets(_id, nodes)), ...(await templates.secrets(_id))];
    const missing = await missingSecrets(this.#options, principal, workflow, secrets);
    const datasets = [...(await nodeJobs.firstDatasets(_id, nodes)), ...(await templates.datasets(_id))];
    const closed = await closedDatasets(experiments, workflow, new Map(datasets));
    const left = Math.max(0, maxErrors - errors.all.length);
    const problems = [
      ...missing.map((text) => ['SECRET_NOT_FOUND', text] as const),
      ...closed.map((one) => ['INVALID_VALUE', closedText(one)] as const),
    ];
    for (const [code, text] of problems.slice(0, left)) errors.report(code, ['workflowId'], text);
  }

  async #checkQueues(labels: LabelChanges, experiment: string, errors: CloneErrors): Promise<void> {
    const named = labels.queues;
    const admitted = await this.#options.queues.admitted([...named.keys()], experiment);
    for (const [queue, at] of named)
      if (!admitted.has(queue)) {
        const path = ['nodeLabels', at, 'requirements', 'queue'];
        const text = `${path.join('.')}: ${JSON.stringify(queue)} does not exist, or does not admit ${experiment}`;
        errors.report('QUEUE_NOT_FOUND', path, text);
      }
  }

  /** Copies the templates, in pages. */
  async #copyTemplates(
    { _id, priority }: WorkflowDocument,
    { _id: id, createdAt: at, templates: stored = [], ...clone }: WorkflowDocument,
    labels: LabelChanges,
  ): Promise<void> {
    const { templates } = this.#options;
    const head = { id, priorities: { before: priority, after: clone.priority } };
    for (const [position, { name, nodes }] of stored.entries()) {
      const [from, to] = [templateCall(_id, position), templateCall(id, position)];
      let first = 0;
      for await (const page of templates.nodes(from)) {
        const copies = page.map(({ job, ...node }) => ({
          ...node,
          ...(job ? { job: labels.job(node.label, job, head) } : {}),
        }));
        await templates.insert(to, copies, [], at, first);
        first += page.length;
      }
      for await (const block of templates.edges(from, 0)) await templates.insert(to, [], [block], at);
      if (first !== nodes)
        throw new Error(`template ${name} of ${_id}: ${first} of ${nodes} nodes are stored`);
    }
  }

  /** Writes the clone. Any process may repeat it at any point: what exists is not changed. */
  async #write(
    source: WorkflowDocument,
    clone: WorkflowDocument,
    { labels, by }: { readonly labels: LabelChanges; readonly by: string },
  ): Promise<WorkflowDocument | null> {
    const { workflows, nodes, edges, classes, journal, clock } = this.#options;
    const { _id: id, createdAt: at } = clone;
    await workflows.insert(clone);
    const priorities = { before: source.priority, after: clone.priority };
    await this.#copyTemplates(source, clone, labels);
    for await (const page of nodes.whole(source._id, clone.nodes))
      await nodes.insert(page.map((node) => labels.cloned(node, { id, at, by, priorities })));
    await classes.ensure(labels.classes, at);
    for (let first = 0; first < clone.nodes; first += nodesPerBlock) {
      const [block] = (await edges.containing(source, [first])).values();
      if (!block) throw new Error(`the edges of nodes ${first} to ${first + nodesPerBlock} do not exist`);
      await edges.insert(id, [block], at);
    }
    const stored = await nodes.count(id);
    if (stored !== clone.nodes)
      throw new Error(`workflow ${id}: ${stored} of ${clone.nodes} nodes are stored`);
    const changed = await journal.change(id, async (current) =>
      current.state === 'OPEN'
        ? { patch: { state: 'RUNNING', sealedAt: clock.now() } }
        : emptiedAgain(current),
    );
    return changed?.workflow ?? null;
  }
}

async function* chained<One>(all: readonly AsyncIterable<One>[]): AsyncGenerator<One> {
  for (const some of all) yield* some;
}

/** Owners submit clones themselves, also of what a service has submitted for them. */
function submittedFor(principal: Principal, workflow: WorkflowDocument): WorkflowDocument {
  const { submittedBy: _service, ...own } = workflow;
  return owns(principal, workflow.owner) ? own : workflow;
}

function documentOf(
  source: WorkflowDocument,
  { name, priority, labels }: CloneSpec,
  { id, now }: { readonly id: string; readonly now: Date },
): WorkflowDocument {
  const { experiment, owner, submittedBy, share, nodes, bytes, layers, templates, nesting } = source;
  const groups = source.groups.map(waiting);
  return {
    ...{ _id: id, schemaVersion: workflowSchemaVersion, revision: 1, createdAt: now, updatedAt: now },
    ...{ experiment, name: name ?? source.name, owner },
    ...(submittedBy === undefined ? {} : { submittedBy }),
    ...{ share, priority: priority ?? source.priority },
    labels: labels?.map(({ key, value }) => ({ key, value })) ?? source.labels,
    ...{ state: 'OPEN', nodes, layers, groups, clonedFrom: source._id },
    ...(bytes === undefined ? {} : { bytes }),
    ...(templates ? { templates } : {}),
    ...(nesting ? { nesting } : {}),
    groupEdges: source.groupEdges.map((edge) => undecided(edge, source.groups, groups)),
    step: 0,
  };
}

function waiting(group: StoredNodeGroup): StoredNodeGroup {
  const WAITING = nodesIn(group.counts);
  return { ...group, counts: { WAITING, SUBMITTED: 0, SUCCEEDED: 0, FAILED: 0, SKIPPED: 0, CANCELLED: 0 } };
}

/** An edge that needs all nodes of the source needs all of the clone. */
function undecided(
  { outcome: _outcome, ...edge }: StoredGroupEdge,
  before: readonly StoredNodeGroup[],
  after: readonly StoredNodeGroup[],
): StoredGroupEdge {
  const all = nodesIn(countsOf(sourcesOf(edge, before)));
  const left = nodesIn(countsOf(sourcesOf(edge, after)));
  return { ...edge, needed: edge.needed === all ? left : Math.min(edge.needed, left) };
}

function refused(errors: CloneErrors): CloneWorkflowResult {
  return { workflow: null, warnings: [], userErrors: errors.all.slice(0, maxErrors) };
}

function reused(key: string, isCancelled: boolean): CloneWorkflowResult {
  const { path, message } = keyReused(key);
  const text = isCancelled
    ? `idempotencyKey: the clone of ${JSON.stringify(key)} was cancelled before it was complete; must be another key`
    : message;
  const userErrors = [{ code: 'IDEMPOTENCY_KEY_REUSED' as const, path, message: text }];
  return { workflow: null, warnings: [], userErrors };
}
