import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { JobDocument } from '../../jobs/model/job.types.js';
import type { FleetDocument } from '../model/fleet.document.js';

/** Loads fleets by id; null if the principal may not see it. */
export const fleetLoader = defineLoader<string, FleetDocument, Context>({
  name: 'Fleet',
  load: (ids, { core, principal }) => core.fleets.fleets.findMany(ids, principal),
});

/** Fleet that a job belongs to; null for a job outside a fleet. */
export function fleetOfJob(
  { fleet }: Pick<JobDocument, 'fleet'>,
  _args: object,
  { loaders }: Context,
): Promise<FleetDocument | null> | null {
  return fleet ? loaders.load(fleetLoader, fleet.id) : null;
}
