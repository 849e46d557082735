/**
 * Devices of stored attempts: none was ever overcommitted, no GPU allocated together with a slice of it, and
 * nothing together with an exclusive job.
 */
import type { StoredAttempt, StoredJob, StoredWorker } from './history.types.js';
import { defaultContinuity } from './job-table.js';

/** Stored fields of an attempt that its devices depend on. */
type BookedAttempt = Pick<
  StoredAttempt,
  'workerId' | 'deviceIds' | 'sentAt' | 'startedAt' | 'endedAt' | 'unreachable' | 'lostSeconds'
> & { readonly continuity?: Pick<typeof defaultContinuity, 'continueSeconds'> };

/** Stored fields of a job that its devices depend on. */
export interface BookedJob extends Pick<StoredJob, '_id' | 'requirements'> {
  readonly attempts: readonly BookedAttempt[];
}

/** Devices of a worker. */
export interface DevicesOfWorker extends Omit<StoredWorker, 'queueId'> {
  /** Site of its queue: hosts of different sites may have one name. */
  readonly site?: string | undefined;
}

interface Booking {
  readonly jobId: string;
  readonly deviceId: string;
  readonly thousandths: number;
  readonly isExclusive: boolean;
}

interface Change {
  readonly at: number;
  readonly isEnd: boolean;
  readonly booking: Booking;
}

const whole = 1000;

/**
 * Ids of vendors, and places on the bus: all workers of a host mean the same device by them. Other ids are
 * names of one worker.
 */
const namesOneDevice =
  /^((GPU|MIG)-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^GPU-[0-9a-f]{16}(\/\d+)?$|^PCI-[0-9a-f]{4,8}:/i;

/**
 * Overcommitted devices, each with the job that exceeds it.
 * @param workers if known: they show which devices are slices
 */
export function doubleBookings(
  jobs: readonly BookedJob[],
  workers: readonly DevicesOfWorker[] = [],
): readonly string[] {
  const parents = new Map(
    workers.flatMap(({ _id, devices = [] }) =>
      devices.map(({ id, parentId }) => [`${_id} ${id}`, parentId] as const),
    ),
  );
  const hosts = new Map(
    workers.map(({ _id, host, site = '' }) => [_id, host === undefined ? undefined : `${site}/${host}`]),
  );
  const ends = new Map(
    workers.flatMap(({ _id, state, updatedAt }) =>
      updatedAt && (state === 'LOST' || state === 'ENDED') ? [[_id, updatedAt] as const] : [],
    ),
  );
  const byGpu = new Map<string, Change[]>();
  for (const { _id: jobId, attempts, requirements } of jobs) {
    const { share = whole, exclusive = false } = requirements.gpu ?? {};
    for (const attempt of attempts)
      for (const deviceId of attempt.deviceIds) {
        const { workerId, sentAt } = attempt;
        const endedAt = releasedAt(attempt, ends.get(workerId));
        const booking = { jobId, deviceId, thousandths: share, isExclusive: exclusive };
        const gpuId = parents.get(`${workerId} ${deviceId}`) ?? deviceId;
        const owner = (namesOneDevice.test(gpuId) ? hosts.get(workerId) : undefined) ?? workerId;
        const gpu = `${owner} ${gpuId}`;
        const changes = byGpu.get(gpu) ?? [];
        changes.push({ at: sentAt.getTime(), isEnd: false, booking });
        if (endedAt) changes.push({ at: endedAt.getTime(), isEnd: true, booking });
        byGpu.set(gpu, changes);
      }
  }
  return [...byGpu].flatMap(([gpu, changes]) => faultsOf(gpu, changes));
}

/**
 * Time from which other jobs may have the devices of an attempt. Those of an attempt that was given away stay
 * booked until its payload must have ended, its worker has ended, or has returned.
 */
function releasedAt(
  { sentAt, startedAt, endedAt, unreachable, continuity = defaultContinuity, lostSeconds }: BookedAttempt,
  workerEndedAt: Date | undefined,
): Date | undefined {
  const after = (time: Date, seconds: number): Date => new Date(time.getTime() + seconds * 1000);
  if (endedAt && lostSeconds !== undefined) {
    const back = after(startedAt ?? sentAt, lostSeconds);
    return back > endedAt ? back : endedAt;
  }
  if (!endedAt || !unreachable) return endedAt;
  const last = after(unreachable.since, continuity.continueSeconds);
  const released = workerEndedAt && workerEndedAt < last ? workerEndedAt : last;
  return released > endedAt ? released : endedAt;
}

/** Goes through what happened to one GPU and its slices. */
function faultsOf(gpu: string, changes: readonly Change[]): readonly string[] {
  const held = new Set<Booking>();
  const found: string[] = [];
  const [, gpuId = ''] = gpu.split(' ');
  // What ended at a time is given back before what began at it.
  const ordered = [...changes].sort((a, b) => a.at - b.at || Number(b.isEnd) - Number(a.isEnd));
  for (const { isEnd, booking } of ordered) {
    if (isEnd) held.delete(booking);
    else {
      const fault = faultWith(booking, [...held], gpuId);
      if (fault !== undefined) found.push(`${gpu}: ${fault}`);
      held.add(booking);
    }
  }
  return found;
}

function faultWith(next: Booking, held: readonly Booking[], gpuId: string): string | undefined {
  const { jobId, deviceId, thousandths } = next;
  const used = held
    .filter((one) => one.deviceId === deviceId)
    .reduce((sum, one) => sum + one.thousandths, thousandths);
  if (used > whole) return `${deviceId} is given for ${used}/${whole} with job ${jobId}`;
  const mixed = held.find((one) => (one.deviceId === gpuId) !== (deviceId === gpuId));
  if (mixed) return `job ${jobId} has ${deviceId} while job ${mixed.jobId} has ${mixed.deviceId}`;
  const other = held.find((one) => one.jobId !== jobId && (one.isExclusive || next.isExclusive));
  return other && `job ${jobId} has ${deviceId} together with job ${other.jobId}, one of which is exclusive`;
}
