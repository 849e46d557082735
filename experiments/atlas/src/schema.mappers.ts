/** Values behind the types of the SDL. */
import type { DocumentChange, JobPosition, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage } from '@rhizome/mongo';
import type { ProductionTaskDocument } from './production-task.document.js';

export type JobMapper = JobRepresentation;
export type AtlasJobMapper = JobPosition<ProductionTaskDocument>;
export type AtlasTaskMapper = ProductionTaskDocument;
export type AtlasTaskConnectionMapper = KeysetPage<ProductionTaskDocument>;
export type AtlasTaskChangedMapper = DocumentChange;
export type AtlasTaskEventMapper = { readonly id: string };
/** Empty: its fields are resolved one by one. */
export type AtlasQueryMapper = Record<string, never>;
