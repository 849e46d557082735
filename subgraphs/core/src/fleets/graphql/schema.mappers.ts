/** Parent types of the resolvers of fleets. */
import type { KeysetPage } from '@rhizome/mongo';
import type { DecisionFacts, FleetQueue, FleetSettings, StoredPrewarm } from '../model/fleet.types.js';
import type { FleetDecisionDocument } from '../model/decision.document.js';
import type { FleetDocument } from '../model/fleet.document.js';

export type FleetMapper = FleetDocument;
export type FleetConnectionMapper = KeysetPage<FleetDocument>;
export type FleetSettingsMapper = FleetSettings;
export type FleetQueueLimitMapper = FleetQueue;
export type FleetPrewarmMapper = StoredPrewarm;
export type FleetDecisionMapper = DecisionFacts & { readonly at: Date };
export type FleetDecisionConnectionMapper = KeysetPage<FleetDecisionDocument>;
