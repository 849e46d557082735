/** The leader's knowledge of the jobs of one fleet. The store has all but the times without units. */
import { isHeld, type JobState } from '../../jobs/model/job-state.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { PoolTotals } from '../../units/pools/pools.service.js';
import { type FleetJob, phaseOf } from '../model/job-plan.js';
import type { FleetDocument } from '../model/fleet.document.js';
import { LoadWindow, type PoolRates } from './load-window.js';

/** Fields of a job that are known. */
export type KnownJob = Pick<JobDocument, '_id' | 'state' | 'revision'>;

interface KnownState {
  /** Absent for a job that the store does not have. */
  readonly state?: JobState;
  readonly revision: number;
}

const absent: KnownState = { revision: -1 };

/** Memory of one fleet. */
export class FleetMemory {
  readonly #jobs = new Map<string, KnownState>();
  readonly #idleSince = new Map<string, number>();
  readonly #window = new LoadWindow();

  /** Members that were not read yet. */
  unknown({ members }: Pick<FleetDocument, 'members'>): readonly string[] {
    return members.flatMap(({ id }) => (this.#jobs.has(id) ? [] : [id]));
  }

  /** Takes jobs as they were read, or as an event says. Older facts than the known ones are ignored. */
  learn(jobs: readonly KnownJob[]): void {
    for (const { _id, state, revision } of jobs) {
      const known = this.#jobs.get(_id);
      if (!known || known.revision < revision) this.#jobs.set(_id, { state, revision });
    }
  }

  /** Takes jobs that the store does not have. */
  learnAbsent(ids: readonly string[]): void {
    for (const id of ids) if (!this.#jobs.has(id)) this.#jobs.set(id, absent);
  }

  /** Forgets the states of jobs, because events may have been missed. */
  forgetJobs(): void {
    this.#jobs.clear();
  }

  /** Ids of the members that workers hold. */
  held({ members }: Pick<FleetDocument, 'members'>): readonly string[] {
    return members.flatMap(({ id }) => {
      const state = this.#jobs.get(id)?.state;
      return state !== undefined && isHeld(state) ? [id] : [];
    });
  }

  /** Takes the numbers of the pool, and the jobs that hold units. */
  observe(
    { members }: Pick<FleetDocument, 'members'>,
    totals: PoolTotals,
    busy: ReadonlySet<string>,
    nowMs: number,
  ): void {
    const { waiting, leased, completed, dead } = totals;
    this.#window.add({
      atMs: nowMs,
      published: waiting + leased + completed + dead,
      completed,
      busy: busy.size,
      finished: members.filter(({ id, releasedAt }) => !releasedAt && this.stateOf(id) === 'FINISHED').length,
    });
    const ids = new Set(members.map(({ id }) => id));
    for (const id of [...this.#jobs.keys()]) if (!ids.has(id)) this.#jobs.delete(id);
    for (const id of [...this.#idleSince.keys()]) if (!ids.has(id)) this.#idleSince.delete(id);
    const held = new Set(this.held({ members }));
    for (const id of ids) {
      if (busy.has(id) || !held.has(id)) this.#idleSince.delete(id);
      else if (!this.#idleSince.has(id)) this.#idleSince.set(id, nowMs);
    }
  }

  rates(): PoolRates {
    return this.#window.rates();
  }

  /** True if, in the last minute, more jobs finished by themselves than units were completed. */
  isUnproductive(): boolean {
    return this.#window.isUnproductive();
  }

  /** State of a job, if it is known. */
  stateOf(id: string): JobState | undefined {
    return this.#jobs.get(id)?.state;
  }

  /** The jobs of the fleet, in the order of their creation. */
  jobs({ members }: Pick<FleetDocument, 'members'>, nowMs: number): readonly FleetJob[] {
    return members.map(({ id, version, queue, releasedAt }) => {
      const idleSince = this.#idleSince.get(id);
      return {
        ...{ id, version, queue, releasedAt },
        phase: this.#jobs.get(id) === absent ? 'ENDED' : phaseOf(this.stateOf(id)),
        idleSeconds: idleSince === undefined ? 0 : (nowMs - idleSince) / 1000,
      };
    });
  }
}
