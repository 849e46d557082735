/** Parent types of the resolvers of hosts. */
import type { KeysetPage } from '@rhizome/mongo';
import type { HostDocument, HostEvidence, StoredHostPin } from '../hosts/host.document.js';

export type HostMapper = HostDocument;
export type HostConnectionMapper = KeysetPage<HostDocument>;
export type HostPinMapper = StoredHostPin;
export type HostEvidenceMapper = HostEvidence;
