import type { AuditResult } from '../chain/entry.js';

/** Attention that a call deserves, by the names of syslog. */
export type Severity = 'warning' | 'notice' | 'informational';

/** Severity of a call with this result; undefined if it is not known yet. */
export function severityOf(result: AuditResult | undefined): Severity {
  if (result === 'REFUSED') return 'warning';
  return result === 'FAILED' || result === 'REJECTED' ? 'notice' : 'informational';
}
