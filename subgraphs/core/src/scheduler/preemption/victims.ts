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

/**
 * The cheapest victims for a job of the class, or undefined if it would fit on no worker.
 * @param most largest number of victims
 */
export function chooseVictims(cls: RequirementClass, most: number, world: VictimWorld): Victims | undefined {
  let best: (Victims & { readonly loss: number }) | undefined;
  for (const [worker, possible] of world.byWorker) {
    const victims = victimsOn(worker, cls, possible, world);
    if (!victims || victims.length === 0 || victims.length > most) continue;
    const loss = victims.reduce((sum, one) => sum + one.loss, 0);
    const isBetter =
      !best || loss < best.loss || (loss === best.loss && victims.length < best.victims.length);
    if (isBetter) best = { worker, victims, loss };
  }
  return best && { worker: best.worker, victims: best.victims };
}

/** Victims on one worker: the cheapest until the job fits, without those that turn out not to be needed. */
function victimsOn(
  worker: FleetWorker,
  cls: RequirementClass,
  possible: readonly PossibleVictim[],
  world: VictimWorld,
): readonly PossibleVictim[] | undefined {
  const chosen = new Map<string, PossibleVictim>();
  for (const victim of possible.toSorted((a, b) => a.loss - b.loss)) {
    if (fitsWithout(worker, cls, chosen, world)) break;
    chosen.set(victim.entry.jobId, victim);
  }
  if (!fitsWithout(worker, cls, chosen, world)) return undefined;
  for (const victim of [...chosen.values()].toReversed()) {
    chosen.delete(victim.entry.jobId);
    if (!fitsWithout(worker, cls, chosen, world)) chosen.set(victim.entry.jobId, victim);
  }
  return [...chosen.values()];
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
