import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { DomainError } from '@rhizome/errors';

const decoders = new Map<string, (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
  ['br', promisify(brotliDecompress)],
]);

/**
 * A body as it was before it was encoded for the way. No service is asked for it, but what stands between may do it.
 * @throws DomainError LIMIT_EXCEEDED for more than `maxBytes`, DOWNSTREAM_SERVICE_ERROR for what cannot be decoded
 */
export async function decodeBody(
  subgraph: string,
  body: Buffer,
  encoding: string,
  maxBytes: number,
): Promise<Buffer> {
  const decode = decoders.get(encoding.trim().toLowerCase());
  if (!decode) {
    const expected = [...decoders.keys()].join(', ');
    throw new DomainError(
      'DOWNSTREAM_SERVICE_ERROR',
      `The service "${subgraph}" returned content-encoding ${encoding}; must be none or one of ${expected}`,
      { field: 'content-encoding', value: encoding, expected },
    );
  }
  try {
    return await decode(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooMuch(subgraph, error);
    throw new DomainError(
      'DOWNSTREAM_SERVICE_ERROR',
      `The service "${subgraph}" declares content-encoding ${encoding} but could not be decoded`,
      {},
      { cause: error },
    );
  }
}

/** The error for an answer that is larger than is accepted. */
export function tooMuch(subgraph: string, cause: unknown): DomainError {
  return new DomainError(
    'LIMIT_EXCEEDED',
    `The service "${subgraph}" returned a response over the size limit`,
    {},
    { cause },
  );
}
