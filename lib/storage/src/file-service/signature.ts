/** Signatures of requests to the file service: HMAC-SHA-256 over what a request may do. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { StorageError } from '../storage-error.js';

/** Methods of the file service. LIST is a GET of a prefix. */
export type ServiceMethod = 'GET' | 'PUT' | 'DELETE' | 'LIST';

/** A request that a signature allows. */
export interface SignedRequest {
  readonly method: ServiceMethod;
  /** The key of a file; for LIST a prefix. */
  readonly key: string;
  /** Seconds since 1970. */
  readonly expires: number;
  /** For PUT: the only size; undefined accepts any. */
  readonly sizeBytes?: number | undefined;
  /** For PUT: the only digest, in hexadecimal; undefined accepts any. */
  readonly sha256?: string | undefined;
}

/** Smallest size of a key, in bytes. */
export const smallestKeyBytes = 32;

/** Parameters of a signed URL. */
export const parameters = {
  method: 'method',
  expires: 'expires',
  size: 'size',
  sha256: 'sha256',
  signature: 'signature',
} as const;

/** The query of a signed URL. @param key of at least 32 bytes */
export function signRequest(request: SignedRequest, key: Uint8Array): URLSearchParams {
  const query = new URLSearchParams({
    [parameters.method]: request.method,
    [parameters.expires]: String(request.expires),
  });
  if (request.sizeBytes !== undefined) query.set(parameters.size, String(request.sizeBytes));
  if (request.sha256 !== undefined) query.set(parameters.sha256, request.sha256);
  query.set(parameters.signature, signatureOf(request, key).toString('base64url'));
  return query;
}

/**
 * What a signed URL allows.
 * @param file key or prefix, from the path of the URL
 * @param keys the signature may be of any of them
 * @throws StorageError DENIED
 */
export function verifyRequest(
  file: string,
  query: URLSearchParams,
  { keys, now }: { readonly keys: readonly Uint8Array[]; readonly now: Date },
): SignedRequest {
  const request = parse(file, query);
  const given = Buffer.from(query.get(parameters.signature) ?? '', 'base64url');
  const isValid = keys.some((key) => {
    const wanted = signatureOf(request, key);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
  if (!isValid) throw new StorageError('DENIED', 'The signature is not valid for this request');
  if (request.expires * 1000 <= now.getTime())
    throw new StorageError('DENIED', 'The signature has expired; ask for a new address');
  return request;
}

function signatureOf({ method, key, expires, sizeBytes, sha256 }: SignedRequest, by: Uint8Array): Buffer {
  // Keys have no line breaks, and no other part has any: two requests never have the same text.
  const text = ['rhizome-storage-1', method, key, expires, sizeBytes ?? '', sha256 ?? ''].join('\n');
  return createHmac('sha256', by).update(text).digest();
}

function parse(key: string, query: URLSearchParams): SignedRequest {
  const size = query.get(parameters.size);
  const sha256 = query.get(parameters.sha256);
  return {
    method: methodOf(query.get(parameters.method)),
    key,
    expires: wholeNumber(query.get(parameters.expires), parameters.expires),
    ...(size !== null && { sizeBytes: wholeNumber(size, parameters.size) }),
    ...(sha256 !== null && { sha256 }),
  };
}

function methodOf(text: string | null): ServiceMethod {
  if (text === 'GET' || text === 'PUT' || text === 'DELETE' || text === 'LIST') return text;
  throw new StorageError('DENIED', 'The request is not signed; ask for a signed address');
}

function wholeNumber(text: string | null, name: string): number {
  const value = /^\d{1,16}$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new StorageError('DENIED', `${name}: ${JSON.stringify(text)} is not a whole number`);
}
