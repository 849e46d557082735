/**
 * Answers workers that hold jobs which core no longer assigns to them: after lost contact, and after the
 * start of their pilot. An attempt that was given away is valid again by one conditional update, under a new
 * fence.
 */
import type { Logger } from '@rhizome/log';
import type { Clock } from '@rhizome/clock';
import type { TransitionRequest, TransitionWriter } from '../../jobs/transitions/transition.types.js';
import { fenceStep } from '../../scheduler/leader/broker-lease.repository.js';
import type { AdoptableJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { WorkerCommand } from '../commands/worker-command.types.js';
import type { UnreachableLeasesRepository } from '../leases/unreachable-leases.repository.js';
import type { HeldJob } from '../worker.types.js';
import { type AdoptionStep, type Holder, planAdoption } from './adoption-rules.js';
import type { SupersededAttemptsRepository } from './superseded-attempts.repository.js';

/** Dependencies of {@link Adoptions}. */
export interface AdoptionsOptions {
  readonly jobs: { adoptable(ids: readonly string[]): Promise<ReadonlyMap<string, AdoptableJob>> };
  readonly fences: { reserve(count: number): Promise<number> };
  readonly unreachable: Pick<UnreachableLeasesRepository, 'release'>;
  readonly superseded: Pick<SupersededAttemptsRepository, 'record'>;
  readonly writer: TransitionWriter;
  readonly clock: Clock;
  readonly log: Logger;
}

type Planned = { readonly held: HeldJob; readonly step: AdoptionStep };
type ToAdopt = { readonly held: HeldJob; readonly step: AdoptionStep & { readonly kind: 'adopt' } };

/** A job that changes while it is read is read again, at most this often. */
const maxRounds = 4;

/** Decides which jobs workers may continue. */
export class Adoptions {
  readonly #options: AdoptionsOptions;

  constructor(options: AdoptionsOptions) {
    this.#options = options;
  }

  /**
   * Returns ADOPT, DROP or KILL for each job that the worker holds and core does not assign to it by that
   * fence; nothing for its own jobs, and for jobs that change all the time: the next heartbeat decides about
   * them.
   */
  async answer(holder: Holder, held: readonly HeldJob[]): Promise<readonly WorkerCommand[]> {
    const commands: WorkerCommand[] = [];
    let open = held;
    for (let round = 0; round < maxRounds && open.length > 0; round += 1) {
      const jobs = await this.#options.jobs.adoptable(open.map(({ id }) => id));
      const now = this.#options.clock.now();
      const planned = open.map((one) => ({
        held: one,
        step: planAdoption(holder, one, jobs.get(one.id), now),
      }));
      commands.push(...planned.flatMap(commandOf));
      await this.#recordSuperseded(planned, now);
      const { adopted, again } = await this.#adopt(holder, planned.filter(isToAdopt));
      commands.push(...adopted);
      open = again;
    }
    return commands;
  }

  async #adopt(
    holder: Holder,
    planned: readonly ToAdopt[],
  ): Promise<{ readonly adopted: readonly WorkerCommand[]; readonly again: readonly HeldJob[] }> {
    if (planned.length === 0) return { adopted: [], again: [] };
    const { fences, writer, log } = this.#options;
    // Allocated after the jobs were read: higher than the fence of every grant of them.
    const first = await fences.reserve(planned.length);
    const requests = planned.map(({ step: { request } }, index): TransitionRequest => {
      const { adoption, ...rest } = request;
      return { ...rest, change: { adoption: { ...adoption, fence: first + index * fenceStep } } };
    });
    const outcomes = await writer.apply(requests);
    const done = planned.filter((_one, index) => outcomes[index]?.applied);
    await this.#releaseDevices(done);
    if (done.length > 0) log.info({ workerId: holder.workerId, jobs: done.length }, 'attempts adopted');
    return {
      adopted: planned.flatMap(({ held: { id, fence } }, index): readonly WorkerCommand[] => {
        const newFence = requests[index]?.change?.adoption?.fence;
        if (!outcomes[index]?.applied || newFence === undefined) return [];
        return [{ kind: 'ADOPT', jobId: id, fence, newFence, reason: requests[index]?.reason ?? '' }];
      }),
      again: planned.flatMap(({ held }, index) => (outcomes[index]?.applied ? [] : [held])),
    };
  }

  /** The attempts book their devices themselves again. */
  async #releaseDevices(done: readonly ToAdopt[]): Promise<void> {
    const byWorker = new Map<string, { readonly jobId: string; readonly fence: number }[]>();
    for (const { held, step } of done) {
      const { workerId, fence, deviceIds } = step.attempt;
      if (deviceIds.length === 0) continue;
      byWorker.set(workerId, [...(byWorker.get(workerId) ?? []), { jobId: held.id, fence }]);
    }
    for (const [workerId, grants] of byWorker) await this.#options.unreachable.release(workerId, grants);
  }

  async #recordSuperseded(planned: readonly Planned[], now: Date): Promise<void> {
    await this.#options.superseded.record(
      planned.flatMap(({ held, step }) => {
        if (step.kind !== 'drop' || !step.superseded) return [];
        const { fence, startedAt, sentAt } = step.superseded;
        const begun = startedAt ?? sentAt;
        const lostSeconds = Math.max(0, Math.round((now.getTime() - begun.getTime()) / 1000));
        return [{ jobId: held.id, fence, lostSeconds }];
      }),
      now,
    );
  }
}

function isToAdopt(planned: Planned): planned is ToAdopt {
  return planned.step.kind === 'adopt';
}

function commandOf({ held: { id, fence }, step }: Planned): readonly WorkerCommand[] {
  const about = { jobId: id, fence };
  if (step.kind === 'adopted')
    return [{ kind: 'ADOPT', ...about, newFence: step.newFence, reason: 'the attempt was adopted before' }];
  if (step.kind === 'kill') return [{ kind: 'KILL', ...about, reason: step.reason }];
  if (step.kind === 'drop') return [{ kind: 'DROP', ...about, reason: step.reason }];
  return [];
}
