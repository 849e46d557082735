/** Addresses under which a gateway is reached: proofs of possession name the one that their sender uses. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { isLoopbackHost } from '@rhizome/authz';

/**
 * The public origin of the gateway and, for a connection on the loopback interface, the origin that the
 * request names there. A `Host` header alone is no evidence: its sender chooses it.
 */
export function originsOf(issuer: string): (request: IncomingMessage) => readonly string[] {
  const { origin } = new URL(issuer);
  return ({ headers, socket }) => {
    const { host } = headers;
    const port = String(socket.localPort ?? '');
    if (host === undefined || !isLoopback(socket.localAddress)) return [origin];
    const address = `${socket instanceof TLSSocket ? 'https' : 'http'}://${host}`;
    const named = URL.canParse(address) ? new URL(address) : undefined;
    if (named === undefined || !isLoopbackHost(named.hostname) || named.port !== port) return [origin];
    return [origin, named.origin];
  };
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address ?? '');
}
