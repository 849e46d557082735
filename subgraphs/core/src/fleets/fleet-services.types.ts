/** Services of fleets for resolvers. Types only. */
import type { FleetCommands } from './control/fleet-commands.service.js';
import type { FleetsService } from './control/fleets.service.js';

/** Services of fleets. */
export interface JobFleetServices {
  readonly fleets: FleetsService;
  readonly commands: FleetCommands;
}
