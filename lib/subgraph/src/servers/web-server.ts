/** HTTP servers with or without TLS. */
import { readFileSync, statSync } from 'node:fs';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { DomainError } from '@rhizome/errors';

/** Files of a certificate, in PEM. */
export interface TlsFiles {
  /** The private key. */
  readonly keyFile: string;
  /** The certificate, and those between it and the authority. */
  readonly certFile: string;
  /** Asks clients for a certificate; any is accepted, and what it permits is up to the handler. */
  readonly requestsClientCertificates?: boolean | undefined;
}

/** A server of either kind. */
export type WebServer = Server | SecureServer;

/** Interval at which the files are checked for a renewed certificate, in milliseconds. */
const lookMs = 5000;

/**
 * Creates a server. With TLS (1.2 or later) a renewed certificate is used as soon as its files changed; while
 * they cannot be read, the old one stays.
 * @throws DomainError CONFIG_INVALID if the files hold no certificate with its key
 */
export function createWebServer(
  options: ServerOptions,
  tls: TlsFiles | undefined,
  handler: RequestListener,
): WebServer {
  if (!tls) return createServer(options, handler);
  const server = secureServer(options, tls, handler);
  let stamp = stampOf(tls);
  const timer = setInterval(() => {
    const now = stampOf(tls);
    if (now === undefined || now === stamp) return;
    try {
      server.setSecureContext(readTls(tls));
      stamp = now;
    } catch {
      // One of the files is being written: the next check reads both again.
    }
  }, lookMs);
  timer.unref();
  server.on('close', () => clearInterval(timer));
  return server;
}

function secureServer(options: ServerOptions, tls: TlsFiles, handler: RequestListener): SecureServer {
  try {
    const asks = tls.requestsClientCertificates === true && { requestCert: true, rejectUnauthorized: false };
    const secure = { ...options, ...readTls(tls), ...asks, minVersion: 'TLSv1.2' as const };
    return createSecureServer(secure, handler);
  } catch (cause) {
    const { keyFile, certFile } = tls;
    const text = `tls: ${certFile} and ${keyFile} cannot be used; must be a certificate with its private key, in PEM`;
    throw new DomainError('CONFIG_INVALID', text, { field: 'tls', value: certFile }, { cause });
  }
}

function readTls({ keyFile, certFile }: TlsFiles): { readonly key: Buffer; readonly cert: Buffer } {
  return { key: readFileSync(keyFile), cert: readFileSync(certFile) };
}

/** Equal for files that did not change; undefined if one is missing. */
function stampOf({ keyFile, certFile }: TlsFiles): string | undefined {
  const found = [keyFile, certFile].map((file) => statSync(file, { throwIfNoEntry: false, bigint: true }));
  if (found.includes(undefined)) return undefined;
  return found.map((one) => `${one?.ino} ${one?.size} ${one?.mtimeNs}`).join(' ');
}
