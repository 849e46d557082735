import type { FleetServices } from '../context.js';
import type { DeviceFleet } from '../events/counts/gpu-occupancy.js';
import type { QueuesService } from '../queues/queues.service.js';
import { maySee } from '../workers/worker-access.js';

/** The devices of the live workers, by queue. */
export function deviceFleetOf({ registry }: FleetServices, queues: QueuesService): DeviceFleet {
  return {
    *devices() {
      for (const { queueId, devices } of registry.live()) {
        const queue = devices.length > 0 ? queues.peek(queueId)?.name : undefined;
        if (queue !== undefined) yield { queue, devices };
      }
    },
    // A worker may be known before its queue, and a queue may admit further experiments.
    onChanged(listener) {
      const ends = [registry.onChanged(() => listener()), queues.onChanged(() => listener())];
      return () => ends.forEach((end) => end());
    },
    maySee(name, principal) {
      const queue = queues.all().find((one) => one.name === name);
      return queue !== undefined && maySee(principal, queue);
    },
  };
}
