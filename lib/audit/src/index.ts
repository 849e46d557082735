export {
  type AuditActor,
  type AuditCall,
  type AuditClient,
  type AuditEntry,
  type AuditKind,
  auditKinds,
  type AuditOutcome,
  type AuditRecord,
  type AuditResult,
  auditResults,
  type AuditTargets,
} from './chain/entry.js';
export type { CopyFacts } from './export/copy-queue.js';
export { AuditLog, type AuditLogOptions, type CallResult, type RecordedCall } from './log/audit-log.js';
export { type AuditSettings, openAudit, type OpenedAudit } from './open-audit.js';
export type { AuditEntryDocument } from './store/audit-entry.document.js';
export { AuditRepository, type AuditScope, type AuditSearch } from './store/audit.repository.js';
