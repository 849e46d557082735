/** Appends parts to workflows. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestInTurns } from '@rhizome/digest';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { TimeSlices } from '../../shared/time-slices.js';
import { joinedGroups } from '../model/node-rules.js';
import { maxParts, type StoredPart, type WorkflowDocument } from '../model/workflow.document.js';
import type { Journal } from '../run/journal.js';
import { isAbandoned } from '../run/open-workflows.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { PartsRepository } from '../store/parts.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { checkTotals } from '../submit/graph-input.js';
import { type ExaminedNodes, NodeExaminer, type NodeExaminerOptions } from '../submit/node-examiner.js';
import { type GivenNodes, maxErrors, maxNodesPerPart, nodeText, sliceMs } from '../submit/workflow-input.js';
import { withFileEdges } from '../submit/node-files.js';
import type { NodeSpec, PartSpec } from '../submit/workflow-spec.types.js';
import { checkAge, checkUnsealed, completable } from './part-access.js';
import type { PartErrorCode } from './part-errors.js';
import { type PartPlan, planPart } from './part-input.js';
import type { PartStore } from './part-store.js';
import { readHead } from './stored-graph.js';

/** Dependencies of {@link WorkflowParts}. */
export interface WorkflowPartsOptions extends NodeExaminerOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly pieces: PartsRepository;
  readonly parts: PartStore;
  readonly journal: Journal;
  readonly quota: Pick<LiveQuota, 'charge'>;
  readonly clock: Clock;
}

/** The workflow, or the errors because of which the part was refused. */
export interface AppendPartResult {
  readonly workflow: WorkflowDocument | null;
  readonly userErrors: readonly InputError<PartErrorCode>[];
}

/** Part that may be recorded and written. */
interface ExaminedPart {
  readonly given: GivenNodes;
  readonly plan: PartPlan;
  readonly examined: ExaminedNodes;
}

type PartErrors = InputErrors<PartErrorCode>;

/** Appends parts. */
export class WorkflowParts {
  readonly #options: WorkflowPartsOptions;
  readonly #examiner: NodeExaminer;

  constructor(options: WorkflowPartsOptions) {
    this.#options = options;
    this.#examiner = new NodeExaminer(options);
  }

  /**
   * Appends the next part, or refuses it as a whole. The same part with the same content changes nothing, and
   * completes what a process that was killed has left.
   * @throws DomainError FORBIDDEN, LIMIT_EXCEEDED
   */
  async append(principal: Principal, { workflowId: id, part, nodes }: PartSpec): Promise<AppendPartResult> {
    const { workflows, parts, clock } = this.#options;
    const errors = new InputErrors<PartErrorCode>();
    errors.int(['part'], part, 1, maxParts - 1);
    const workflow = completable(errors, principal, { id, workflow: await workflows.find(id) });
    if (!workflow || !errors.isEmpty) return refused(errors);
    const digest = await digestInTurns(nodes);
    const known = knownPart(workflow, { part, digest }, errors);
    if (!errors.isEmpty) return refused(errors);
    if (known?.isStored) return { workflow, userErrors: [] };
    checkAge(workflow, 'append nodes', { now: clock.now(), errors });
    if (!errors.isEmpty) return refused(errors);
    const examined = await this.#examine(principal, workflow, { nodes, known }, errors);
    if (!examined) return refused(errors);
    const recorded = known ? workflow : await this.#record(workflow, { part, digest }, examined, errors);
    if (!recorded) return refused(errors);
    await parts.write(recorded, part, examined);
    const after = await parts.stored(id, part);
    if (after && isAbandoned(after)) checkUnsealed(after, 'append nodes', errors);
    return errors.isEmpty ? { workflow: after, userErrors: [] } : refused(errors);
  }

  async #examine(
    principal: Principal,
    workflow: WorkflowDocument,
    { nodes, known }: { readonly nodes: readonly NodeSpec[]; readonly known: StoredPart | undefined },
    errors: PartErrors,
  ): Promise<ExaminedPart | undefined> {
    const { pieces, clock } = this.#options;
    const used = new Set(nodes.slice(0, maxNodesPerPart).flatMap(({ label }) => label ?? []));
    const { labels, groupEdges } = await readHead(pieces, workflow._id, [...used]);
    const given = {
      nodes: withFileEdges(nodes, labels),
      labels,
      areLabelsStored: true,
      counts: { min: 1, max: maxNodesPerPart },
    };
    const submitter = { principal, owners: workflow, experiment: workflow.experiment };
    const examined = await this.#examiner.examine(submitter, given, errors);
    if (!examined) return undefined;
    const plan = await planPart(given, groupEdges, errors, new TimeSlices(clock, sliceMs));
    // A part that is recorded is completed, whatever has become of the queues; the seal checks them, too.
    if (plan && !known) await this.#examiner.checkLimits(given, examined.classOf, errors);
    return plan && errors.isEmpty ? { given, plan, examined } : undefined;
  }

  /** Records a part as the next one. @returns the workflow afterwards; undefined if there are errors */
  async #record(
    { _id }: WorkflowDocument,
    { part, digest }: { readonly part: number; readonly digest: string },
    { given: { nodes }, plan, examined: { bytes } }: ExaminedPart,
    errors: PartErrors,
  ): Promise<WorkflowDocument | undefined> {
    const { journal, quota } = this.#options;
    let isCharged = false;
    let found: PartErrors = errors;
    const changed = await journal.change(_id, async (workflow) => {
      // Decided again if another process has changed the workflow meanwhile.
      found = new InputErrors<PartErrorCode>();
      const known = knownPart(workflow, { part, digest }, found);
      if (known || !found.isEmpty) return undefined;
      const before = workflow.parts ?? [];
      const groups = joinedGroups(workflow.groups, plan.groups);
      const totals = {
        nodes: workflow.nodes + nodes.length,
        bytes: (workflow.bytes ?? 0) + bytes,
        edges: before.reduce((sum, one) => sum + one.edges, plan.edges),
        groups: groups.length,
      };
      checkTotals(totals, found);
      await this.#checkNames(workflow, nodes, found);
      if (!found.isEmpty) return undefined;
      const usage = { jobs: nodes.length, bytes: bytes + plan.edgeBytes };
      if (!isCharged) await quota.charge(workflow.experiment, workflow.owner, usage);
      isCharged = true;
      const own: StoredPart = {
        ...{ digest, first: workflow.nodes, nodes: nodes.length, edges: plan.edges },
        ...{ pieceBytes: plan.edgeBytes, isStored: false },
      };
      return { patch: { nodes: totals.nodes, bytes: totals.bytes, groups, parts: [...before, own] } };
    });
    errors.addAll(found);
    return errors.isEmpty ? (changed?.workflow ?? undefined) : undefined;
  }

  /** Refuses names that nodes of earlier parts have. */
  async #checkNames(
    { _id }: WorkflowDocument,
    nodes: readonly NodeSpec[],
    errors: PartErrors,
  ): Promise<void> {
    const taken = await this.#options.nodes.positionsOf(
      _id,
      nodes.map(({ name }) => name),
    );
    for (const [at, node] of nodes.entries()) {
      const first = taken.get(node.name);
      if (first === undefined || errors.all.length >= maxErrors) continue;
      const text = `${nodeText(node)} is at position ${first} of the workflow already; names must be unique in the workflow`;
      errors.report('NODE_NAME_TAKEN', ['nodes', at, 'name'], text);
    }
  }
}

/** The part if it is recorded; otherwise it must be the next one. */
function knownPart(
  workflow: WorkflowDocument,
  { part, digest }: { readonly part: number; readonly digest: string },
  errors: PartErrors,
): StoredPart | undefined {
  const { parts = [] } = workflow;
  const known = parts[part];
  if (known && known.digest !== digest) {
    const text = known.isStored
      ? `part: ${part} was appended before with other nodes; must be ${parts.length} for further nodes`
      : `part: ${part} was appended before with other nodes, and is not stored completely; append these again, or cancel the workflow`;
    errors.report('PART_CONFLICT', ['part'], text);
  }
  if ((known?.isStored && !isAbandoned(workflow)) || !errors.isEmpty) return known;
  checkUnsealed(workflow, 'append nodes', errors);
  if (known || !errors.isEmpty) return known;
  const open = parts.findIndex(({ isStored }) => !isStored);
  const next = open < 0 ? parts.length : open;
  if (part === next) return undefined;
  const why = open < 0 ? 'in order' : `in order, and part ${open} is not stored completely`;
  errors.report(
    'PART_OUT_OF_ORDER',
    ['part'],
    `part: ${part} is not the next part; must be ${next}: parts are appended ${why}`,
  );
  return undefined;
}

/** Values of the beginning are not in the input of a part. */
function refused(errors: PartErrors): AppendPartResult {
  const userErrors = errors.all
    .slice(0, maxErrors)
    .map((error) =>
      ['part', 'nodes'].includes(error.path[0] ?? '') ? error : { ...error, path: ['workflowId'] },
    );
  return { workflow: null, userErrors };
}
