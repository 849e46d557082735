/** The check of devices. */
import { doubleBookings } from '../device-bookings.js';
import type { Fact, History } from '../history.types.js';

/** No device is overcommitted, no GPU is given away together with a slice of it. */
export function* devicesAreBookedOnce({ jobs, workers, sites }: History): Generator<Fact> {
  const known = [...workers.values()].map((worker) => ({ ...worker, site: sites.get(worker.queueId ?? '') }));
  yield* doubleBookings([...jobs.values()], known);
}
