/** Seals workflows that were submitted in parts. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import { TurnsByKey } from '@rhizome/retry';
import type { ExperimentDirectory, QueueDirectory, SubmissionConsents } from '../../jobs/ports.js';
import { missingConsent } from '../../jobs/submit/ownership.js';
import { TimeSlices } from '../../shared/time-slices.js';
import { blocksOf } from '../model/edges.js';
import { nodeIdOf } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { Journal } from '../run/journal.js';
import { emptiedAgain } from '../run/open-workflows.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { PartsRepository } from '../store/parts.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { type GraphPlan, planGraph } from '../submit/graph-input.js';
import {
  boundsOnce,
  exceededLimit,
  limitText,
  maxWarned,
  type NodeKind,
  placementWarnings,
  type PlacementSources,
} from '../submit/placement.js';
import { checkFileNeeds, type FileSources } from '../submit/node-files.js';
import { maxErrors, sliceMs } from '../submit/workflow-input.js';
import { checkAge, checkUnsealed, completable } from './part-access.js';
import type { SealErrorCode } from './part-errors.js';
import { readGraph, readGroupEdges, readLimits, type StoredGraph } from './stored-graph.js';

/** Dependencies of {@link WorkflowSeals}. */
export interface WorkflowSealsOptions extends PlacementSources {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly nodeJobs: NodeJobsRepository;
  readonly edges: EdgesRepository;
  readonly pieces: PartsRepository;
  readonly journal: Journal;
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly clock: Clock;
}

/** The workflow, or the errors because of which it was not sealed. */
export interface SealWorkflowResult {
  readonly workflow: WorkflowDocument | null;
  /** Requirements that no present worker meets; empty for a repeated call. */
  readonly warnings: readonly string[];
  readonly userErrors: readonly InputError<SealErrorCode>[];
}

/** Valid graph. */
interface Validated {
  readonly edges: StoredGraph['edges'];
  readonly plan: GraphPlan;
  readonly kinds: Kinds;
}

/** The first kinds of requirements, and the number of all. */
interface Kinds {
  readonly first: readonly NodeKind[];
  readonly count: number;
}

type SealErrors = InputErrors<SealErrorCode>;

const kindsPerRead = 500;

/** Seals workflows, one at a time: each takes the memory of its graph. */
export class WorkflowSeals {
  readonly #options: WorkflowSealsOptions;
  readonly #turns = new TurnsByKey();

  constructor(options: WorkflowSealsOptions) {
    this.#options = options;
  }

  /**
   * Checks the whole graph, and lets the workflow run. Nothing is changed if there are errors: parts may
   * follow. Otherwise the call may be repeated at any point, also by another process.
   */
  async seal(
    principal: Principal,
    { workflowId: id }: { readonly workflowId: string },
  ): Promise<SealWorkflowResult> {
    return this.#turns.run('seal', async () => {
      for (;;) {
        const errors = new InputErrors<SealErrorCode>();
        const found = await this.#options.workflows.find(id);
        const workflow = completable(errors, principal, { id, workflow: found });
        if (!workflow) return refused(errors);
        if (workflow.sealedAt !== undefined) {
          // A process that was killed may have left them.
          await this.#options.pieces.drop(id);
          return { workflow, warnings: [], userErrors: [] };
        }
        const { clock } = this.#options;
        if (!workflow.isSealing) checkUnsealed(workflow, 'seal it', errors);
        if (errors.isEmpty) checkAge(workflow, 'seal it', { now: clock.now(), errors });
        if (errors.isEmpty) checkParts(workflow, errors);
        if (!errors.isEmpty) return refused(errors);
        const valid = await this.#unchanged(workflow, () => this.#validate(workflow, errors));
        if (valid === 'CHANGED') continue;
        if (!valid) return refused(errors);
        if (await this.#close(workflow)) return this.#complete(workflow, valid);
      }
    });
  }

  /**
   * Reads what the parts contain. Another process may have sealed or cancelled the workflow meanwhile, and
   * deleted parts before they were read.
   */
  async #unchanged<T>(
    { _id, step }: WorkflowDocument,
    read: () => Promise<T | undefined>,
  ): Promise<T | 'CHANGED' | undefined> {
    const isChanged = async (): Promise<boolean> => (await this.#options.workflows.find(_id))?.step !== step;
    try {
      const found = await read();
      return (await isChanged()) ? 'CHANGED' : found;
    } catch (error) {
      if (await isChanged()) return 'CHANGED';
      throw error;
    }
  }

  /** Refuses further parts. @returns false if the workflow has changed since it was read */
  async #close(workflow: WorkflowDocument): Promise<boolean> {
    if (workflow.isSealing) return true;
    const { workflows, clock } = this.#options;
    return (await workflows.record(workflow, undefined, { isSealing: true }, clock.now())) !== null;
  }

  async #validate(workflow: WorkflowDocument, errors: SealErrors): Promise<Validated | undefined> {
    const { experiments, consents, pieces, clock } = this.#options;
    const { _id, experiment: name, share, isSealing } = workflow;
    const experiment = await experiments.find(name);
    // A seal that is repeated goes on; without the consent, the workflow is paused afterwards.
    if (!isSealing && !experiment?.shares.includes(share))
      errors.report('SHARE_NOT_FOUND', ['workflowId'], `Share "${share}" of the workflow not found.`);
    const missing = isSealing ? undefined : await missingConsent(workflow, name, consents);
    if (missing) errors.report('CONSENT_MISSING', ['workflowId'], missing.message);
    if (!errors.isEmpty) return undefined;
    const slices = new TimeSlices(clock, sliceMs);
    const labels = await readLimits(pieces, _id);
    const groupEdges = await readGroupEdges(pieces, _id);
    const graph = await readGraph(pieces, workflow, errors, slices);
    const plan = graph && (await planGraph({ ...graph, labels, groupEdges }, errors, slices));
    if (plan) await this.#checkFiles(workflow, plan, errors);
    const kinds = await this.#kinds(workflow, errors);
    return plan && errors.isEmpty ? { edges: graph.edges, plan, kinds } : undefined;
  }

  /** Checks what nodes read from others. */
  async #checkFiles(
    { _id, parts = [] }: WorkflowDocument,
    plan: GraphPlan,
    errors: SealErrors,
  ): Promise<void> {
    const { pieces, nodeJobs: nodes } = this.#options;
    const known = new Map<string, boolean>();
    const sources: FileSources = {
      outputsOf: (names) => nodes.outputsOf(_id, names),
      // Many readers may read from one label, whose nodes are searched for the output.
      hasOutput: async (label, output) => {
        const key = `${label}\n${output}`;
        const found = known.get(key) ?? (await nodes.hasOutput(_id, label, output));
        known.set(key, found);
        return found;
      },
    };
    for await (const needs of pieces.pieces(_id, 'FILES', { from: 0, to: parts.length - 1 })) {
      if (errors.all.length >= maxErrors) return;
      await checkFileNeeds(needs, plan, sources, errors);
    }
  }

  /**
   * Kinds of requirements, with an error for each that its queue never admits. A seal that is repeated goes
   * on, whatever has become of the queues.
   */
  async #kinds({ _id, parts = [], isSealing }: WorkflowDocument, errors: SealErrors): Promise<Kinds> {
    const { pieces, nodeJobs: stored } = this.#options;
    const queues = boundsOnce(this.#options.queues);
    const all = { from: 0, to: parts.length - 1 };
    const known = new Set<string>();
    const first: NodeKind[] = [];
    for await (const { classIds, nodes } of pieces.pieces(_id, 'CLASSES', all)) {
      const fresh = nodes.filter((_node, at) => !known.has(classIds[at] ?? ''));
      for (const classId of classIds) known.add(classId);
      for (let start = 0; start < fresh.length; start += kindsPerRead) {
        const ids = fresh.slice(start, start + kindsPerRead).map((node) => nodeIdOf(_id, node));
        for (const kind of await stored.kinds(ids)) {
          if (first.length < maxWarned) first.push(kind);
          if (isSealing || errors.all.length >= maxErrors) continue;
          const over = await exceededLimit(queues, kind.requirements);
          if (over) errors.report('QUEUE_LIMIT_EXCEEDED', ['workflowId'], limitText(kind.node, over));
        }
      }
    }
    return { first, count: known.size };
  }

  async #complete(
    { _id, nodes: count, share, priority }: WorkflowDocument,
    { edges: block, plan, kinds }: Validated,
  ): Promise<SealWorkflowResult> {
    const { nodes, edges, pieces, journal, clock } = this.#options;
    const stored = await nodes.count(_id);
    if (stored !== count) throw new Error(`workflow ${_id}: ${stored} of ${count} nodes are stored`);
    const at = clock.now();
    for (const part of blocksOf(block)) {
      await turn();
      await edges.insert(_id, [part], at);
    }
    await nodes.setDepths(_id, plan.depths);
    const changed = await journal.change(_id, async (current) => {
      if (current.state === 'OPEN') {
        const { groups, groupEdges, layers } = plan;
        const sealed = { state: 'RUNNING', sealedAt: clock.now(), isSealing: null } as const;
        return { patch: { ...sealed, groups, groupEdges, layers } };
      }
      return emptiedAgain(current);
    });
    const workflow = changed?.workflow ?? null;
    if (workflow?.sealedAt === undefined) {
      const errors = new InputErrors<SealErrorCode>();
      if (workflow) checkUnsealed(workflow, 'seal it', errors);
      return refused(errors);
    }
    await pieces.drop(_id);
    const warnings = await placementWarnings(this.#options, { share, priority }, kinds.first, kinds.count);
    return { workflow, warnings, userErrors: [] };
  }
}

function checkParts({ parts = [], nodes }: WorkflowDocument, errors: SealErrors): void {
  const open = parts.findIndex(({ isStored }) => !isStored);
  if (open >= 0) {
    const again = open === 0 ? 'submit the beginning again' : `append part ${open} again`;
    const text = `workflowId: part ${open} is not stored completely; ${again} with the same content`;
    errors.report('PART_INCOMPLETE', ['workflowId'], text);
  } else if (nodes === 0)
    errors.report(
      'INVALID_VALUE',
      ['workflowId'],
      'workflowId: the workflow has no nodes; append some first',
    );
}

/** Paths lead into the input of the parts; the seal has only the workflow. */
function refused(errors: SealErrors): SealWorkflowResult {
  const userErrors = errors.all.slice(0, maxErrors).map((error) => ({ ...error, path: ['workflowId'] }));
  return { workflow: null, warnings: [], userErrors };
}
