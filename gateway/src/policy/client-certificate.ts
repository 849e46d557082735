/** Client certificates of connections (mutual TLS, RFC 8705): they bind tokens instead of proofs. */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

const known = new WeakMap<TLSSocket, string | undefined>();

/**
 * SHA-256 of the certificate that a client presented to this process, in base64url; undefined without one,
 * and where a proxy ends TLS. Its issuer is not checked: the handshake shows that the client has the private
 * key.
 */
export function certificateThumbprint({ socket }: IncomingMessage): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  if (!known.has(socket)) known.set(socket, thumbprintOf(socket));
  return known.get(socket);
}

function thumbprintOf(socket: TLSSocket): string | undefined {
  const hex = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '');
  return hex === undefined ? undefined : Buffer.from(hex, 'hex').toString('base64url');
}
