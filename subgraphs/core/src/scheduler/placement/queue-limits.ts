/** Limits of queues on the jobs that are sent or running in them: in all, and by experiment. Pure. */
import { requestedGpus } from '../../gpus/capacity/gpu-equivalents.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { Ledger } from '../cache/ledger.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

/** Excess that does not count: parts of GPUs are sums of thousandths and sevenths. */
const gpuTolerance = 1e-6;

/** Sums of jobs by queue. */
export type QueueSums = Pick<Ledger, 'queueJobs' | 'queueUse'>;

/** Remaining amounts of one experiment on a queue; Infinity without a limit. */
interface ExperimentAllowance {
  jobs: number;
  cores: number;
  /** Whole GPUs. */
  gpus: number;
}

/** Remaining amounts of a queue; they only shrink during a placement round. */
export class QueueAllowance {
  readonly #queue: QueueFacts;
  readonly #sums: QueueSums;
  #left: number;
  /** Of experiments that were asked for. */
  readonly #experiments = new Map<string, ExperimentAllowance | undefined>();

  constructor(queue: QueueFacts, sums: QueueSums) {
    this.#queue = queue;
    this.#sums = sums;
    this.#left = (queue.limits.maxRunningJobs ?? Infinity) - sums.queueJobs(queue.id);
  }

  /** True if the queue may run another job of some experiment. */
  get isOpen(): boolean {
    return this.#left > 0;
  }

  /** Returns true if the queue may run another job of the class, apart from optional GPUs. */
  admits(experiment: string, { requirements: { cores, gpu } }: RequirementClass): boolean {
    if (this.#left <= 0) return false;
    const own = this.#of(experiment);
    return own === undefined || (own.jobs > 0 && own.cores >= cores && hasGpus(own, requestedGpus(gpu)));
  }

  /** Returns true if jobs of the experiment may take this part of GPUs. */
  admitsGpus(experiment: string, gpus: number): boolean {
    const own = this.#of(experiment);
    return own === undefined || hasGpus(own, gpus);
  }

  /** Books a job. @param gpus its charge, in whole GPUs */
  take(experiment: string, cores: number, gpus: number): void {
    this.#left -= 1;
    const own = this.#of(experiment);
    if (!own) return;
    own.jobs -= 1;
    own.cores -= cores;
    own.gpus -= gpus;
  }

  /** @returns undefined without limits of the experiment */
  #of(experiment: string): ExperimentAllowance | undefined {
    const { id, experimentLimits } = this.#queue;
    if (!experimentLimits) return undefined;
    if (this.#experiments.has(experiment)) return this.#experiments.get(experiment);
    const limit = experimentLimits.find((one) => one.experiment === experiment);
    // Read before its first job of the round, and counted by `take` from then on.
    const used = this.#sums.queueUse(id, experiment);
    const own = limit && {
      jobs: (limit.maxRunningJobs ?? Infinity) - used.jobs,
      cores: (limit.maxCores ?? Infinity) - used.cores,
      gpus: (limit.maxGpus ?? Infinity) - used.gpus,
    };
    this.#experiments.set(experiment, own);
    return own;
  }
}

function hasGpus({ gpus: left }: ExperimentAllowance, gpus: number): boolean {
  return gpus === 0 || gpus <= left + gpuTolerance;
}
