/** Values behind the types of the SDL in this folder. */
import type { AuditActor, AuditClient, AuditEntryDocument, AuditTargets } from '@rhizome/audit';
import type { KeysetPage } from '@rhizome/mongo';

export type AuditEntryMapper = AuditEntryDocument;
export type AuditEntryConnectionMapper = KeysetPage<AuditEntryDocument>;
export type AuditActorMapper = AuditActor;
export type AuditTargetsMapper = AuditTargets;
export type AuditClientMapper = AuditClient;
