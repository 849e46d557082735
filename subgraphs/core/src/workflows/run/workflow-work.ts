import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { sleep } from '@rhizome/retry';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import { isTerminal, type JobState } from '../../jobs/model/job-state.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import type { EventHandler } from '../../jobs/transitions/event-work.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import { nodeIdOf } from '../model/node.document.js';
import { activeStates, type EndedNodeState } from '../model/workflow.types.js';
import type { EndedNodeJob, NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import type { Journal } from './journal.js';
import type { NextChange } from './next-change.js';
import { nodeJobIds } from './node-jobs.js';
import type { NodeStops } from './node-stops.js';

/** Dependencies of {@link WorkflowWork}. */
export interface WorkflowWorkOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly journal: Journal;
  readonly next: NextChange;
  readonly stops: NodeStops;
  readonly leader: LeaderWork;
  /** Calls a listener with written workflows, also by other processes. */
  readonly onWritten: (listener: (ids: readonly string[]) => void) => () => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Interval at which all active workflows are looked at, in milliseconds; defaults to 30,000. */
  readonly sweepMs?: number | undefined;
  /** Interval at which the jobs of all submitted nodes are read, in milliseconds; defaults to 600,000. */
  readonly recheckMs?: number | undefined;
}

/** Number of workflows that are advanced concurrently. */
const maxAtOnce = 4;
/** Steps of one workflow before others have their turn. */
const stepsPerTurn = 10;

/**
 * Advances workflows on the leader: notes the ends of their jobs, and takes their steps. Whatever is lost
 * with a leader is found again in the nodes.
 */
export class WorkflowWork implements EventHandler {
  readonly name = 'workflows';
  readonly #options: WorkflowWorkOptions;
  readonly #task: LeaderTask;
  readonly #due = new Set<string>();
  readonly #active = new Map<string, Promise<void>>();
  /** Signal of the present term; undefined while this process does not lead. */
  #term: AbortSignal | undefined;
  #unwatch: (() => void) | undefined;

  constructor(options: WorkflowWorkOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#unwatch = this.#options.onWritten((ids) => this.#wake(ids));
    this.#task.start();
  }

  /** Stops after the steps in progress; the next leader continues. */
  async stop(): Promise<void> {
    this.#unwatch?.();
    await this.#task.stop();
  }

  async handle(events: readonly JobEvent[]): Promise<void> {
    const ended = events.flatMap(({ last }): EndedNodeJob[] => {
      const { workflow, to, from, at } = last;
      if (!workflow || !isTerminal(to) || from === to) return [];
      return [
        { nodeId: nodeIdOf(workflow.id, workflow.node), run: workflow.run, outcome: outcomeOf(to), at },
      ];
    });
    if (ended.length === 0) return;
    await this.#options.nodes.jobsEnded(ended);
    this.#wake(events.flatMap(({ last }) => last.workflow?.id ?? []));
  }

  /**
   * Reads the states of all jobs of active workflows: events may be lost. The leader repeats it, so that no
   * node waits forever for an end that a process of another version has passed over.
   */
  async recover(signal: AbortSignal): Promise<void> {
    for await (const id of this.#activeWorkflows(signal)) {
      const idOf = nodeJobIds(id);
      for await (const nodes of this.#options.nodes.submitted(id, true)) {
        if (signal.aborted) break;
        const byJob = new Map(nodes.map((node) => [idOf(node) ?? '', node]));
        const jobs = await this.#options.jobs.find([...byJob.keys()], { state: 1, stateTimes: 1 });
        const ended = jobs.flatMap(({ _id, state, stateTimes }): EndedNodeJob[] => {
          const node = byJob.get(_id);
          if (!node || !isTerminal(state)) return [];
          const at = stateTimes[state] ?? this.#options.clock.now();
          return [{ nodeId: node._id, run: node.run, outcome: outcomeOf(state), at }];
        });
        await this.#options.nodes.jobsEnded(ended);
      }
      this.#wake([id]);
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { sweepMs = 30_000, recheckMs = 600_000, log } = this.#options;
    this.#term = signal;
    const failed = (err: unknown): void => log.warn({ err }, 'search for active workflows failed');
    const missed = (err: unknown): void => log.warn({ err }, 'search for ended jobs of workflows failed');
    const rechecking = sleep(recheckMs, signal).then(() =>
      repeat(() => this.recover(signal), recheckMs, signal, missed),
    );
    try {
      await repeat(() => this.#wakeActive(signal), sweepMs, signal, failed);
    } finally {
      this.#term = undefined;
      this.#due.clear();
      await Promise.all([rechecking, ...this.#active.values()]);
    }
  }

  async #wakeActive(signal: AbortSignal): Promise<void> {
    for await (const id of this.#activeWorkflows(signal)) this.#wake([id]);
  }

  async *#activeWorkflows(signal: AbortSignal): AsyncGenerator<string> {
    for await (const { _id } of this.#options.workflows.inStates(activeStates)) {
      if (signal.aborted) return;
      yield _id;
    }
  }

  #wake(ids: readonly string[]): void {
    if (!this.#term) return;
    for (const id of ids) this.#due.add(id);
    this.#begin();
  }

  /** Begins with workflows that are due; one that is being advanced comes again afterwards. */
  #begin(): void {
    for (const id of this.#due) {
      if (this.#active.size >= maxAtOnce) return;
      const term = this.#term;
      if (!term || this.#active.has(id)) continue;
      this.#due.delete(id);
      const running = this.#advance(id, term).finally(() => {
        this.#active.delete(id);
        this.#begin();
      });
      this.#active.set(id, running);
    }
  }

  async #advance(id: string, signal: AbortSignal): Promise<void> {
    const { journal, next, stops, log } = this.#options;
    try {
      const hasMore = await journal.changeAll(id, (workflow) => next.of(workflow), signal, stepsPerTurn);
      await stops.ofCancelled(id, signal);
      // Behind the others that are due.
      if (hasMore && !signal.aborted) {
        this.#due.delete(id);
        this.#due.add(id);
      }
    } catch (err) {
      log.warn({ err, workflowId: id }, 'workflow not advanced');
      // The sweep comes back to it, and this much earlier.
      await sleep(1000, signal);
      if (!signal.aborted) this.#due.add(id);
    }
  }
}

function outcomeOf(state: JobState): EndedNodeState {
  if (state === 'FINISHED') return 'SUCCEEDED';
  return state === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
}
