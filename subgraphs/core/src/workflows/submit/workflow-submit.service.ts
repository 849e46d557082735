/** Accepts workflows. */
import { setImmediate as turn } from 'node:timers/promises';
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestInTurns, isDigestOf } from '@rhizome/digest';
import { InputErrors } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type {
  ExperimentDirectory,
  JobSecrets,
  QueueDirectory,
  SubmissionConsents,
} from '../../jobs/ports.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import { classifier } from '../../jobs/submit/classifier.js';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { normalisePayload, normaliseRetry, type SecretIds } from '../../jobs/submit/normalise.js';
import { missingConsent, type Ownership, ownershipOf } from '../../jobs/submit/ownership.js';
import { type CheckSelector, requirementChecks } from '../../jobs/submit/requirement-checks.js';
import { checkSecretIds, lookUpSecrets } from '../../jobs/submit/secret-lookup.js';
import { submissionSchemaVersion } from '../../jobs/submit/submission.document.js';
import type { SubmissionsRepository } from '../../jobs/submit/submissions.repository.js';
import { keyReused, listed, shareOf } from '../../jobs/submit/submit.service.js';
import { storedKey } from '../../shared/stored-key.js';
import { blocksOf } from '../model/edges.js';
import { type NodeDocument, nodeIdOf, nodeSchemaVersion } from '../model/node.document.js';
import { waitingState } from '../model/node-rules.js';
import { type WorkflowDocument, workflowSchemaVersion } from '../model/workflow.document.js';
import type { Journal } from '../run/journal.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { planWorkflow, type WorkflowPlan } from './graph-input.js';
import { exceededLimit, maxWarned, type WhyNoWorker } from './placement.js';
import type { WorkflowError, WorkflowErrorCode, WorkflowErrors } from './workflow-errors.js';
import { checkHead, checkNodes, jobOf, maxErrors, nodeText } from './workflow-input.js';
import type { NodeLabelSpec, NodeSpec, WorkflowSpec } from './workflow-spec.types.js';

/** Dependencies of {@link WorkflowSubmits}. */
export interface WorkflowSubmitsOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly edges: EdgesRepository;
  readonly journal: Journal;
  readonly classes: ClassesRepository;
  readonly submissions: SubmissionsRepository;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly secrets: JobSecrets;
  readonly checkSelector: CheckSelector;
  readonly quota: LiveQuota;
  readonly whyNoWorker: WhyNoWorker;
  readonly log: Logger;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** The workflow, or the errors because of which it was refused. */
export interface SubmitWorkflowResult {
  readonly workflow: WorkflowDocument | null;
  /** Requirements that no present worker meets; absent for a repeated call. */
  readonly warnings: readonly string[];
  readonly userErrors: readonly WorkflowError[];
}

type Owners = Exclude<Ownership, { readonly refusal: unknown }>;

/** A workflow that may be written. */
interface Examined {
  readonly classOf: ReturnType<typeof classifier>;
  readonly share: string;
  readonly labels: ReadonlyMap<string, NodeLabelSpec>;
  readonly secretIds: SecretIds;
  readonly plan: WorkflowPlan;
  /** Bytes of the payloads of all nodes, those that they inherit from labels included. */
  readonly bytes: number;
}

/** Nodes that are made into documents, and inserted, at a time. */
const nodesPerWrite = 1000;

/** Submits workflows. */
export class WorkflowSubmits {
  readonly #options: WorkflowSubmitsOptions;

  constructor(options: WorkflowSubmitsOptions) {
    this.#options = options;
  }

  /**
   * Accepts a workflow whole, or refuses it. Nothing of it runs before all of it is stored. The same key with
   * the same content returns the same workflow.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async submit(principal: Principal, spec: WorkflowSpec): Promise<SubmitWorkflowResult> {
    assertCan(principal, 'task:submit', spec.experiment);
    const owners = ownershipOf(principal, spec.experiment, spec.onBehalfOf);
    if ('refusal' in owners) return refused([owners.refusal]);
    const { submissions, workflows, quota, clock, ids } = this.#options;
    const submitted = { ...spec, idempotencyKey: undefined };
    const digest = await digestInTurns(submitted);
    const key = spec.idempotencyKey.slice(0, 201);
    const reservationId = storedKey('workflow', spec.experiment, principal.subject, key);
    let reserved = await submissions.find(reservationId);
    if (reserved && !isDigestOf(reserved.digest, submitted, digest))
      return refused([keyReused(spec.idempotencyKey)]);
    if (reserved) {
      const known = await workflows.find(reserved.batchId);
      if (known && !isSubmitted(known)) return refused([expired(spec.idempotencyKey)]);
      if (known && known.state !== 'OPEN') return { workflow: known, warnings: [], userErrors: [] };
    }
    const examined = await this.#examine(principal, owners, spec);
    if ('userErrors' in examined) return refused(examined.userErrors);
    const usage = { jobs: spec.nodes.length, bytes: examined.bytes };
    if (!reserved) await quota.charge(spec.experiment, owners.owner, usage);
    reserved ??= await submissions.reserve({
      _id: reservationId,
      schemaVersion: submissionSchemaVersion,
      revision: 1,
      createdAt: clock.now(),
      digest,
      batchId: ids.next('workflow'),
      count: 0,
      refused: [],
    });
    if (!isDigestOf(reserved.digest, submitted, digest)) return refused([keyReused(spec.idempotencyKey)]);
    const workflow = await this.#write(owners, spec, examined, reserved);
    if (!workflow || !isSubmitted(workflow)) return refused([expired(spec.idempotencyKey)]);
    return { workflow, warnings: await this.#warnings(spec, examined), userErrors: [] };
  }

  async #examine(
    principal: Principal,
    owners: Owners,
    spec: WorkflowSpec,
  ): Promise<Examined | { readonly userErrors: readonly WorkflowError[] }> {
    const errors = new InputErrors<WorkflowErrorCode>();
    const experiment = await this.#options.experiments.find(spec.experiment);
    const given = [...(spec.nodeLabels ?? []), ...spec.nodes];
    const checks = await requirementChecks(
      this.#options,
      experiment,
      given.map(({ requirements }) => requirements),
    );
    const labels = new Map((spec.nodeLabels ?? []).map((label) => [label.label, label]));
    checkHead(spec, errors, checks);
    const bytes = await checkNodes(spec.nodes, labels, errors, checks);
    if (!experiment)
      errors.add(['experiment'], spec.experiment, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    if (!experiment || !errors.isEmpty) return someOf(errors);
    const missing = await missingConsent(owners, spec.experiment, this.#options.consents);
    if (missing) return { userErrors: [missing] };
    const payloads = given.map(({ payload }) => payload);
    const user = { principal, ...owners, experiment: spec.experiment };
    const secretIds = await lookUpSecrets(this.#options, user, payloads);
    const unusable = new InputErrors<JobValueErrorCode>();
    given.forEach(({ payload }, at) => {
      if (!payload?.secrets) return;
      const labelled = spec.nodeLabels?.length ?? 0;
      const path = at < labelled ? ['nodeLabels', at] : ['nodes', at - labelled];
      checkSecretIds(payload, [...path, 'payload'], secretIds, unusable);
    });
    for (const { code, path, message } of unusable.all) errors.report(code, path, message);
    const share = spec.share == null ? experiment.shares[0] : shareOf(spec.share, experiment);
    if (share === undefined || !experiment.shares.includes(share))
      errors.add(
        ['share'],
        spec.share ?? null,
        `a share of ${experiment.name}: ${listed(experiment.shares)}`,
        'SHARE_NOT_FOUND',
      );
    const plan = planWorkflow(spec.nodes, labels, spec.groupEdges ?? [], errors);
    const classOf = classifier(experiment.continuity);
    await this.#checkLimits(spec.nodes, labels, classOf, errors);
    if (!plan || share === undefined || !errors.isEmpty) return someOf(errors);
    return { classOf, share, labels, secretIds, plan, bytes };
  }

  /** Refuses requirements that the queue which they name never admits. */
  async #checkLimits(
    nodes: readonly NodeSpec[],
    labels: ReadonlyMap<string, NodeLabelSpec>,
    classOf: Examined['classOf'],
    errors: WorkflowErrors,
  ): Promise<void> {
    const known = new Map<string, Awaited<ReturnType<typeof exceededLimit>>>();
    for (const [at, node] of nodes.entries()) {
      const job = jobOf(node, labels);
      if (!job || job.requirements?.queue == null || errors.all.length >= maxErrors) continue;
      const { classId, requirements } = classOf(job);
      if (!known.has(classId)) known.set(classId, await exceededLimit(this.#options.queues, requirements));
      const over = known.get(classId);
      if (!over) continue;
      const text = `${nodeText(node)} requires ${over.field} ${over.value}; queue "${requirements.queue}" permits at most ${over.limit}`;
      errors.report('QUEUE_LIMIT_EXCEEDED', ['nodes', at, 'requirements', over.field], text);
    }
  }

  async #write(
    owners: Owners,
    spec: WorkflowSpec,
    { classOf, share, labels, secretIds, plan, bytes }: Examined,
    { batchId: id, createdAt }: { readonly batchId: string; readonly createdAt: Date },
  ): Promise<WorkflowDocument | null> {
    const { workflows, nodes, edges, classes, journal, clock } = this.#options;
    await workflows.insert({
      _id: id,
      schemaVersion: workflowSchemaVersion,
      revision: 1,
      createdAt,
      updatedAt: clock.now(),
      experiment: spec.experiment,
      name: spec.name,
      ...owners,
      share,
      priority: spec.priority ?? 0,
      labels: (spec.labels ?? []).map(({ key, value }) => ({ key, value })),
      state: 'OPEN',
      nodes: spec.nodes.length,
      bytes,
      layers: plan.layers,
      groups: plan.groups,
      groupEdges: plan.groupEdges,
      step: 0,
    });
    for (let first = 0; first < spec.nodes.length; first += nodesPerWrite) {
      await turn();
      const documents = spec.nodes.slice(first, first + nodesPerWrite).map((node, offset): NodeDocument => {
        const place = plan.nodes[first + offset];
        const job = jobOf(node, labels);
        if (!place || !job) throw new Error(`node ${first + offset} of ${id} was not examined`);
        return {
          _id: nodeIdOf(id, first + offset),
          schemaVersion: nodeSchemaVersion,
          revision: 1,
          createdAt,
          updatedAt: createdAt,
          workflowId: id,
          index: first + offset,
          name: node.name,
          ...place,
          ...{ met: 0, lost: 0, step: 0, run: 1 },
          state: waitingState({ ...place, met: 0, lost: 0 }),
          job: {
            ...classOf(job),
            payload: normalisePayload(job.payload, secretIds),
            retry: normaliseRetry(job.retry),
            priority: job.priority ?? spec.priority ?? 0,
          },
        };
      });
      await nodes.insert(documents);
    }
    await edges.insert(id, blocksOf(plan.edges), createdAt);
    await classes.ensure(classOf.classes, createdAt);
    const stored = await nodes.count(id);
    if (stored !== spec.nodes.length)
      throw new Error(`workflow ${id}: ${stored} of ${spec.nodes.length} nodes were stored`);
    const sealed = await journal.change(id, async ({ state }) =>
      state === 'OPEN' ? { patch: { state: 'RUNNING', sealedAt: clock.now() } } : undefined,
    );
    return sealed?.workflow ?? null;
  }

  /** Requirements that no present worker meets, with the first node of each kind. */
  async #warnings(
    spec: WorkflowSpec,
    { classOf, labels, share }: Pick<Examined, 'classOf' | 'labels' | 'share'>,
  ): Promise<readonly string[]> {
    const { whyNoWorker, log } = this.#options;
    const first = new Map<string, { readonly node: NodeSpec; readonly requirements: StoredRequirements }>();
    for (const node of spec.nodes) {
      const job = jobOf(node, labels);
      if (!job) continue;
      const { classId, requirements } = classOf(job);
      if (!first.has(classId)) first.set(classId, { node, requirements });
    }
    const warnings: string[] = [];
    try {
      for (const { node, requirements } of [...first.values()].slice(0, maxWarned)) {
        const why = await whyNoWorker(requirements, share, spec.priority ?? 0);
        if (why !== undefined) warnings.push(`${nodeText(node)}: ${why}`);
      }
    } catch (err) {
      // The workflow is accepted.
      log.warn({ err }, 'workers for the nodes of a workflow not looked up');
    }
    const left = first.size - maxWarned;
    if (left > 0) warnings.push(`${left} more kinds of requirements were not compared with the workers.`);
    return warnings;
  }
}

function refused(userErrors: readonly WorkflowError[]): SubmitWorkflowResult {
  return { workflow: null, warnings: [], userErrors };
}

function someOf(errors: WorkflowErrors): { readonly userErrors: readonly WorkflowError[] } {
  return { userErrors: errors.all.slice(0, maxErrors) };
}

/** False for a workflow that was cancelled because its submission was not completed. */
function isSubmitted({ state, sealedAt }: WorkflowDocument): boolean {
  return state === 'OPEN' || sealedAt !== undefined;
}

function expired(key: string): WorkflowError {
  return {
    code: 'IDEMPOTENCY_KEY_REUSED',
    path: ['idempotencyKey'],
    message: `idempotencyKey: the submission with ${JSON.stringify(key.slice(0, 200))} was not completed within a day, and its workflow was cancelled; must be another key`,
  };
}
