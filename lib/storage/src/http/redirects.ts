import { isIP } from 'node:net';
import { StorageError } from '../storage-error.js';
import {
  assertAllowed,
  discard,
  type FileRequest,
  type FileResponse,
  withoutCredentials,
} from './http-client.js';

/** Most redirects of one request. */
const mostRedirects = 5;
const statuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface RedirectPolicy {
  readonly send: (request: FileRequest) => Promise<FileResponse>;
  /** Origins that get the credentials of the first request, in addition to its own. */
  readonly trustedOrigins: ReadonlySet<string>;
}

/**
 * Sends a request and follows redirects, as of a head node to its data servers: to `https:`, or within the
 * origin. Other origins get no credentials unless they are trusted.
 * @throws StorageError INVALID for other redirects
 */
export async function sendFollowing(request: FileRequest, policy: RedirectPolicy): Promise<FileResponse> {
  const { origin } = new URL(request.url);
  let { url } = request;
  for (let count = 0; ; count += 1) {
    const isTrusted = new URL(url).origin === origin || policy.trustedOrigins.has(new URL(url).origin);
    const headers = isTrusted ? request.headers : withoutAuthorization(request.headers ?? {});
    const response = await policy.send({ ...request, url, headers: headers ?? {} });
    const { location } = response.headers;
    if (!statuses.has(response.status) || typeof location !== 'string') return response;
    discard(response);
    if (count === mostRedirects)
      throw new StorageError(
        'INVALID',
        `${withoutCredentials(request.url)} redirects more than ${mostRedirects} times`,
      );
    url = targetOf(location, url, origin);
  }
}

function targetOf(location: string, from: string, origin: string): string {
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined;
  const shown = withoutCredentials(location);
  if (target?.protocol !== 'https:' && target?.origin !== origin)
    throw new StorageError(
      'INVALID',
      `${withoutCredentials(from)} redirects to ${shown}; must be an https address`,
    );
  assertAllowed(target.href, `${withoutCredentials(from)} redirects to ${shown}`);
  if (isLoopback(target.hostname) && !isLoopback(new URL(origin).hostname))
    throw new StorageError(
      'INVALID',
      `${withoutCredentials(from)} redirects to ${shown}, which is this machine`,
    );
  return target.href;
}

function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 4) return host.startsWith('127.') || host === '0.0.0.0';
  return host === '::1' || host === '::' || host.startsWith('::ffff:7f') || /(^|\.)localhost\.?$/.test(host);
}

function withoutAuthorization(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !/^(authorization|transferheader)/i.test(name)),
  );
}
