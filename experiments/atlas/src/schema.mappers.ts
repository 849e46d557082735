/** What stands behind the types of the SDL. */
import type { DocumentChange, JobPlace, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage } from '@rhizome/mongo';
import type { ProductionTaskDocument } from './production-task.document.js';

export type JobMapper = JobRepresentation;
export type AtlasJobMapper = JobPlace<ProductionTaskDocument>;
export type AtlasTaskMapper = ProductionTaskDocument;
export type AtlasTaskConnectionMapper = KeysetPage<ProductionTaskDocument>;
export type AtlasTaskChangedMapper = DocumentChange;
export type AtlasTaskEventMapper = { readonly id: string };
/** Its fields are asked for one by one. */
export type AtlasQueryMapper = Record<string, never>;
