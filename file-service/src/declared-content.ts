import type { IncomingHttpHeaders } from 'node:http';
import { digestOf, type SignedRequest } from '@rhizome/storage';
import { Refusal } from './answers.js';

/** Size and digest of an upload before it arrives. */
export interface DeclaredContent {
  readonly sizeBytes: number;
  /** In hexadecimal; undefined if neither the address nor the request has one. */
  readonly sha256: string | undefined;
}

/**
 * Size and digest of an upload, by its headers and its address. A digest is in `Repr-Digest` or
 * `Content-Digest` (RFC 9530), or in `Digest` (RFC 3230).
 * @throws Refusal without a length, or if headers and address differ
 */
export function declaredContent(headers: IncomingHttpHeaders, signed: SignedRequest): DeclaredContent {
  const length = headers['content-length'];
  if (length === undefined) throw new Refusal(411, 'Content-Length: must be the size of the file');
  if (headers['content-encoding'] !== undefined)
    throw new Refusal(
      415,
      `Content-Encoding: ${headers['content-encoding']} is not supported; must be absent`,
    );
  const sizeBytes = Number(length);
  if (signed.sizeBytes !== undefined && signed.sizeBytes !== sizeBytes)
    throw new Refusal(
      400,
      `Content-Length: ${sizeBytes} is not the signed size; must be ${signed.sizeBytes}`,
    );
  // An upload has the whole file.
  const sent = digestOf(headers, ['repr-digest', 'content-digest', 'digest']);
  const signedDigest = signed.sha256?.toLowerCase();
  if (sent !== undefined && signedDigest !== undefined && sent !== signedDigest)
    throw new Refusal(400, `The digest of the request is not the signed one; must be ${signedDigest}`);
  return { sizeBytes, sha256: signedDigest ?? sent };
}
