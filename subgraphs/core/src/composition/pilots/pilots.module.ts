/** Assembles the services of pilots. */
import type { Clock, Ids } from '@rhizome/clock';
import { PilotsService } from '../../pilots/control/pilots.service.js';
import { PilotDemandService, type PilotDemandOptions } from '../../pilots/demand/pilot-demand.service.js';
import type { PilotServices } from '../../pilots/pilot-services.types.js';
import { WorkerAccess } from '../../workers/worker-access.js';
import type { QueueLookup } from '../../workers/worker-directory.service.js';
import type { FleetModule } from '../fleet.module.js';
import type { PilotStores } from './pilot-stores.repository.js';

/** Dependencies of {@link pilotsModule}. */
export interface PilotsModuleOptions extends Pick<PilotDemandOptions, 'ownUrl'> {
  readonly stores: PilotStores;
  readonly queues: QueueLookup;
  readonly fleet: Pick<FleetModule, 'services' | 'classes' | 'leadership'>;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Creates the services. */
export function pilotsModule({
  stores,
  queues,
  fleet,
  clock,
  ids,
  ownUrl,
}: PilotsModuleOptions): PilotServices {
  const { scheduler, cache } = fleet.services;
  const { classes, leadership } = fleet;
  const access = new WorkerAccess({ queues });
  return {
    pilots: new PilotsService({ ...stores, queues, access, clock, ids }),
    demand: new PilotDemandService({
      ...stores,
      ...{ scheduler, cache, classes, leadership, queues, access, ownUrl, clock },
    }),
  };
}
