import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '@rhizome/errors';

/** Headers that no page can send to another site without asking it first. */
const preflighted = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name', 'x-request-id'];
const simpleTypes = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];

/**
 * Refuses what a page of another site could make a browser send without a preflight: a request without a header or
 * content type that needs one. What no browser sent, or a browser for a page of ours, passes.
 * @throws DomainError FORBIDDEN
 */
export function assertNotCrossSite(headers: IncomingHttpHeaders): void {
  if (preflighted.some((name) => headers[name])) return;
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type && !simpleTypes.includes(type)) return;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return;
  const browser =
    site !== undefined ||
    headers.origin !== undefined ||
    headers.referer !== undefined ||
    headers.cookie !== undefined ||
    headers['user-agent']?.startsWith('Mozilla/');
  if (!browser) return;
  throw new DomainError(
    'FORBIDDEN',
    'Request rejected: a browser could send it for another site. Add the header "apollo-require-preflight: true"',
    { field: 'apollo-require-preflight', expected: 'any value' },
  );
}

const loopbackNames = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Without identities the address is all that protects: a name that someone else's DNS points at the loopback
 * interface is refused, and so is a page of another site.
 * @throws DomainError FORBIDDEN
 */
export function assertLocalCaller(headers: IncomingHttpHeaders): void {
  const { host, origin } = headers;
  if (host && !loopbackNames.test(host)) {
    throw new DomainError(
      'FORBIDDEN',
      `Host ${host} is not a loopback address; with --no-auth only loopback is served`,
      {
        field: 'host',
        value: host,
        expected: 'localhost or a loopback address',
      },
    );
  }
  if (origin && origin !== 'null' && host && URL.canParse(origin) && new URL(origin).host === host) return;
  if (origin === undefined) return;
  throw new DomainError('FORBIDDEN', `A page of ${origin} may not call a gateway without authentication`, {
    field: 'origin',
    value: origin,
    expected: 'a page of this gateway',
  });
}

/** Whether an address is of the loopback interface. */
export function isLoopback(host: string): boolean {
  return loopbackNames.test(host) || host === '::1';
}
