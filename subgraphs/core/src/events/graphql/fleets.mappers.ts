/** Parent types of the stream of fleets. */
import type { FleetDecisionDocument } from '../../fleets/model/decision.document.js';
import type { DocumentChange } from '../hub/document-changes.js';

export type FleetDecidedMapper = DocumentChange<FleetDecisionDocument>;
