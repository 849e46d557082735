/** Requests of the gateway's own pages: a cookie counts for nothing in a request of another site. */
import type { IncomingMessage } from 'node:http';
import { DomainError } from '@rhizome/errors';

/** Cookie with the id of a browser's session. */
export const sessionCookie = '__Host-rhizome';

/**
 * Header, or field of `connection_init`, of requests that use the session. No page of another site can send
 * the header without a preflight, which the gateway never permits.
 */
export const csrfHeader = 'x-rhizome-csrf';

/** A cookie of a request. */
export function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  const { cookie } = headers;
  if (cookie === undefined) return undefined;
  for (const pair of cookie.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}

/**
 * Refuses a request that does not come from a page of this gateway.
 * @param origins addresses under which the gateway is reached
 * @throws DomainError FORBIDDEN
 */
export function assertOwnPage({ headers }: IncomingMessage, origins: readonly string[]): void {
  const { origin, 'sec-fetch-site': site } = headers;
  const isOwn = origin === undefined ? site === 'same-origin' : origins.includes(origin);
  if (isOwn && (site === undefined || site === 'same-origin')) return;
  throw new DomainError('FORBIDDEN', 'Only a page of this gateway may use the session of the browser', {
    field: 'origin',
    value: String(origin).slice(0, 200),
    expected: origins.join(' or '),
  });
}

/**
 * Refuses requests that a page of another site, or of another host of this one, has made. Typed addresses,
 * bookmarks and other programs pass.
 * @throws DomainError FORBIDDEN
 */
export function assertNotOfOtherSite({ headers }: IncomingMessage): void {
  const { 'sec-fetch-site': site } = headers;
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  throw new DomainError(
    'FORBIDDEN',
    'A page of another site may not begin a login; open the dashboard first',
    {
      field: 'sec-fetch-site',
      value: String(site).slice(0, 200),
      expected: 'same-origin or none',
    },
  );
}

/** True for an origin as browsers write it: a policy can name it, and it names no other host. */
export function isExactOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  return origin === text && /^https?:$/.test(protocol) && /^[\w.:[\]-]+$/.test(hostname);
}
