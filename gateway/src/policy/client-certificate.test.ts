import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { certificateThumbprint } from './client-certificate.js';

let folder: string;
let certificate: { readonly cert: string; readonly key: string };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rhizome-certificate-'));
  const [keyFile, certFile] = [join(folder, 'key'), join(folder, 'pem')];
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const out = ['-subj', '/CN=worker', '-keyout', keyFile, '-out', certFile];
  execFileSync('openssl', ['req', '-x509', ...options, ...out], { stdio: 'ignore' });
  certificate = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Result of reading a request at its server, while its connection is open. */
async function received<T>(
  credentials: { readonly cert?: string; readonly key?: string },
  read: (request: IncomingMessage) => T,
): Promise<T> {
  const server = createServer({ ...certificate, requestCert: true, rejectUnauthorized: false });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const found = new Promise<T>((resolve) =>
      server.once('request', (incoming, response) => {
        resolve(read(incoming));
        response.end();
      }),
    );
    const { port } = server.address() as AddressInfo;
    const trust = { ca: certificate.cert, checkServerIdentity: () => undefined };
    request({ host: '127.0.0.1', port, agent: false, ...trust, ...credentials }).end();
    return await found;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('certificateThumbprint', () => {
  it('counts a certificate in its period of validity only, also on a connection that outlasts it', async () => {
    const { validFrom, validTo, fingerprint256 } = new X509Certificate(certificate.cert);
    const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
    const found = await received(certificate, (incoming) =>
      [from - 1, from, to - 1, to].map((now) => certificateThumbprint(incoming, now)),
    );
    const own = Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
    expect(found).toEqual([undefined, own, own, undefined]);
  });

  it('finds none on a connection without a certificate', async () => {
    expect(await received({}, (incoming) => certificateThumbprint(incoming))).toBeUndefined();
  });
});
