/** Small forms, which clients send to token endpoints. */
import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';
import { readBody } from '@rhizome/subgraph';
import { invalid } from './answers.js';

const maxBytes = 64 * 1024;

/**
 * The parameters in the body of a request. A parameter that occurs twice is refused, as RFC 6749 requires.
 * @throws DomainError BAD_REQUEST, REQUEST_TOO_LARGE, REQUEST_TIMEOUT
 */
export async function readForm(request: IncomingMessage, waitMs?: number): Promise<URLSearchParams> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/x-www-form-urlencoded') {
    const text = 'content-type: the body must be application/x-www-form-urlencoded';
    throw new DomainError('BAD_REQUEST', text, { field: 'content-type' });
  }
  const body = await readBody(request, { maxBytes, ...(waitMs !== undefined && { waitMs }) });
  const form = new URLSearchParams(body.toString('utf8'));
  const names = [...form.keys()];
  const repeated = names.find((name, at) => names.indexOf(name) !== at);
  if (repeated === undefined) return form;
  throw new DomainError('BAD_REQUEST', `${repeated.slice(0, 100)}: occurs twice; must occur once`, {
    field: 'body',
  });
}

/** The lifetime that a form asks for, in seconds; null for the usual one. @throws DomainError BAD_REQUEST */
export function lifetimeOf(form: URLSearchParams): number | null {
  const text = form.get('requested_lifetime');
  if (text === null) return null;
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 1) return seconds;
  throw invalid('requested_lifetime', text, ['a number of seconds, at least 1']);
}
