/**
 * Children and their parents. A child waits while one of its parents has not FINISHED; it is closed when one ended otherwise. Both follow
 * from the parent's end, told by the event stream, and are checked once more after a child was written: its parent may have ended before.
 * Everything here may be done twice, by several processes at once, and broken off at any point.
 */
import { isTerminal, type JobState } from '../model/job-state.js';
import type { JobsRepository } from '../model/jobs.repository.js';
import type {
  TransitionOutcome,
  TransitionRequest,
  TransitionWriter,
} from '../transitions/transition.types.js';

/** A parent that ended. */
export interface EndedParent {
  readonly id: string;
  readonly state: JobState;
}

/** What {@link Dependencies} works with. */
export interface DependenciesOptions {
  readonly jobs: JobsRepository;
  readonly writer: TransitionWriter;
}

/** Children looked at in one step. */
const pageSize = 1000;
/** Rounds in which nothing changed at most: others may change the same children at the same time, but not for ever. */
const maxIdleRounds = 20;
const actor = 'system:dependencies';

/** Lets children go, or closes them. */
export class Dependencies {
  readonly #jobs: JobsRepository;
  readonly #writer: TransitionWriter;

  constructor({ jobs, writer }: DependenciesOptions) {
    this.#jobs = jobs;
    this.#writer = writer;
  }

  /** Brings the children of these parents to where the parents' ends put them. */
  async parentsEnded(parents: readonly EndedParent[]): Promise<void> {
    const finished = parents.filter(({ state }) => state === 'FINISHED').map(({ id }) => id);
    const others = parents.filter(({ state }) => isTerminal(state) && state !== 'FINISHED');
    // Closing comes first: a child of both kinds must not start.
    for (let start = 0; start < others.length; start += pageSize)
      await this.#close(others.slice(start, start + pageSize));
    for (let start = 0; start < finished.length; start += pageSize)
      await this.#release(finished.slice(start, start + pageSize));
  }

  /** Looks at parents again after children of theirs were written, for those that ended before anybody could know of the children. */
  async checkAgain(parentIds: Iterable<string>): Promise<void> {
    const ids = [...new Set(parentIds)];
    for (let start = 0; start < ids.length; start += pageSize) {
      const found = await this.#jobs.parents(ids.slice(start, start + pageSize));
      await this.parentsEnded([...found.values()].map(({ _id, state }) => ({ id: _id, state })));
    }
  }

  /** Checks everybody who waits; for a process that lost its place in the event stream. */
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
      // What is refused waits for others, too, or is held: then these parents are struck off its list.
      const dropped = refused.length > 0 ? await this.#jobs.dropParents(refused, parentIds) : 0;
      if (dropped > 0 || refused.length < children.length) idle = -1;
    }
    throw new Error(
      `children of ${parentIds.slice(0, 3).join(', ')} can be neither activated nor left to other parents`,
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
