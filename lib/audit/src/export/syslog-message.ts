/** Entries as messages of RFC 5424, framed by their length (RFC 6587, RFC 5425). */
import { hostname } from 'node:os';
import type { AuditKind } from '../chain/entry.js';
import type { AuditBatch } from '../store/audit.repository.js';
import { type Severity, severityOf } from './severity.js';

/** Facility "log audit". */
const facility = 13;
const severities = { warning: 4, notice: 5, informational: 6 } as const;
const application = 'rhizome-gateway';
/** Printable characters only, as the header requires. */
const host =
  hostname()
    .replaceAll(/[^\x21-\x7e]/g, '_')
    .slice(0, 255) || '-';

/** The messages of a batch, in the order of the chain. */
export function messagesOf({ outcomes, entries }: AuditBatch): readonly Buffer[] {
  return [
    ...outcomes.map(({ id, outcome }) =>
      framed('OUTCOME', outcome.at, severityOf(outcome.result), { type: 'OUTCOME', _id: id, ...outcome }),
    ),
    ...entries.map((entry) => {
      const severity = severityOf(entry.outcome?.result);
      return framed(entry.kind, entry.at, severity, { type: 'ENTRY', ...entry });
    }),
  ];
}

function framed(id: AuditKind | 'OUTCOME', at: Date, severity: Severity, content: object): Buffer {
  const priority = facility * 8 + severities[severity];
  // JSON has no line breaks and no control characters.
  const text = `<${priority}>1 ${at.toISOString()} ${host} ${application} ${process.pid} ${id} - ${JSON.stringify(content)}`;
  const message = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}
