/** Signed heads: the ends of chains at a time, kept outside the store. */
import { createHash } from 'node:crypto';
import { CompactSign, compactVerify, type CryptoKey, importJWK, type JWK } from 'jose';

/** Kinds of heads: each minute, each day for all chains, at a chain's end, before old entries are removed. */
export type HeadKind = 'MINUTE' | 'DAILY' | 'CLOSED' | 'PRUNED';

/** The last link of a chain. */
export interface ChainTip {
  readonly chain: string;
  readonly sequence: number;
  readonly hash: string;
}

/** A head before it is signed. */
export interface Head {
  readonly version: 1;
  readonly kind: HeadKind;
  /** Chain of the process that signed it. */
  readonly writer: string;
  readonly at: string;
  readonly chains: readonly ChainTip[];
  /** Digest of the line before it by the same writer; empty for the first. */
  readonly previous: string;
}

const type = 'rhizome-audit-head+jws';

/** SHA-256 of a line, for the next one. */
export function lineDigest(line: string): string {
  return createHash('sha256').update(line).digest('base64url');
}

/** A head as a line of a file: a JWS (ES256) in compact form. */
export function signHead(head: Head, key: CryptoKey): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(head)))
    .setProtectedHeader({ alg: 'ES256', typ: type })
    .sign(key);
}

/** Result of reading lines with heads. */
export interface HeadReading {
  readonly heads: readonly Head[];
  /** Lines that are not genuine, by number from 1, with the reason. */
  readonly faults: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Verifies lines of heads by the public key. A writer's lines must follow each other without a gap.
 * @throws TypeError if the key is no P-256 key
 */
export async function readHeads(lines: readonly string[], publicKey: JWK): Promise<HeadReading> {
  const key = (await importJWK(publicKey, 'ES256')) as CryptoKey;
  const heads: Head[] = [];
  const faults: { line: number; reason: string }[] = [];
  const latest = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const head = await verified(line, key);
    if (!head) {
      faults.push({ line: index + 1, reason: 'its signature is wrong' });
      continue;
    }
    const before = latest.get(head.writer);
    if (before !== undefined && before !== head.previous)
      faults.push({ line: index + 1, reason: 'lines before it are missing' });
    latest.set(head.writer, lineDigest(line));
    heads.push(head);
  }
  return { heads, faults };
}

async function verified(line: string, key: CryptoKey): Promise<Head | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(line.trim(), key, { algorithms: ['ES256'] });
    if (protectedHeader.typ !== type) return undefined;
    return JSON.parse(Buffer.from(payload).toString('utf8')) as Head;
  } catch {
    return undefined;
  }
}
