import { isIP } from 'node:net';
import { DomainError } from '@rhizome/errors';

/** Returns true if a host name or address is this machine itself, by the text alone. */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  if (isIP(name) === 4) return name.startsWith('127.');
  return isIP(name) === 6 && (name === '::1' || /^::ffff:7f[0-9a-f]{2}:/.test(name));
}

/**
 * Requires TLS of a server that other machines reach.
 *
 * @throws DomainError CONFIG_INVALID for plain text on another address than loopback, unless it is permitted
 */
export function assertSecureListening({
  host,
  tls,
  insecureTransport,
}: {
  readonly host: string;
  readonly tls?: object | undefined;
  readonly insecureTransport: boolean;
}): void {
  if (tls !== undefined || insecureTransport || isLoopbackHost(host)) return;
  const text = `host: ${host} is reached by other machines without TLS; set tls.keyFile and tls.certFile, or insecureTransport: true behind a proxy that ends TLS`;
  throw new DomainError('CONFIG_INVALID', text, {
    field: 'tls',
    value: host,
    expected: 'tls, or a loopback host',
  });
}

/**
 * Requires TLS for an address outside this machine.
 *
 * @throws DomainError CONFIG_INVALID for `http:` or `ws:` to another host, unless it is permitted by name
 */
export function assertSecureTransport(
  address: string,
  {
    field,
    insecureTransport = false,
  }: { readonly field: string; readonly insecureTransport?: boolean | undefined },
): void {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && (url.protocol === 'https:' || url.protocol === 'wss:')) return;
  const isPlain = url?.protocol === 'http:' || url?.protocol === 'ws:';
  if (url && isPlain && (insecureTransport || isLoopbackHost(url.hostname))) return;
  const expected = isPlain
    ? 'use TLS, or permit plain text with insecureTransport: true'
    : 'must be an http(s) address';
  throw new DomainError('CONFIG_INVALID', `${field}: ${address} is not secure; ${expected}`, {
    field,
    value: address,
    expected: 'an https address',
  });
}
