/** Checks the nodes of a call, apart from their graph. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Principal } from '@rhizome/authz';
import { InputErrors, type InputPath } from '@rhizome/errors';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';
import type {
  ExperimentDirectory,
  ExperimentFacts,
  JobSecrets,
  QueueDirectory,
  SubmissionConsents,
} from '../../jobs/ports.js';
import { classifier } from '../../jobs/submit/classifier.js';
import type { SecretIds } from '../../jobs/submit/normalise.js';
import { missingConsent, type Ownership } from '../../jobs/submit/ownership.js';
import {
  type CheckSelector,
  type RequirementChecks,
  requirementChecks,
} from '../../jobs/submit/requirement-checks.js';
import { checkSecretIds, lookUpSecrets } from '../../jobs/submit/secret-lookup.js';
import { boundsOnce, type ExceededLimit, exceededLimit, limitText } from './placement.js';
import type { WorkflowErrors } from './workflow-errors.js';
import { checkNodes, type GivenNodes, jobOf, maxErrors, nodesPerTurn } from './workflow-input.js';

/** Dependencies of {@link NodeExaminer}. */
export interface NodeExaminerOptions {
  readonly experiments: ExperimentDirectory;
  readonly queues: QueueDirectory;
  readonly consents: SubmissionConsents;
  readonly secrets: JobSecrets;
  readonly checkSelector: CheckSelector;
}

/** Principal that submits nodes, and their owner. */
export interface NodeSubmitter {
  readonly principal: Principal;
  readonly owners: Owners;
  /** Name of the experiment. */
  readonly experiment: string;
}

/** Owner of nodes, and their submitter if that is someone else. */
export type Owners = Exclude<Ownership, { readonly refusal: unknown }>;

/** Nodes whose values may be stored. */
export interface ExaminedNodes {
  readonly experiment: ExperimentFacts;
  readonly classOf: ReturnType<typeof classifier>;
  readonly secretIds: SecretIds;
  /** Bytes of the payloads of all nodes, those that they inherit from labels included. */
  readonly bytes: number;
}

/** Checks nodes. */
export class NodeExaminer {
  readonly #options: NodeExaminerOptions;

  constructor(options: NodeExaminerOptions) {
    this.#options = options;
  }

  /**
   * Checks the values of nodes, the consent of the owner, and secrets. Errors of secrets are only reported.
   * @param checkRest checks other values of the call
   * @returns undefined if there are other errors
   */
  async examine(
    { principal, owners, experiment: name }: NodeSubmitter,
    given: GivenNodes,
    errors: WorkflowErrors,
    checkRest: (checks: RequirementChecks) => void = () => undefined,
  ): Promise<ExaminedNodes | undefined> {
    const { experiments, consents } = this.#options;
    const experiment = await experiments.find(name);
    const labels = [...given.labels.values()];
    const all = [...labels, ...given.nodes];
    const required = all.map(({ requirements }) => requirements);
    const payloads = all.map(({ payload }) => payload);
    const owned = { owner: owners.owner, payloads };
    const checks = await requirementChecks(this.#options, experiment, required, owned);
    checkRest(checks);
    const bytes = await checkNodes(given, errors, checks);
    if (!experiment) errors.add(['experiment'], name, 'a registered experiment', 'EXPERIMENT_NOT_FOUND');
    if (!experiment || !errors.isEmpty) return undefined;
    const missing = await missingConsent(owners, name, consents);
    if (missing) {
      errors.report(missing.code, missing.path, missing.message);
      return undefined;
    }
    const { owner, submittedBy } = owners;
    const secretIds = await lookUpSecrets(
      this.#options,
      { principal, owner, submittedBy, experiment: name },
      payloads,
    );
    const unusable = new InputErrors<JobValueErrorCode>();
    all.forEach(({ payload }, at) => {
      if (!payload?.secrets) return;
      const path = at < labels.length ? labelPath(given, at) : ['nodes', at - labels.length];
      checkSecretIds(payload, [...path, 'payload'], secretIds, unusable);
    });
    const isStored = given.areLabelsStored === true;
    for (const { code, path, message } of unusable.all)
      errors.report(code, isStored && path[2] === 'label' ? path.slice(0, 3) : path, message);
    return { experiment, classOf: classifier(experiment), secretIds, bytes };
  }

  /** Refuses requirements that the queue which they name never admits. */
  async checkLimits(
    { nodes, labels }: GivenNodes,
    classOf: ExaminedNodes['classOf'],
    errors: WorkflowErrors,
  ): Promise<void> {
    const queues = boundsOnce(this.#options.queues);
    const known = new Map<string, ExceededLimit | undefined>();
    for (const [at, node] of nodes.entries()) {
      if (at % nodesPerTurn === nodesPerTurn - 1) await turn();
      if (errors.all.length >= maxErrors) return;
      const job = jobOf(node, labels);
      if (job?.requirements?.queue == null) continue;
      const { classId, requirements } = classOf(job);
      if (!known.has(classId)) known.set(classId, await exceededLimit(queues, requirements));
      const over = known.get(classId);
      if (!over) continue;
      const path = ['nodes', at, 'requirements', over.field];
      errors.report('QUEUE_LIMIT_EXCEEDED', path, limitText(node, over));
    }
  }
}

/** Path of a label in the input, or of its first node if the label is not part of the input. */
function labelPath({ nodes, labels, areLabelsStored }: GivenNodes, at: number): InputPath {
  if (areLabelsStored !== true) return ['nodeLabels', at];
  const label = [...labels.keys()][at];
  return ['nodes', nodes.findIndex((node) => node.label === label), 'label'];
}
