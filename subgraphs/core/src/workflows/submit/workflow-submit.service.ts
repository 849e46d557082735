/** Accepts workflows, whole or their beginnings. */
import { assertCan, type Principal } from '@rhizome/authz';
import type { Clock, Ids } from '@rhizome/clock';
import { digestInTurns, isDigestOf } from '@rhizome/digest';
import { DomainError, InputErrors } from '@rhizome/errors';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { otherIdentities, ownershipOf } from '../../jobs/submit/ownership.js';
import { type SubmissionDocument, submissionSchemaVersion } from '../../jobs/submit/submission.document.js';
import type { SubmissionsRepository } from '../../jobs/submit/submissions.repository.js';
import { keyReused, listed, shareOf } from '../../jobs/submit/submit.service.js';
import { storedKey } from '../../shared/stored-key.js';
import { TimeSlices } from '../../shared/time-slices.js';
import { blocksOf } from '../model/edges.js';
import { type WorkflowDocument, workflowSchemaVersion } from '../model/workflow.document.js';
import type { PartStore } from '../parts/part-store.js';
import { type PartPlan, planPart } from '../parts/part-input.js';
import type { Journal } from '../run/journal.js';
import { emptiedAgain, isAbandoned } from '../run/open-workflows.js';
import type { AddedNodesRepository } from '../store/added-nodes.repository.js';
import type { StoredNesting } from '../model/scopes.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { planWorkflow, type WorkflowPlan } from './graph-input.js';
import { checkGroupEdges } from './group-edges.js';
import { checkFileNeeds, fileNeeds, withFileEdges } from './node-files.js';
import { SubmittedTemplates, type SubmittedTemplatesOptions } from '../templates/submitted-templates.js';
import type { PlannedTemplate } from '../templates/planned-template.js';
import { TemplateWriter } from '../templates/template-writer.js';
import { type ExaminedNodes, NodeExaminer, type NodeExaminerOptions, type Owners } from './node-examiner.js';
import { NodeWriter } from './node-writer.js';
import { sourcesIn } from './file-sources.js';
import { maxWarned, type NodeKind, placementWarnings, type PlacementSources } from './placement.js';
import type { SubmitErrorCode, WorkflowError } from './workflow-errors.js';
import {
  checkHead,
  type GivenNodes,
  jobOf,
  labelBytes,
  maxNodesPerCall,
  maxUnsealed,
  sliceMs,
} from './workflow-input.js';
import type { WorkflowSpec } from './workflow-spec.types.js';

/** Dependencies of {@link WorkflowSubmits}. */
export interface WorkflowSubmitsOptions
  extends NodeExaminerOptions, PlacementSources, SubmittedTemplatesOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly edges: EdgesRepository;
  readonly parts: PartStore;
  readonly templates: AddedNodesRepository;
  readonly journal: Journal;
  readonly classes: ClassesRepository;
  readonly submissions: SubmissionsRepository;
  readonly quota: Pick<LiveQuota, 'charge'>;
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

/** A workflow that may be written. */
interface Examined extends ExaminedNodes {
  readonly share: string;
  readonly given: GivenNodes;
  /** Bytes of the beginning that are deleted after the seal. */
  readonly pieceBytes: number;
  readonly templates: ReadonlyMap<string, PlannedTemplate>;
  readonly nesting?: StoredNesting | undefined;
  /** Most nodes and bytes with those of its sub-graphs. */
  readonly most: { readonly nodes: number; readonly bytes: number };
  /** Its whole graph, or what is known of a beginning. */
  readonly plan:
    | { readonly whole: WorkflowPlan; readonly part?: undefined }
    | { readonly part: PartPlan; readonly whole?: undefined };
}

/** Submits workflows. */
export class WorkflowSubmits {
  readonly #options: WorkflowSubmitsOptions;
  readonly #examiner: NodeExaminer;
  readonly #writer: NodeWriter;
  readonly #templates: SubmittedTemplates;
  readonly #templateWriter: TemplateWriter;

  constructor(options: WorkflowSubmitsOptions) {
    this.#options = options;
    this.#examiner = new NodeExaminer(options);
    this.#writer = new NodeWriter(options);
    this.#templates = new SubmittedTemplates(options);
    this.#templateWriter = new TemplateWriter(options);
  }

  /**
   * Accepts a workflow whole, or the beginning of one, or refuses it. Nothing of it runs before all of it is
   * stored. The same key with the same content returns the same workflow.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async submit(principal: Principal, spec: WorkflowSpec): Promise<SubmitWorkflowResult> {
    assertCan(principal, 'task:submit', spec.experiment);
    const owners = ownershipOf(principal, spec.experiment, spec.onBehalfOf);
    if ('refusal' in owners) return refused([owners.refusal]);
    const { submissions, workflows, clock, ids } = this.#options;
    const isSealed = spec.isSealed !== false;
    // Calls of clients that do not know the field have the same digest.
    const submitted = { ...spec, idempotencyKey: undefined, isSealed: isSealed ? undefined : false };
    const digest = await digestInTurns(submitted);
    const key = spec.idempotencyKey.slice(0, 201);
    const reservationId = storedKey('workflow', spec.experiment, principal.subject, key);
    let reserved = await submissions.find(reservationId);
    if (reserved && !isDigestOf(reserved.digest, submitted, digest))
      return refused([keyReused(spec.idempotencyKey)]);
    if (reserved) {
      const known = await workflows.find(reserved.batchId);
      if (known && isAbandoned(known)) return refused([expired(spec.idempotencyKey)]);
      if (known && (known.state !== 'OPEN' || known.parts?.[0]?.isStored))
        return { workflow: known, warnings: [], userErrors: [] };
    }
    const examined = await this.#examine(principal, owners, spec);
    if ('userErrors' in examined) return refused(examined.userErrors);
    if (!reserved) await this.#charge(principal, spec, owners, examined);
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
    if (!workflow || isAbandoned(workflow)) return refused([expired(spec.idempotencyKey)]);
    return { workflow, warnings: await this.#warnings(spec, examined), userErrors: [] };
  }

  /** Charges nodes, and what is stored for the seal. @throws DomainError LIMIT_EXCEEDED */
  async #charge(
    principal: Principal,
    { experiment }: WorkflowSpec,
    { owner }: Owners,
    { most, plan: { part }, pieceBytes }: Examined,
  ): Promise<void> {
    const { workflows, quota } = this.#options;
    const open = part ? await workflows.unsealed({ experiment, owner }, maxUnsealed) : 0;
    if (open >= maxUnsealed) {
      const value = `${open} workflows in parts that are not sealed`;
      const text = `isSealed: the owner has ${value}; must be fewer than ${maxUnsealed}; seal or cancel some`;
      const expected = `fewer than ${maxUnsealed}`;
      throw new DomainError('LIMIT_EXCEEDED', text, { field: 'isSealed', value: open, expected });
    }
    const usage = { jobs: most.nodes, bytes: most.bytes + pieceBytes };
    await quota.charge(experiment, owner, usage, otherIdentities(principal, owner));
  }

  async #examine(
    principal: Principal,
    owners: Owners,
    spec: WorkflowSpec,
  ): Promise<Examined | { readonly userErrors: readonly WorkflowError[] }> {
    const errors = new InputErrors<SubmitErrorCode>();
    const isSealed = spec.isSealed !== false;
    const labels = new Map((spec.nodeLabels ?? []).map((label) => [label.label, label]));
    const counts = { min: isSealed ? 1 : 0, max: maxNodesPerCall };
    const nodes = withFileEdges(spec.nodes, labels);
    const given: GivenNodes = { nodes, labels, counts };
    const all = isSealed ? this.#templates.withTemplates(given, spec.templates ?? [], errors) : given;
    const submitter = { principal, owners, experiment: spec.experiment };
    const found = await this.#examiner.examine(submitter, all, errors, (checks) => {
      checkHead(spec, errors, checks);
      if (!isSealed && spec.templates?.length)
        errors.add(
          ['templates'],
          `${spec.templates.length} templates`,
          'none in a workflow that is not sealed',
        );
    });
    if (!found) return { userErrors: this.#templates.placed(errors.all, spec) };
    const { experiment, classOf } = found;
    const share = spec.share == null ? experiment.shares[0] : shareOf(spec.share, experiment);
    if (share === undefined || !experiment.shares.includes(share))
      errors.add(
        ['share'],
        spec.share ?? null,
        `a share of ${experiment.name}: ${listed(experiment.shares)}`,
        'SHARE_NOT_FOUND',
      );
    const groupEdges = spec.groupEdges ?? [];
    const slices = new TimeSlices(this.#options.clock, sliceMs);
    const templates = spec.templates ?? [];
    const own = this.#templates.labelsOf(given, templates);
    const whole = isSealed
      ? await planWorkflow(nodes, { labels: own, groupEdges }, errors, slices)
      : undefined;
    const sources = sourcesIn(nodes, labels, templates);
    if (whole) await checkFileNeeds(fileNeeds(nodes, labels), whole, sources, errors);
    const owner = { ...owners, experiment: spec.experiment };
    const nested = whole
      ? await this.#templates.plan(
          { principal, owner, given, whole, spec, bytes: found.bytes },
          slices,
          errors,
        )
      : undefined;
    if (!isSealed) await checkGroupEdges(groupEdges, errors, slices);
    const part = isSealed ? undefined : await planPart(given, groupEdges, errors, slices);
    await this.#examiner.checkLimits(all, classOf, errors);
    const plan = whole ? nested && { whole: { ...whole, groups: nested.groups } } : part && { part };
    if (!plan || share === undefined || !errors.isEmpty)
      return { userErrors: this.#templates.placed(errors.all, spec) };
    const pieceBytes = part ? part.edgeBytes + labelBytes(labels.values()) : 0;
    const bytes = nested?.bytes ?? found.bytes;
    const most = nested?.most ?? { nodes: nodes.length, bytes };
    return {
      ...found,
      bytes,
      given,
      share,
      plan,
      pieceBytes,
      most,
      templates: nested?.planned ?? new Map(),
      nesting: nested?.nesting,
    };
  }

  async #write(
    owners: Owners,
    spec: WorkflowSpec,
    { given, share, plan, bytes, pieceBytes, templates, nesting, ...examined }: Examined,
    { batchId: id, createdAt, digest }: Pick<SubmissionDocument, 'batchId' | 'createdAt' | 'digest'>,
  ): Promise<WorkflowDocument | null> {
    const { workflows, nodes, edges, parts, journal, clock } = this.#options;
    const { whole, part } = plan;
    const count = spec.nodes.length;
    const first = part && {
      ...{ digest, first: 0, nodes: count, edges: part.edges, pieceBytes, isStored: false },
    };
    const workflow: WorkflowDocument = {
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
      nodes: count,
      bytes,
      layers: whole?.layers ?? 0,
      groups: (whole ?? part).groups,
      groupEdges: whole?.groupEdges ?? [],
      ...(first ? { parts: [first], partCount: 0 } : {}),
      ...(templates.size > 0 ? { templates: [...templates.values()].map(({ stored }) => stored) } : {}),
      ...(templates.size > 0 && nesting ? { nesting } : {}),
      step: 0,
    };
    await workflows.insert(workflow);
    if (part) {
      const { groupEdges } = spec;
      await parts.write(workflow, 0, { given, plan: part, examined, head: { groupEdges: groupEdges ?? [] } });
      return parts.stored(id, 0);
    }
    const values = { labels: given.labels, examined, planned: templates };
    await this.#templateWriter.write(workflow, values, createdAt);
    await this.#writer.write(workflow, {
      ...{ ...given, first: 0, planned: whole.nodes, examined, templates, at: createdAt },
    });
    await edges.insert(id, blocksOf(whole.edges), createdAt);
    const stored = await nodes.count(id);
    if (stored !== count) throw new Error(`workflow ${id}: ${stored} of ${count} nodes were stored`);
    const sealed = await journal.change(id, async (current) =>
      current.state === 'OPEN'
        ? { patch: { state: 'RUNNING', sealedAt: clock.now() } }
        : emptiedAgain(current),
    );
    return sealed?.workflow ?? null;
  }

  /** Requirements that no present worker meets, with the first node of each kind. */
  async #warnings(
    { nodes, templates, priority }: WorkflowSpec,
    { classOf, given: { labels }, share }: Pick<Examined, 'classOf' | 'given' | 'share'>,
  ): Promise<readonly string[]> {
    const first = new Map<string, NodeKind>();
    for (const node of [nodes, ...(templates ?? []).map((one) => one.nodes ?? [])].flat()) {
      const job = jobOf(node, labels);
      if (!job) continue;
      const { classId, requirements } = classOf(job);
      if (!first.has(classId)) first.set(classId, { node, requirements });
    }
    const kinds = [...first.values()].slice(0, maxWarned);
    return placementWarnings(this.#options, { share, priority: priority ?? 0 }, kinds, first.size);
  }
}

function refused(userErrors: readonly WorkflowError[]): SubmitWorkflowResult {
  return { workflow: null, warnings: [], userErrors };
}

function expired(key: string): WorkflowError {
  return {
    code: 'IDEMPOTENCY_KEY_REUSED',
    path: ['idempotencyKey'],
    message: `idempotencyKey: the workflow of ${JSON.stringify(key.slice(0, 200))} was cancelled before it was sealed; must be another key`,
  };
}
