import { createHash } from 'node:crypto';
import { canonicalJson } from '@rhizome/digest';
import type { AuditEntry, AuditOutcome } from './entry.js';

/** SHA-256 of a link: of the hash before it and its canonical content, in base64url. */
export function linkHash(previous: string, content: string): string {
  return createHash('sha256').update(previous).update('\n').update(content).digest('base64url');
}

/** Text that the link of an entry covers: all of it, without an outcome that has a link of its own. */
export function entryContent<Time>(entry: AuditEntry<Time>, sequence = entry.link.sequence): string {
  const outcome = entry.outcome?.link ? null : entry.outcome;
  return canonicalJson({ ...entry, type: 'ENTRY', link: { sequence }, outcome });
}

/** Text that the link of an outcome covers. */
export function outcomeContent<Time>(
  { _id, chain }: Pick<AuditEntry<Time>, '_id' | 'chain'>,
  { result, codes, at }: Omit<AuditOutcome<Time>, 'link'>,
  sequence: number,
): string {
  return canonicalJson({ type: 'OUTCOME', _id, chain, result, codes, at, link: { sequence } });
}
