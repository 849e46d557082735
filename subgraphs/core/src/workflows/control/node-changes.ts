/** Other requirements, and another program, for nodes that run again. */
import type { Clock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import {
  checkPayloadChanges,
  checkRequirementChanges,
  environmentProblem,
  type RetryChanges,
  requirementsWith,
} from '../../jobs/bulk/retry-changes.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { ClassesRepository } from '../../jobs/model/requirement-classes.repository.js';
import type { QueueDirectory } from '../../jobs/ports.js';
import type { JobInputErrorCode } from '../../jobs/submit/job-input-error.types.js';
import { bitsOfNodes } from '../model/node-bits.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { ChangedClass, ChangedNodes } from '../model/workflow.types.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import { boundsOnce, exceededLimit, limitText } from '../submit/placement.js';
import { maxErrors, maxStoredBytes, nodeText } from '../submit/workflow-input.js';

/** Dependencies of {@link NodeChanges}. */
export interface NodeChangesOptions {
  readonly nodeJobs: Pick<NodeJobsRepository, 'classes' | 'environments'>;
  readonly classes: Pick<ClassesRepository, 'ensure'>;
  readonly queues: QueueDirectory;
  readonly clock: Clock;
}

/** Codes of changed requirements in addition to INVALID_VALUE. */
export type NodeChangeCode = 'QUEUE_NOT_FOUND' | 'QUEUE_LIMIT_EXCEEDED';

type ChangeErrors = Pick<InputErrors<NodeChangeCode>, 'report' | 'isEmpty'> & {
  readonly all: readonly unknown[];
};

/** Most requirement classes of the nodes that one retry changes. */
const maxClasses = 100;

/** Changes nodes. */
export class NodeChanges {
  readonly #options: NodeChangesOptions;

  constructor(options: NodeChangesOptions) {
    this.#options = options;
  }

  /** Checks changes apart from the nodes. */
  async check(
    { experiment }: WorkflowDocument,
    { requirements = {}, payload }: RetryChanges,
    errors: ChangeErrors,
  ): Promise<void> {
    const own = new InputErrors<JobInputErrorCode>();
    checkRequirementChanges(requirements, ['requirements'], own);
    if (payload) checkPayloadChanges(payload, ['payload'], own);
    for (const { path, message } of own.all) errors.report('INVALID_VALUE', path, message);
    const { queue } = requirements;
    if (queue == null || !errors.isEmpty) return;
    if ((await this.#options.queues.admitted([queue], experiment)).has(queue)) return;
    const text = `requirements.queue: ${JSON.stringify(queue.slice(0, 63))} does not exist, or does not admit ${experiment}`;
    errors.report('QUEUE_NOT_FOUND', ['requirements', 'queue'], text);
  }

  /** Nodes with what they get, whose classes are stored; undefined for errors, or if nothing changes. */
  async of(
    { _id }: WorkflowDocument,
    nodes: readonly number[],
    { requirements: wanted = {}, payload }: RetryChanges,
    errors: ChangeErrors,
  ): Promise<ChangedNodes | undefined> {
    const { classes, clock } = this.#options;
    const stored = nodes.length * Buffer.byteLength(JSON.stringify(payload ?? {}));
    if (payload && stored > maxStoredBytes) {
      const text = `payload: ${nodes.length} nodes would get ${stored} bytes of payloads; must be at most ${maxStoredBytes}; name fewer nodes`;
      errors.report('INVALID_VALUE', ['payload'], text);
      return undefined;
    }
    if (payload?.environment) await this.#checkEnvironments(_id, nodes, payload, errors);
    const queues = boundsOnce(this.#options.queues);
    const before = await this.#options.nodeJobs.classes(_id, nodes, maxClasses + 1);
    if (before.size > maxClasses) {
      const text = `requirements: the nodes have more than ${maxClasses} kinds of requirements; name fewer nodes`;
      errors.report('INVALID_VALUE', ['requirements'], text);
    }
    const changed: ChangedClass[] = [];
    for (const [from, { node, requirements }] of before) {
      if (errors.all.length >= maxErrors) break;
      const after = requirementsWith(requirements, wanted, payload?.image !== undefined);
      const over = await exceededLimit(queues, after);
      if (over) {
        const text = limitText(node, over, 'would require');
        errors.report('QUEUE_LIMIT_EXCEEDED', ['requirements', over.field], text);
      }
      const to = classIdOf(after);
      if (to !== from) changed.push({ from, to, requirements: after });
    }
    if (!errors.isEmpty || (changed.length === 0 && !payload)) return undefined;
    await classes.ensure(new Map(changed.map(({ to, requirements }) => [to, requirements])), clock.now());
    return { nodes: bitsOfNodes(new Set(nodes)), classes: changed, ...(payload ? { payload } : {}) };
  }

  /** Refuses variables that a node cannot have besides its own. */
  async #checkEnvironments(
    workflowId: string,
    nodes: readonly number[],
    changes: NonNullable<RetryChanges['payload']>,
    errors: ChangeErrors,
  ): Promise<void> {
    for await (const { name, payload } of this.#options.nodeJobs.environments(workflowId, nodes)) {
      if (errors.all.length >= maxErrors) return;
      const problem = environmentProblem(payload, changes);
      if (problem !== undefined)
        errors.report('INVALID_VALUE', ['payload', 'environment'], `${nodeText({ name })} ${problem}`);
    }
  }
}
