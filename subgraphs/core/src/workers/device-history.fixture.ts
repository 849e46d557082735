/** A checker over stored histories: no device was ever given to more than it is. Every test on a real store ends with it. */
import type { JobDocument } from '../jobs/job.types.js';

/** What of a job its devices depend on. */
export type BookedJob = Pick<JobDocument, '_id' | 'attempts'> & {
  readonly requirements: Pick<JobDocument['requirements'], 'gpu'>;
};

interface Change {
  readonly at: number;
  readonly by: number;
  readonly jobId: string;
}

/** Devices that were given to jobs for more than 1000 thousandths at one time, with the job that was one too many. */
export function doubleBookings(jobs: readonly BookedJob[]): readonly string[] {
  const changes = new Map<string, Change[]>();
  for (const { _id: jobId, attempts, requirements } of jobs) {
    const part = requirements.gpu?.share ?? 1000;
    for (const { workerId, deviceIds, sentAt, endedAt } of attempts)
      for (const deviceId of deviceIds) {
        const device = `${workerId} ${deviceId}`;
        const known = changes.get(device) ?? [];
        known.push({ at: sentAt.getTime(), by: part, jobId });
        if (endedAt) known.push({ at: endedAt.getTime(), by: -part, jobId });
        changes.set(device, known);
      }
  }
  return [...changes].flatMap(([device, known]) => {
    let used = 0;
    // What ended at a time is given back before what began at it.
    for (const { by, jobId } of known.sort((a, b) => a.at - b.at || a.by - b.by)) {
      used += by;
      if (used > 1000) return [`${device} is given for ${used}/1000 with job ${jobId}`];
    }
    return [];
  });
}

/** @throws Error that names the devices that were given away twice */
export async function assertDevicesBookedOnce(find: () => Promise<readonly BookedJob[]>): Promise<void> {
  const found = doubleBookings(await find());
  if (found.length > 0) throw new Error(`devices were given away twice: ${found.join('; ')}`);
}

/** Jobs that have, or had, devices. */
export const withDevices = { 'attempts.deviceIds.0': { $exists: true } };
