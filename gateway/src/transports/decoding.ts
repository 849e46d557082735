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
 * Decodes the content encoding of a body. The gateway requests none, but an intermediary may apply one.
 * @throws DomainError LIMIT_EXCEEDED beyond `maxBytes`, DOWNSTREAM_SERVICE_ERROR if decoding fails
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

/** The error for a response above the maximum size. */
export function tooMuch(subgraph: string, cause: unknown): DomainError {
  return new DomainError(
    'LIMIT_EXCEEDED',
    `The service "${subgraph}" returned a response over the size limit`,
    {},
    { cause },
  );
}
