/** The address on this machine to which an issuer sends the browser back (RFC 8252, section 7.3). */
import { spawn } from 'node:child_process';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server that waits for one answer. */
export interface Loopback {
  readonly redirectUri: string;
  /** The address with the answer to the request of this state; other requests are ignored. */
  answer(state: string): Promise<URL>;
  close(): void;
}

/** Opens the server on a free port of the loopback interface. */
export async function openLoopback(signal: AbortSignal): Promise<Loopback> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  return {
    redirectUri,
    answer: (state) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        server.on('request', (request, response) => {
          const url = new URL(request.url ?? '/', redirectUri);
          const isAnswer = url.pathname === '/callback' && url.searchParams.get('state') === state;
          send(response, isAnswer, url.searchParams.has('error'));
          if (isAnswer) resolve(url);
        });
      }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function send(response: ServerResponse, isAnswer: boolean, hasFailed: boolean): void {
  const done = hasFailed ? 'The login failed.' : 'You are logged in.';
  const text = isAnswer ? `${done} You can close this window and return to the terminal.\n` : 'Not found.\n';
  response.writeHead(isAnswer ? 200 : 404, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(text);
}

/** Opens a browser where there is one; the address is printed in any case. */
export function openBrowser(address: string, env: NodeJS.ProcessEnv): void {
  if (!hasDisplay(env)) return;
  const command = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(command, [address], { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}

/** Returns true if a browser on this machine can be seen by the person at the terminal. */
export function hasDisplay({ DISPLAY, WAYLAND_DISPLAY, SSH_CONNECTION }: NodeJS.ProcessEnv): boolean {
  if (SSH_CONNECTION !== undefined) return false;
  return process.platform === 'darwin' || DISPLAY !== undefined || WAYLAND_DISPLAY !== undefined;
}
