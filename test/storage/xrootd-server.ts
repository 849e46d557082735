/** A real XRootD server with its HTTP plug-in, macaroons and third-party copies. */
import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnProcess } from '@rhizome/testkit';
import { ending, type FolderServer, freePort, makeFolder } from './programs.js';

/** A running server. Everyone may use it by `root://`, and bearers of a macaroon by `https://`. */
export interface XRootDServer extends FolderServer {
  /** URL of WebDAV. */
  readonly webUrl: string;
  /** Certificate of the server, in PEM. */
  readonly certificate: string;
  /** File with a macaroon that permits everything for an hour. */
  readonly tokenFile: string;
}

/** Rights of callers without a macaroon. */
export interface XRootDOptions {
  /** True if they may read and write; default false. */
  readonly isOpen?: boolean;
}

/** Starts a server. The program does not run as root. */
export async function serveByXRootD({ isOpen = false }: XRootDOptions = {}): Promise<XRootDServer> {
  const folder = await makeFolder();
  const data = join(folder, 'data');
  await mkdir(data);
  // One line in base64: the server reads no longer ones.
  const key = randomBytes(32);
  await writeFile(join(folder, 'macaroon.key'), `${key.toString('base64')}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'rights'), isOpen ? 'u * / a\n' : 'u nobody-at-all / a\n');
  makeCertificate(folder);
  const [port, webPort] = [await freePort(), await freePort()];
  await writeFile(join(folder, 'server.cfg'), configuration({ folder, data, port, webPort }));
  const asNobody = process.getuid?.() === 0 ? ['-R', 'nobody'] : [];
  if (asNobody.length > 0) execFileSync('chown', ['-R', 'nobody', folder]);
  const name = `t${port}`;
  const program = spawnProcess({
    name: 'xrootd',
    command: 'xrootd',
    args: ['-c', join(folder, 'server.cfg'), '-n', name, ...asNobody],
    cwd: folder,
  });
  await program.line(/xrootd .* initialization (completed)/, 60_000);
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, rootMacaroon(key));
  return {
    folder: data,
    url: `root://127.0.0.1:${port}/`,
    webUrl: `https://127.0.0.1:${webPort}`,
    certificate: await readFile(join(folder, 'certificate.pem'), 'utf8'),
    tokenFile,
    close: ending(program, folder),
  };
}

function configuration({
  folder,
  data,
  port,
  webPort,
}: Record<'folder' | 'data', string> & Record<'port' | 'webPort', number>): string {
  return `
xrd.port ${port}
all.adminpath ${join(folder, 'admin')}
all.pidpath ${join(folder, 'run')}
all.export /
oss.localroot ${data}
xrootd.chksum max 2 adler32
xrd.tls ${join(folder, 'certificate.pem')} ${join(folder, 'certificate.key')}
xrd.tlsca certfile ${join(folder, 'certificate.pem')}
xrd.protocol http:${webPort} libXrdHttp.so
http.header2cgi Authorization authz
http.exthandler xrdtpc libXrdHttpTPC.so
http.exthandler xrdmacaroons libXrdMacaroons.so
all.sitename test
macaroons.secretkey ${join(folder, 'macaroon.key')}
ofs.authlib ++ libXrdMacaroons.so
ofs.authorize
acc.authdb ${join(folder, 'rights')}
`;
}

/** A certificate for this machine. */
function makeCertificate(folder: string): void {
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', join(folder, 'certificate.key'), '-out', join(folder, 'certificate.pem')];
  const subject = [
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-days',
    '2',
  ];
  execFileSync('openssl', [...args, ...files, ...subject], { stdio: 'ignore' });
}

/** A macaroon (version 1) that permits all activities on all paths, as an operator gives it to core. */
function rootMacaroon(key: Buffer): string {
  const before = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
  const caveats = [
    'name:core',
    'activity:READ_METADATA,UPLOAD,DOWNLOAD,DELETE,MANAGE,UPDATE_METADATA,LIST',
    'path:/',
    `before:${before}`,
  ];
  const generator = Buffer.alloc(32);
  generator.write('macaroons-key-generator');
  let signature = mac(mac(generator, key), Buffer.from('core'));
  for (const caveat of caveats) signature = mac(signature, Buffer.from(caveat));
  const packets = [
    packet('location', Buffer.from('test')),
    packet('identifier', Buffer.from('core')),
    ...caveats.map((caveat) => packet('cid', Buffer.from(caveat))),
    packet('signature', signature),
  ];
  return Buffer.concat(packets).toString('base64url');
}

function mac(key: Buffer, text: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function packet(name: string, value: Buffer): Buffer {
  const length = 4 + name.length + 1 + value.length + 1;
  return Buffer.concat([
    Buffer.from(`${length.toString(16).padStart(4, '0')}${name} `),
    value,
    Buffer.from('\n'),
  ]);
}
