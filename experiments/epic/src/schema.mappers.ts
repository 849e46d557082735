/** Values behind the types of the SDL. */
import type { DocumentChange, JobPosition, JobRepresentation } from '@rhizome/experiment';
import type { KeysetPage, PositionsPage } from '@rhizome/mongo';
import type { RunDocument } from './run.document.js';

export type JobMapper = JobRepresentation;
export type EpicJobMapper = JobPosition<RunDocument>;
export type EpicRunMapper = RunDocument;
export type EpicRunConnectionMapper = KeysetPage<RunDocument>;
export type EpicRunChangedMapper = DocumentChange;
export type EpicRunEventMapper = { readonly id: string };
/** A group is a position of its run's task. */
export type EpicTimeFrameGroupMapper = JobPosition<RunDocument>;
export type EpicTimeFrameGroupConnectionMapper = PositionsPage<JobPosition<RunDocument>>;
/** Empty: its fields are resolved one by one. */
export type EpicQueryMapper = Record<string, never>;
