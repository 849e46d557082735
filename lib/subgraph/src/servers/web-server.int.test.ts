import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listen, type ListenAddress } from './listen.js';
import { createWebServer, type WebServer } from './web-server.js';

let folder: string;
let server: WebServer;
let address: ListenAddress;

/** Writes a new certificate for 127.0.0.1 to the same files. */
function renew(): void {
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', ...options, ...names, ...files], { stdio: 'ignore' });
}

const tls = () => ({ keyFile: join(folder, 'key.pem'), certFile: join(folder, 'cert.pem') });

/** The certificate that the server shows, by its fingerprint. */
function shown(maxVersion: 'TLSv1.1' | 'TLSv1.3' = 'TLSv1.3'): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: address.port, rejectUnauthorized: false };
    const versions = { minVersion: 'TLSv1' as const, maxVersion };
    const socket: TLSSocket = connect({ ...options, ...versions }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      resolve(fingerprint256);
    });
    socket.on('error', reject);
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rhizome-tls-'));
  renew();
  server = createWebServer({}, tls(), (_request, response) => response.end('encrypted'));
  address = await listen(server, { host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

describe('createWebServer', () => {
  it('serves TLS under https and wss addresses', async () => {
    expect([address.origin, address.wsUrl]).toEqual([
      `https://127.0.0.1:${address.port}`,
      `wss://127.0.0.1:${address.port}/graphql`,
    ]);
    const ca = await readFile(join(folder, 'cert.pem'));
    const text = await new Promise((resolve, reject) => {
      request(address.origin, { ca }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      })
        .on('error', reject)
        .end();
    });
    expect(text).toBe('encrypted');
  });

  it('refuses plain text and versions before TLS 1.2', async () => {
    await expect(fetch(address.origin.replace('https', 'http'))).rejects.toThrow();
    await expect(shown('TLSv1.1')).rejects.toThrow();
  });

  it('uses a renewed certificate without a restart', async () => {
    const before = await shown();
    renew();
    const deadline = performance.now() + 60_000;
    while ((await shown()) === before) {
      expect(performance.now()).toBeLessThan(deadline);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  });

  it('rejects files that hold no certificate', () => {
    const wrong = { keyFile: join(folder, 'none.pem'), certFile: join(folder, 'cert.pem') };
    expect(() => createWebServer({}, wrong, () => undefined)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('none.pem') }),
    );
  });
});
