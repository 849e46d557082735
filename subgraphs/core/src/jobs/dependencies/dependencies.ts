/**
 * Child jobs and their parents. A child waits until all its parents have FINISHED; it is closed if a parent
 * ends in another state. Both are triggered by the parent's end in the event stream, and checked again after
 * a child was written, because its parent may have ended before. All steps are idempotent, may run in several
 * processes at once, and may be interrupted at any point.
 */
import { isTerminal, type JobState } from '../model/job-state.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import type {
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from '../transitions/transition.types.js';

/** Parent that has ended. */
export interface EndedParent {
  readonly id: string;
  readonly state: JobState;
}

/** Dependencies of {@link Dependencies}. */
export interface DependenciesOptions {
  readonly jobs: JobsRepository;
  readonly writer: TransitionWriter;
}

/** Number of children per step. */
const pageSize = 1000;
/**
 * Maximum number of consecutive rounds without a change: other processes may change the same children at the
 * same time, but only for a limited time.
 */
const maxIdleRounds = 20;
const actor = 'system:dependencies';

/** Activates or closes waiting children. */
export class Dependencies {
  readonly #jobs: JobsRepository;
  readonly #writer: TransitionWriter;

  constructor({ jobs, writer }: DependenciesOptions) {
    this.#jobs = jobs;
    this.#writer = writer;
  }

  /** Applies the end states of these parents to their children. */
  async parentsEnded(parents: readonly EndedParent[]): Promise<void> {
    const finished = parents.filter(({ state }) => state === 'FINISHED').map(({ id }) => id);
    const others = parents.filter(({ state }) => isTerminal(state) && state !== 'FINISHED');
    // Closing comes first: a child with both a FINISHED and a failed parent must not start.
    for (let start = 0; start < others.length; start += pageSize)
      await this.#close(others.slice(start, start + pageSize));
    for (let start = 0; start < finished.length; start += pageSize)
      await this.#release(finished.slice(start, start + pageSize));
  }

  /**
   * Checks parents again after their children were written: some may have ended before the children were
   * known.
   */
  async checkAgain(parentIds: Iterable<string>): Promise<void> {
    const ids = [...new Set(parentIds)];
    for (let start = 0; start < ids.length; start += pageSize) {
      const found = await this.#jobs.parents(ids.slice(start, start + pageSize));
      await this.parentsEnded([...found.values()].map(({ _id, state }) => ({ id: _id, state })));
    }
  }

  /** Checks all waiting children; for a process that lost its position in the event stream. */
  async recover(signal: AbortSignal): Promise<void> {
    for await (const parents of this.#jobs.awaitedParents()) {
      if (signal.aborted) return;
      await this.checkAgain(parents);
    }
  }

  async #release(parentIds: readonly string[]): Promise<void> {
    for (let idle = 0; idle < maxIdleRounds; idle += 1) {
      const children = await this.#jobs.waitingChildren(parentIds, pageSize);
      if (children.length === 0) return;
      const outcomes = await this.#writer.apply(children.map(({ _id }) => activation(_id, parentIds)));
      const refused = outcomes.filter(isStillPending).map(({ jobId }) => jobId);
      // A refused child waits for other parents, too, or is held: these parents are then removed from its
      // list.
      const dropped = refused.length > 0 ? await this.#jobs.dropParents(refused, parentIds) : 0;
      if (dropped > 0 || refused.length < children.length) idle = -1;
    }
    throw new Error(
      `children of ${parentIds.slice(0, 3).join(', ')} can neither be activated nor wait for other parents`,
    );
  }

  async #close(parents: readonly EndedParent[]): Promise<void> {
    const states = new Map(parents.map(({ id, state }) => [id, state]));
    for (;;) {
      const children = await this.#jobs.waitingChildren([...states.keys()], pageSize);
      if (children.length === 0) return;
      await this.#writer.apply(
        children.map(({ _id, waitingFor }) => {
          const parent = waitingFor.find((id) => states.has(id)) ?? '';
          return closing(_id, `its parent ${parent} ended as ${states.get(parent) ?? 'CLOSED'}`);
        }),
      );
    }
  }
}

function activation(jobId: string, finishedParents: readonly string[]): TransitionRequest {
  return {
    jobId,
    from: 'PENDING',
    to: 'ACTIVATED',
    by: 'dependency',
    actor,
    reason: 'its parents FINISHED',
    change: { finishedParents },
  };
}

function closing(jobId: string, reason: string): TransitionRequest {
  return { jobId, from: 'PENDING', to: 'CLOSED', by: 'dependency', actor, reason };
}

function isStillPending(outcome: TransitionOutcome): boolean {
  return !outcome.applied && outcome.current?.state === 'PENDING';
}
