/**
 * Workers of one host that report the same devices: two pilots that both see all GPUs, or a pilot that
 * replaced another whose jobs have not been requeued yet. Devices that one of them has granted are not
 * available to the others.
 */
import { wholeDevice } from '../../gpus/capacity/device-capacity.js';
import { namesOneDevice } from '../../gpus/device-identity.js';
import { type DeviceBooking, noBooking } from './device-booking.types.js';
import type { Ledger } from './ledger.js';
import type { WorkerFacts } from '../worker-facts.types.js';

interface ReportedDevices {
  readonly workerId: string;
  readonly deviceIds: ReadonlySet<string>;
}

/** A worker with the identity of its host. */
interface HostedWorker {
  readonly id: string;
  readonly hostKey: string;
}

const noWorkers: ReadonlySet<string> = new Set();

/** Workers of the same host with common devices. */
export class SharedDevices {
  /** Workers with devices that have such ids, by host. */
  readonly #hosts = new Map<string, ReportedDevices[]>();
  /** Hosts of ended workers that still hold devices. */
  readonly #gone = new Map<string, string>();
  /** Only workers that share devices. */
  readonly #sharing = new Map<string, Set<string>>();

  /** The workers that report some of the same devices. */
  of(workerId: string): ReadonlySet<string> {
    return this.#sharing.size === 0 ? noWorkers : (this.#sharing.get(workerId) ?? noWorkers);
  }

  /** Adds or updates a worker. */
  set({ id, hostKey, devices }: HostedWorker & Pick<WorkerFacts, 'devices'>): void {
    const deviceIds = new Set(devices.map((device) => device.id).filter(namesOneDevice));
    if (deviceIds.size === 0) return;
    const others = this.#hosts.get(hostKey);
    if (!others) this.#hosts.set(hostKey, [{ workerId: id, deviceIds }]);
    for (const other of others ?? [])
      if ([...deviceIds].some((one) => other.deviceIds.has(one))) this.#pair(id, other.workerId);
    others?.push({ workerId: id, deviceIds });
  }

  /** Records that a worker has ended and still holds devices. */
  leave({ id, hostKey }: HostedWorker): void {
    this.#gone.set(id, hostKey);
  }

  /** Records that all devices of an ended worker have been released. */
  forget(id: string): void {
    const hostKey = this.#gone.get(id);
    if (hostKey !== undefined) this.remove({ id, hostKey });
  }

  /** Removes a worker. */
  remove({ id, hostKey }: HostedWorker): void {
    this.#gone.delete(id);
    const left = this.#hosts.get(hostKey)?.filter(({ workerId }) => workerId !== id) ?? [];
    if (left.length > 0) this.#hosts.set(hostKey, left);
    else this.#hosts.delete(hostKey);
    for (const other of this.#sharing.get(id) ?? []) {
      const own = this.#sharing.get(other);
      own?.delete(id);
      if (own?.size === 0) this.#sharing.delete(other);
    }
    this.#sharing.delete(id);
  }

  #pair(a: string, b: string): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = this.#sharing.get(one);
      if (known) known.add(other);
      else this.#sharing.set(one, new Set([other]));
    }
  }
}

type Bookings = ReadonlyMap<string, DeviceBooking> | undefined;

/** Access to the bookings on a host. */
export interface HostBookings {
  readonly sharedDevices: SharedDevices;
  readonly ledger: Pick<Ledger, 'bookings'>;
}

/**
 * Returns the bookings of a worker's devices by itself and by its neighbours; undefined if there are none.
 * @param isOffered returns true if the worker offers the device; a device that it does not offer and only
 *   others have booked is fully taken
 */
export function bookingsOnHost(
  workerId: string,
  { sharedDevices, ledger }: HostBookings,
  isOffered: (deviceId: string) => boolean = () => true,
): Bookings {
  const others = sharedDevices.of(workerId);
  const own = ledger.bookings(workerId);
  if (others.size === 0) return own;
  const all = together([own, ...[...others].map((id) => ofSharedDevices(ledger.bookings(id)))]);
  for (const [id, booking] of all)
    if (!own?.has(id) && !isOffered(id)) all.set(id, { ...booking, thousandths: wholeDevice });
  return all.size > 0 ? all : undefined;
}

/** Bookings of another worker; its local names mean devices of its own. */
function ofSharedDevices(bookings: Bookings): Bookings {
  return bookings && new Map([...bookings].filter(([deviceId]) => namesOneDevice(deviceId)));
}

/** Merges bookings of the same devices by several workers. */
function together(all: readonly Bookings[]): Map<string, DeviceBooking> {
  const sum = new Map<string, DeviceBooking>();
  for (const bookings of all)
    for (const [id, booking] of bookings ?? []) {
      const { thousandths, memoryMiB, unnamedThousandths, isExclusive } = sum.get(id) ?? noBooking;
      sum.set(id, {
        thousandths: thousandths + booking.thousandths,
        memoryMiB: memoryMiB + booking.memoryMiB,
        unnamedThousandths: unnamedThousandths + booking.unnamedThousandths,
        isExclusive: isExclusive || booking.isExclusive,
      });
    }
  return sum;
}
