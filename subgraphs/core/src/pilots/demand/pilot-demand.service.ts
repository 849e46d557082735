/**
 * Demand for pilots of a queue. Only the leader knows which jobs are ready, so other processes ask it on
 * behalf of the caller. The cost grows with the requirement classes, not with the jobs.
 */
import { timeOfId, type Clock } from '@rhizome/clock';
import { DomainError, type InputError } from '@rhizome/errors';
import type { Principal } from '@rhizome/authz';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { experimentOf } from '../../scheduler/cache/ready-windows.js';
import type { SchedulerCache } from '../../scheduler/cache/scheduler-cache.js';
import { isConsidered } from '../../scheduler/cache/equivalent-workers.js';
import type { SchedulerService } from '../../scheduler/dispatch/scheduler.service.js';
import type { ExplanationCaller } from '../../scheduler/explain/explanations.js';
import { workersFreeNow } from '../../scheduler/explain/fleet-facts.js';
import { callLeader, leaderUnavailable } from '../../scheduler/leader/leader-call.js';
import type { Leadership } from '../../scheduler/leader/leadership.js';
import { QueueAllowance } from '../../scheduler/placement/queue-limits.js';
import type { RequirementClass } from '../../scheduler/requirements/requirement-class.js';
import type { RequirementClasses } from '../../scheduler/requirements/requirement-classes.js';
import { TimeSlices } from '../../shared/time-slices.js';
import type { WorkerAccess } from '../../workers/worker-access.js';
import type { QueueLookup } from '../../workers/worker-directory.service.js';
import type { WorkersRepository } from '../../workers/workers.repository.js';
import { checkShapes, type DemandCode, type ShapesInput, shapesOf } from '../control/pilot-input.js';
import { idsByQueue } from '../model/ids-by-queue.js';
import type { PilotsRepository } from '../store/pilots.repository.js';
import {
  byExperiment,
  type Coming,
  comingBy,
  type Cover,
  demandKey,
  missingJobs,
  mostWanted,
  nothingComing,
} from './class-demand.js';
import { isCounted } from './is-counted.js';
import { type ShapeFit, Shapes } from './shapes.js';

/** Demand of a class in an experiment. */
export interface ClassDemand {
  readonly classId: string;
  readonly experiment: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly walltimeSeconds: number;
  readonly waitingJobs: number;
  readonly isAtLeast: boolean;
  readonly oldestSubmittedAt: Date | null;
  readonly freeWorkers: number;
  readonly comingPilots: number;
  readonly comingJobs: number;
  readonly missingJobs: number;
  readonly shape: string | null;
  readonly jobsPerPilot: number | null;
  /** Reason why no shape serves the class; null if one does. */
  readonly reason: string | null;
}

/** Demand for pilots of a queue. */
export interface QueueDemand {
  readonly measuredAt: Date;
  readonly classes: readonly ClassDemand[];
  readonly classesLeftOut: number;
}

/** The demand, or the reasons for a refusal. */
export interface DemandResult {
  readonly demand: QueueDemand | null;
  readonly userErrors: readonly InputError<DemandCode>[];
}

/** Input of `pilotDemand`. */
export interface DemandInput extends ShapesInput {
  readonly queue: string;
}

/** Dependencies of {@link PilotDemandService}. */
export interface PilotDemandOptions {
  readonly pilots: Pick<PilotsRepository, 'queuesInContact' | 'coming' | 'arrived'>;
  readonly workers: Pick<WorkersRepository, 'ofBatchJobs'>;
  readonly scheduler: Pick<SchedulerService, 'isLeading' | 'waiting'>;
  readonly cache: Pick<SchedulerCache, 'fleet' | 'ledger'>;
  readonly classes: Pick<RequirementClasses, 'load' | 'get'>;
  readonly leadership: Pick<Leadership, 'leaderUrl'>;
  readonly queues: Pick<QueueLookup, 'freshByNames'>;
  readonly access: Pick<WorkerAccess, 'assert'>;
  /** Address of this process for calls; undefined if it is alone. */
  readonly ownUrl: (() => string | undefined) | undefined;
  readonly clock: Clock;
}

/** Pilots on their way by class and experiment, and the keys of those that have pilots of the queue. */
interface ComingPilots {
  readonly pilots: ReadonlyMap<string, Coming>;
  readonly own: ReadonlySet<string>;
}

/** Most classes in one answer, of those without pilots of the queue on their way. */
const mostClasses = 200;
/** Time after which the pilots of an executor that no longer calls count for nobody. */
const contactSeconds = 900;
const mostComing = 50_000;
const sliceMs = 5;
const timeoutMs = 10_000;

const query = `query ForwardedPilotDemand($input: PilotDemandInput!) {
  pilotDemand(input: $input) {
    demand {
      measuredAt classesLeftOut
      classes {
        classId experimentName cores memoryMiB gpus walltimeSeconds waitingJobs isAtLeast oldestSubmittedAt freeWorkers comingPilots
        comingJobs missingJobs shape jobsPerPilot reason
      }
    }
    userErrors { code path message }
  }
}`;

type ForwardedClass = Omit<ClassDemand, 'experiment' | 'oldestSubmittedAt'> & {
  readonly experimentName: string;
  readonly oldestSubmittedAt: string | null;
};

interface ForwardedDemand {
  readonly pilotDemand: {
    readonly demand: {
      readonly measuredAt: string;
      readonly classesLeftOut: number;
      readonly classes: readonly ForwardedClass[];
    } | null;
    readonly userErrors: readonly InputError<DemandCode>[];
  };
}

/** Answers how many pilots of a queue are wanted. */
export class PilotDemandService {
  readonly #options: PilotDemandOptions;

  constructor(options: PilotDemandOptions) {
    this.#options = options;
  }

  /**
   * The demand for pilots of a queue.
   * @throws DomainError FORBIDDEN; LEADER_UNAVAILABLE if nobody knows the ready jobs at this moment
   */
  async demand(principal: Principal, input: DemandInput, caller: ExplanationCaller): Promise<DemandResult> {
    const { access, queues, scheduler } = this.#options;
    await access.assert(principal, 'pilot:request', input.queue);
    const errors = checkShapes(input);
    const [queue] = await queues.freshByNames([input.queue]);
    if (!queue)
      errors.report('QUEUE_NOT_FOUND', ['queue'], `Queue ${JSON.stringify(input.queue)} not found.`);
    if (!queue || !errors.isEmpty) return { demand: null, userErrors: errors.all };
    if (!scheduler.isLeading) return this.#forward(input, caller);
    // Pilots that arrive meanwhile count twice. The other way round, the jobs that they take would.
    const coming = await this.#coming(queue, this.#options.clock.now());
    const waiting = await scheduler.waiting();
    if (!waiting) return this.#forward(input, caller);
    const demand = await this.#measure(queue, input, byExperiment(waiting, experimentOf), coming);
    return { demand, userErrors: [] };
  }

  async #measure(
    queue: QueueFacts,
    input: DemandInput,
    waiting: ReturnType<typeof byExperiment>,
    coming: ComingPilots,
  ): Promise<QueueDemand> {
    const { classes, cache, clock } = this.#options;
    const measuredAt = clock.now();
    const shapes = new Shapes(queue, shapesOf(input), measuredAt.getTime());
    const allowance = new QueueAllowance(queue, cache.ledger);
    const { pilots, own } = coming;
    const candidates = waiting.flatMap((one) => {
      const cls = classes.get(one.classId);
      const bound = cls?.requirements.queue ?? queue.name;
      if (!cls || bound !== queue.name || !isConsidered(queue, one.experiment, cls)) return [];
      const key = demandKey(one);
      return [{ cls, one, coming: pilots.get(key) ?? nothingComing, isOwn: own.has(key) }];
    });
    const found: ClassDemand[] = [];
    // Free workers are counted by a look at each worker, on the process that places jobs.
    const slices = new TimeSlices(clock, sliceMs);
    for (const { cls, one, coming: on } of mostWanted(candidates, mostClasses)) {
      await slices.next();
      const fit = allowance.admits(one.experiment, cls)
        ? shapes.fit(cls)
        : { reason: 'the queue is at a limit of its running jobs' };
      const freeWorkers = this.#freeNow(cls, one.experiment);
      found.push(this.#classDemand(cls, one, { freeWorkers, coming: on }, fit));
    }
    found.sort((a, b) => b.missingJobs - a.missingJobs);
    return { measuredAt, classes: found, classesLeftOut: candidates.length - found.length };
  }

  #classDemand(
    cls: RequirementClass,
    { experiment, ...waiting }: ReturnType<typeof byExperiment>[number],
    { freeWorkers, coming }: Cover,
    { shape, jobsPerPilot, reason }: ShapeFit,
  ): ClassDemand {
    const { cores, memoryMiB, walltimeSeconds, gpu } = cls.requirements;
    const { jobs: waitingJobs, isAtLeast, oldestId } = waiting;
    return {
      ...{ classId: cls.id, experiment, cores, memoryMiB, gpus: gpu?.count ?? 0, walltimeSeconds },
      ...{ waitingJobs, isAtLeast, freeWorkers, comingPilots: coming.pilots, comingJobs: coming.jobs },
      oldestSubmittedAt: (oldestId === undefined ? undefined : timeOfId(oldestId)) ?? null,
      missingJobs: missingJobs({ jobs: waitingJobs }, { freeWorkers, coming }),
      ...{ shape: shape ?? null, jobsPerPilot: jobsPerPilot ?? null, reason: reason ?? null },
    };
  }

  #freeNow(cls: RequirementClass, experiment: string): number {
    const { cache, clock } = this.#options;
    const { fleet, ledger } = cache;
    return workersFreeNow(cls, experiment, { fleet, ledger, wallMs: clock.now().getTime() });
  }

  /** Pilots on their way to any queue: one demand is not answered twice. */
  async #coming(queue: QueueFacts, now: Date): Promise<ComingPilots> {
    const { pilots, workers } = this.#options;
    const found = await pilots.coming(await pilots.queuesInContact(contactSeconds), mostComing);
    const arrived = new Map<string, string>();
    for (const [queueId, ids] of idsByQueue(found))
      for (const [id, workerId] of await workers.ofBatchJobs(queueId, ids)) arrived.set(id, workerId);
    await pilots.arrived(arrived);
    const counted = found.filter((pilot) => !arrived.has(pilot._id) && isCounted(pilot, queue.id, now));
    const own = counted.filter((pilot) => pilot.queueId === queue.id);
    return { pilots: comingBy(counted), own: new Set(own.map((pilot) => demandKey(pilot))) };
  }

  async #forward(input: DemandInput, { isForwarded, ...caller }: ExplanationCaller): Promise<DemandResult> {
    const { leadership, ownUrl } = this.#options;
    const url = leadership.leaderUrl();
    if (isForwarded || url === undefined || url === ownUrl?.())
      throw leaderUnavailable('it has just begun to lead; try again in a second');
    const operation = { query, variables: { input }, timeoutMs };
    const { data, errors } = await callLeader<ForwardedDemand>(url, operation, caller);
    if (!data?.pilotDemand) {
      const [error] = errors ?? [];
      const code = error?.extensions?.code;
      if (code === 'FORBIDDEN') throw new DomainError(code, error?.message ?? code);
      throw leaderUnavailable(`it answered ${code ?? 'nothing usable'}`);
    }
    const { demand, userErrors } = data.pilotDemand;
    return { demand: demand && received(demand), userErrors };
  }
}

function received({
  measuredAt,
  classes,
  classesLeftOut,
}: NonNullable<ForwardedDemand['pilotDemand']['demand']>): QueueDemand {
  return {
    measuredAt: new Date(measuredAt),
    classesLeftOut,
    classes: classes.map(({ experimentName: experiment, oldestSubmittedAt, ...rest }) => ({
      ...rest,
      experiment,
      oldestSubmittedAt: oldestSubmittedAt === null ? null : new Date(oldestSubmittedAt),
    })),
  };
}
