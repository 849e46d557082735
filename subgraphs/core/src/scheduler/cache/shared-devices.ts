/**
 * Workers of one host that report the same devices: two pilots that each see all GPUs, or one that took over from another whose jobs have not
 * been taken back yet. What one of them gives of a device the others do not have.
 */
import { wholeDevice } from '../../gpus/capacity/device-capacity.js';
import type { DeviceBooking, Ledger } from './ledger.js';
import type { WorkerFacts } from '../worker-facts.types.js';

/** Ids that NVIDIA and AMD give to a device and to its parts, that Intel's tools make, and addresses on the bus where a device has none. */
const forms = [
  /^(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  /^MIG-GPU-[0-9a-f-]{36}\/\d+\/\d+$/i,
  /^GPU-[0-9a-f]{16}(\/\d+)?$/i,
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
  /^PCI-[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7](\/\d+)?$/i,
];

/** Whether two workers of one host mean the same device by this id; other ids are names that each makes up for itself. */
export function namesOneDevice(id: string): boolean {
  return forms.some((form) => form.test(id));
}

interface ReportedDevices {
  readonly workerId: string;
  readonly deviceIds: ReadonlySet<string>;
}

const noWorkers: ReadonlySet<string> = new Set();

/** See the head of this file. */
export class SharedDevices {
  /** Workers with devices that have such ids. */
  readonly #hosts = new Map<string, ReportedDevices[]>();
  /** Hosts of those that have ended and hold devices still. */
  readonly #gone = new Map<string, string>();
  /** Of those that have any. */
  readonly #sharing = new Map<string, Set<string>>();

  /** The workers that report devices that this one reports, too. */
  of(workerId: string): ReadonlySet<string> {
    return this.#sharing.size === 0 ? noWorkers : (this.#sharing.get(workerId) ?? noWorkers);
  }

  /** Takes in a worker. */
  put({ id, host, devices }: Pick<WorkerFacts, 'id' | 'host' | 'devices'>): void {
    const deviceIds = new Set(devices.map((device) => device.id).filter(namesOneDevice));
    if (deviceIds.size === 0) return;
    const others = this.#hosts.get(host);
    if (!others) this.#hosts.set(host, [{ workerId: id, deviceIds }]);
    for (const other of others ?? [])
      if ([...deviceIds].some((one) => other.deviceIds.has(one))) this.#pair(id, other.workerId);
    others?.push({ workerId: id, deviceIds });
  }

  /** A worker has ended, and holds devices still. */
  leave({ id, host }: Pick<WorkerFacts, 'id' | 'host'>): void {
    this.#gone.set(id, host);
  }

  /** What a worker that has ended held has been given back. */
  forget(id: string): void {
    const host = this.#gone.get(id);
    if (host !== undefined) this.remove({ id, host });
  }

  /** Takes out a worker. */
  remove({ id, host }: Pick<WorkerFacts, 'id' | 'host'>): void {
    this.#gone.delete(id);
    const left = this.#hosts.get(host)?.filter(({ workerId }) => workerId !== id) ?? [];
    if (left.length > 0) this.#hosts.set(host, left);
    else this.#hosts.delete(host);
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

/** What is looked at on a host. */
export interface HostBookings {
  readonly sharedDevices: SharedDevices;
  readonly ledger: Pick<Ledger, 'bookings'>;
}

/**
 * What of a worker's devices is given to jobs, by itself and by its neighbours; undefined: nothing.
 * @param isOffered what only others have given of, and it does not offer, it does not have
 */
export function bookingsOnHost(
  workerId: string,
  { sharedDevices, ledger }: HostBookings,
  isOffered: (deviceId: string) => boolean = () => true,
): Bookings {
  const others = sharedDevices.of(workerId);
  const own = ledger.bookings(workerId);
  if (others.size === 0) return own;
  const all = together([own, ...[...others].map((id) => ledger.bookings(id))]);
  for (const [id, booking] of all)
    if (!own?.has(id) && !isOffered(id)) all.set(id, { ...booking, thousandths: wholeDevice });
  return all.size > 0 ? all : undefined;
}

/** What several give of the same devices. */
function together(all: readonly Bookings[]): Map<string, DeviceBooking> {
  const sum = new Map<string, DeviceBooking>();
  for (const bookings of all)
    for (const [id, booking] of bookings ?? []) {
      const { thousandths, memoryMiB, unnamedThousandths, isExclusive } = sum.get(id) ?? none;
      sum.set(id, {
        thousandths: thousandths + booking.thousandths,
        memoryMiB: memoryMiB + booking.memoryMiB,
        unnamedThousandths: unnamedThousandths + booking.unnamedThousandths,
        isExclusive: isExclusive || booking.isExclusive,
      });
    }
  return sum;
}

const none: DeviceBooking = { thousandths: 0, memoryMiB: 0, unnamedThousandths: 0, isExclusive: false };
