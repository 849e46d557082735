/** Objects behind the types of this folder. */
import type { KeysetPage } from '@rhizome/mongo';
import type { AccessGrantDocument } from '../access-grant.document.js';

export type JobAccessMapper = AccessGrantDocument;
export type JobAccessConnectionMapper = KeysetPage<AccessGrantDocument>;
