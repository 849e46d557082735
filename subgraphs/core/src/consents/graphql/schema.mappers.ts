/** Objects behind the types of this folder. */
import type { ConsentDocument } from '../consent.document.js';

export type SubmissionConsentMapper = ConsentDocument;
