/** Parent types of the resolvers of downtimes. */
import type { KeysetPage } from '@rhizome/mongo';
import type { DowntimeDocument } from '../downtimes/downtime.document.js';

export type DowntimeMapper = DowntimeDocument;
export type DowntimeConnectionMapper = KeysetPage<DowntimeDocument>;
