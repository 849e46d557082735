/** Client certificates of connections (mutual TLS, RFC 8705): they bind tokens instead of proofs. */
import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** A certificate as its connection keeps it. */
interface KnownCertificate {
  readonly thumbprint: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

const known = new WeakMap<TLSSocket, KnownCertificate | undefined>();

/**
 * SHA-256 of the certificate that a client presented to this process, in base64url; undefined without one,
 * outside of its period of validity, and where a proxy ends TLS. Its issuer is not checked: the handshake
 * shows that the client has the private key. Connections may outlast the certificate, so that its times are
 * compared at each use.
 */
export function certificateThumbprint(
  { socket }: Pick<IncomingMessage, 'socket'>,
  now = Date.now(),
): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  if (!known.has(socket)) known.set(socket, read(socket.getPeerX509Certificate()));
  const found = known.get(socket);
  return found && found.notBefore <= now && now < found.notAfter ? found.thumbprint : undefined;
}

function read(certificate: X509Certificate | undefined): KnownCertificate | undefined {
  if (!certificate) return undefined;
  const { fingerprint256, validFrom, validTo } = certificate;
  return {
    thumbprint: Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    notBefore: Date.parse(validFrom),
    notAfter: Date.parse(validTo),
  };
}
