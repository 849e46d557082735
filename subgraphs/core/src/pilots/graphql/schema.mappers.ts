/** Parent types of the resolvers of pilots. */
import type { KeysetPage } from '@rhizome/mongo';
import type { ClassDemand, DemandResult, QueueDemand } from '../demand/pilot-demand.service.js';
import type { PilotDocument } from '../model/pilot.types.js';

export type PilotMapper = PilotDocument;
export type PilotConnectionMapper = KeysetPage<PilotDocument>;
export type PilotDemandResultMapper = DemandResult;
export type PilotDemandMapper = QueueDemand;
export type PilotClassDemandMapper = ClassDemand;
