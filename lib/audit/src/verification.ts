/** Verification without a store: for clients. */
export { type AuditRecord } from './chain/entry.js';
export { type Tampering, type TamperKind, type VerificationReport, Verifier } from './chain/verify.js';
export type { ChainTip, Head, HeadKind } from './heads/head.js';
export { type FolderReading, readHeadFolder, readPublicKey } from './heads/read-folder.js';
