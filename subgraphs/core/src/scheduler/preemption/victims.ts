/**
 * Chooses the attempts that end for a waiting job: on one worker, no more than it needs, and the cheapest
 * loss of all workers. Pure.
 */
import { deviceCapacity } from '../../gpus/capacity/device-capacity.js';
import { chooseDevices } from '../../gpus/capacity/device-choice.js';
import type { FleetWorker } from '../cache/fleet.types.js';
import type { Ledger } from '../cache/ledger.js';
import { bookingsOnHost, type HostBookings } from '../cache/shared-devices.js';
import { hasCapacity } from '../placement/capacity-rules.js';
import { noDevices } from '../placement/free-capacity.js';
import type { Totals } from '../placement/share-order.js';
import type { RequirementClass } from '../requirements/requirement-class.js';
import type { LedgerEntry } from '../scheduler.types.js';

/** An attempt that may end for another job. */
export interface PossibleVictim {
  readonly entry: Readonly<LedgerEntry>;
  /** Time since its last checkpoint, or since its start without one, times its part of all resources. */
  readonly loss: number;
}

/** The attempts to end on one worker. */
export interface Victims {
  readonly worker: FleetWorker;
  readonly victims: readonly PossibleVictim[];
}

/** Bookings and the possible victims, by worker. */
export interface VictimWorld {
  readonly ledger: Ledger;
  readonly sharedDevices: HostBookings['sharedDevices'];
  readonly byWorker: ReadonlyMap<FleetWorker, readonly PossibleVictim[]>;
}

/** Loss of an attempt that has done this much since its last checkpoint. */
export function lossOf(
  { requirements: { cores }, gpus = 0 }: Pick<LedgerEntry, 'requirements' | 'gpus'>,
  seconds: number,
  totals: Pick<Totals, 'cores' | 'gpus'>,
): number {
  const part = (amount: number, whole: number): number => (whole > 0 ? amount / whole : 0);
  return Math.max(0, seconds) * Math.max(part(cores, totals.cores), part(gpus, totals.gpus));
}

/** Most sets of attempts that are tried for one job after a set was found for each worker. */
const mostTries = 300;

interface FoundVictims extends Victims {
  readonly loss: number;
}

/**
 * The cheapest victims for a job of the class, or undefined if it would fit on no worker. On each worker, the
 * cheapest attempts are tried first; then sets that lose less in all are searched for, at most
 * {@link mostTries} of them.
 * @param most largest number of victims
 */
export function chooseVictims(cls: RequirementClass, most: number, world: VictimWorld): Victims | undefined {
  const workers: { readonly worker: FleetWorker; readonly sorted: readonly PossibleVictim[] }[] = [];
  let best: FoundVictims | undefined;
  for (const [worker, possible] of world.byWorker) {
    const sorted = possible.toSorted((a, b) => a.loss - b.loss);
    const found = firstVictims(worker, cls, sorted, world);
    if (!found || found.victims.length === 0) continue;
    workers.push({ worker, sorted });
    if (found.victims.length <= most && isBetter(found, best)) best = found;
  }
  const search = new CheaperVictims(cls, most, world);
  for (const { worker, sorted } of workers) best = search.on(worker, sorted, best);
  return best && { worker: best.worker, victims: best.victims };
}

function isBetter(found: FoundVictims, best: FoundVictims | undefined): boolean {
  if (!best || found.loss < best.loss) return true;
  return found.loss === best.loss && found.victims.length < best.victims.length;
}

/** Victims on one worker: the cheapest until the job fits, without those that turn out not to be needed. */
function firstVictims(
  worker: FleetWorker,
  cls: RequirementClass,
  sorted: readonly PossibleVictim[],
  world: VictimWorld,
): FoundVictims | undefined {
  const chosen = new Map<string, PossibleVictim>();
  for (const victim of sorted) {
    if (fitsWithout(worker, cls, chosen, world)) break;
    chosen.set(victim.entry.jobId, victim);
  }
  if (!fitsWithout(worker, cls, chosen, world)) return undefined;
  return needed(worker, cls, chosen, world);
}

/** The chosen attempts without those that the job does not need, the most expensive left out first. */
function needed(
  worker: FleetWorker,
  cls: RequirementClass,
  chosen: Map<string, PossibleVictim>,
  world: VictimWorld,
): FoundVictims {
  for (const victim of [...chosen.values()].toReversed()) {
    chosen.delete(victim.entry.jobId);
    if (!fitsWithout(worker, cls, chosen, world)) chosen.set(victim.entry.jobId, victim);
  }
  const victims = [...chosen.values()];
  return { worker, victims, loss: victims.reduce((sum, one) => sum + one.loss, 0) };
}

/** Searches for sets of attempts that lose less than the best so far, in the order of their losses. */
class CheaperVictims {
  readonly #cls: RequirementClass;
  readonly #most: number;
  readonly #world: VictimWorld;
  #tries = mostTries;

  constructor(cls: RequirementClass, most: number, world: VictimWorld) {
    this.#cls = cls;
    this.#most = most;
    this.#world = world;
  }

  /** The best set so far, or a better one on the worker. @param sorted its attempts by their loss */
  on(
    worker: FleetWorker,
    sorted: readonly PossibleVictim[],
    best: FoundVictims | undefined,
  ): FoundVictims | undefined {
    let found = best;
    const chosen = new Map<string, PossibleVictim>();
    const add = (from: number, loss: number): void => {
      for (const [offset, victim] of sorted.slice(from).entries()) {
        const sum = loss + victim.loss;
        if (sum >= (found?.loss ?? Infinity) || this.#tries <= 0) return;
        this.#tries -= 1;
        chosen.set(victim.entry.jobId, victim);
        if (fitsWithout(worker, this.#cls, chosen, this.#world))
          found = needed(worker, this.#cls, new Map(chosen), this.#world);
        else if (chosen.size < this.#most) add(from + offset + 1, sum);
        chosen.delete(victim.entry.jobId);
      }
    };
    add(0, 0);
    return found;
  }
}

/** True if the job fits on the worker once these attempts have ended. */
function fitsWithout(
  worker: FleetWorker,
  cls: RequirementClass,
  gone: ReadonlyMap<string, PossibleVictim>,
  world: VictimWorld,
): boolean {
  const { hardware, id } = worker.facts;
  const used = world.ledger.workerUse(id);
  const free = {
    cores: hardware.cores - used.cores,
    memoryMiB: hardware.memoryMiB - used.memoryMiB,
    diskMiB: hardware.diskMiB - used.diskMiB,
  };
  for (const { entry } of gone.values()) {
    free.cores += entry.requirements.cores;
    free.memoryMiB += entry.requirements.memoryMiB;
    free.diskMiB += entry.requirements.diskMiB;
  }
  return hasCapacity({ ...free, devices: noDevices }, cls) && hasDevicesWithout(worker, cls, gone, world);
}

function hasDevicesWithout(
  worker: FleetWorker,
  cls: RequirementClass,
  gone: ReadonlyMap<string, PossibleVictim>,
  { ledger, sharedDevices }: VictimWorld,
): boolean {
  const { gpu } = cls.requirements;
  if (!gpu || gpu.optional) return true;
  const match = worker.shape.deviceMatch(cls);
  if (!match) return false;
  const bookings = bookingsOnHost(worker.facts.id, {
    sharedDevices,
    ledger: { bookings: (workerId) => ledger.bookingsWithout(workerId, gone) },
  });
  return (
    chooseDevices(
      gpu,
      match,
      deviceCapacity(worker.devices, () => true, bookings),
    ) !== undefined
  );
}
