/** Small forms, which clients send to token endpoints. */
import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';

const maxBytes = 64 * 1024;

/**
 * The parameters in the body of a request. A parameter that occurs twice is refused, as RFC 6749 requires.
 * @throws DomainError BAD_REQUEST, REQUEST_TOO_LARGE
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    const text = 'content-type: the body must be application/x-www-form-urlencoded';
    throw new DomainError('BAD_REQUEST', text, { field: 'content-type' });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(size);
    chunks.push(chunk);
  }
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
  const names = [...form.keys()];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated === undefined) return form;
  throw new DomainError('BAD_REQUEST', `${repeated.slice(0, 100)}: occurs twice; must occur once`, {
    field: 'body',
  });
}

function tooLarge(size: number): DomainError {
  return new DomainError('REQUEST_TOO_LARGE', `body: ${size} bytes are over the limit of ${maxBytes}`, {
    field: 'body',
    value: size,
    expected: String(maxBytes),
  });
}
