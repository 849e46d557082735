import { fleetDecisionsCollection } from './model/decision.document.js';
import { jobFleetsCollection } from './model/fleet.document.js';

/** Collections of fleets. */
export const jobFleetCollections = [jobFleetsCollection, fleetDecisionsCollection] as const;
