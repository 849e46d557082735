/** Servers of files for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spawnProcess, type TestProcess } from '@rhizome/testkit';

/** Programs from PyPI, which `tools/python.mjs` installs. */
const pythonPrograms = resolve(fileURLToPath(import.meta.url), '../../../../.cache/python/bin');

/** A program that serves a folder. */
export interface FolderServer {
  readonly folder: string;
  readonly url: string;
  close(): Promise<void>;
}

/** Creates a folder for a test. */
export async function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'storage-test-'));
}

/** A port that is free now; for programs that do not say which one they took. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts `rclone serve`, for a protocol, and waits until it serves. */
export async function serveByRclone(protocol: string, options: readonly string[]): Promise<FolderServer> {
  const folder = await makeFolder();
  const program = spawnProcess({
    name: `rclone serve ${protocol}`,
    command: join(pythonPrograms, 'rclone'),
    args: ['serve', protocol, '--addr', '127.0.0.1:0', '--config', '/dev/null', ...options, folder],
  });
  const [, url = ''] = await program.line(/\[(http:\/\/[^\]]+?)\/?\]/, 60_000);
  return { folder, url, close: ending(program, folder) };
}

/** Ends a program and removes its folder. */
export function ending(program: TestProcess, folder: string): () => Promise<void> {
  return async () => {
    await program.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
}
