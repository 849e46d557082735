/** Values behind the types of live runs. */
import type { DocumentChange } from '@rhizome/experiment';
import type { KeysetPage } from '@rhizome/mongo';
import type { BreakerDocument, DecisionDocument } from '../model/feed-collections.js';
import type { EntryDocument, SlowSlice } from '../model/live-collections.js';
import type { Facet, FeedState, LaneObservation, LiveRunDocument } from '../model/live-run.document.js';
import type { FacetName, PathName } from '../model/live-run.types.js';
import type { LanePlace } from '../control/core-calls.js';

export type EpicLiveRunMapper = LiveRunDocument;
export type EpicLiveRunConnectionMapper = KeysetPage<LiveRunDocument>;
export type EpicLiveRunChangedMapper = DocumentChange;
export type EpicLiveRunEventMapper = { readonly id: string };
export type EpicLiveRunEntryMapper = EntryDocument;
export type EpicLiveRunEntryConnectionMapper = KeysetPage<EntryDocument>;
/** A facet that may not have been announced yet. */
export type EpicFacetMapper = {
  readonly name: FacetName;
  readonly owner: string;
  readonly facet: Facet | undefined;
};
export type EpicFrameProgressMapper = LiveRunDocument;
/** A path of a run. */
export type EpicLivePathMapper = { readonly run: LiveRunDocument; readonly name: PathName };
export type EpicLaneMapper = LanePlace;
export type EpicLaneWorkersMapper = {
  readonly observed: LaneObservation | undefined;
  readonly maximum: number;
};
export type EpicFeedMapper = FeedState;
export type EpicFeedDecisionMapper = DecisionDocument;
export type EpicFeedDecisionConnectionMapper = KeysetPage<DecisionDocument>;
export type EpicSiteBreakerMapper = BreakerDocument;
export type EpicSlowSliceMapper = SlowSlice;
/** Slices at a site, by its name. */
export type EpicSiteSlicesMapper = {
  readonly site: string | null;
  readonly completed: number;
  readonly seconds: number;
  readonly failedAttempts: number;
};
