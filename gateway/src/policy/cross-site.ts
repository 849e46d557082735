import type { IncomingHttpHeaders } from 'node:http';
import { DomainError } from '@rhizome/errors';

/** Headers that no page can send to another site without a preflight. */
const preflighted = ['authorization', 'apollo-require-preflight', 'x-apollo-operation-name', 'x-request-id'];
const simpleTypes = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];

/**
 * Refuses requests that a page of another site could make a browser send without a preflight: those without a
 * header or content type that requires one. Requests from other clients, or from a page of this site, pass.
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
 * Without authentication the address is the only protection: refuses host names that foreign DNS resolves to
 * the loopback interface, and requests from pages of another site.
 * @throws DomainError FORBIDDEN
 */
export function assertLocalCaller(headers: IncomingHttpHeaders): void {
  const { host, origin } = headers;
  if (host && !loopbackNames.test(host)) {
    throw new DomainError(
      'FORBIDDEN',
      `Host ${host} is not a loopback address; with --no-auth only loopback is allowed`,
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

/** True for an address of the loopback interface. */
export function isLoopback(host: string): boolean {
  return loopbackNames.test(host) || host === '::1';
}
