import type { PilotsService } from './control/pilots.service.js';
import type { PilotDemandService } from './demand/pilot-demand.service.js';

/** Services of pilots. */
export interface PilotServices {
  readonly pilots: PilotsService;
  readonly demand: PilotDemandService;
}
