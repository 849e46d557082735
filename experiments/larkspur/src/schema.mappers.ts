/** Values behind the types of the SDL. */
import type { DocumentChange, JobPosition, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage } from '@rhizome/mongo';
import type { ObservationDocument } from './observation.document.js';

export type JobMapper = JobRepresentation;
export type LarkspurJobMapper = JobPosition<ObservationDocument>;
export type LarkspurObservationMapper = ObservationDocument;
export type LarkspurObservationConnectionMapper = KeysetPage<ObservationDocument>;
export type LarkspurObservationChangedMapper = DocumentChange;
export type LarkspurObservationEventMapper = { readonly id: string };
/** Empty: its fields are resolved one by one. */
export type LarkspurQueryMapper = Record<string, never>;
