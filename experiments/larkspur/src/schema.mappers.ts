/** What stands behind the types of the SDL. */
import type { DocumentChange, JobPlace, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage } from '@rhizome/mongo';
import type { ObservationDocument } from './observation.document.js';

export type JobMapper = JobRepresentation;
export type LarkspurJobMapper = JobPlace<ObservationDocument>;
export type LarkspurObservationMapper = ObservationDocument;
export type LarkspurObservationConnectionMapper = KeysetPage<ObservationDocument>;
export type LarkspurObservationChangedMapper = DocumentChange;
export type LarkspurObservationEventMapper = { readonly id: string };
/** Its fields are asked for one by one. */
export type LarkspurQueryMapper = Record<string, never>;
