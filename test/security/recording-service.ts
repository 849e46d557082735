import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:net';
import { leftovers } from '@rhizome/testkit';

/** A service that records all bytes it receives, and passes them to the real server behind it. */
export interface RecordingService {
  /** Address of its GraphQL. */
  readonly url: string;
  /** Everything that callers sent: heads, bodies, and unmasked WebSocket frames, as text. */
  received(): string;
}

/**
 * Starts a service in front of another server, as the operator of an experiment's service could: it sees all
 * that the gateway sends, and the gateway notices nothing.
 */
export async function recordInFront(target: string): Promise<RecordingService> {
  const { hostname, port } = new URL(target);
  const heard: string[] = [];
  const server = createServer();
  const sockets = new Set<Duplex>();
  const relay = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    heard.push(headOf(request));
    const upstream = connect(Number(port), hostname);
    for (const one of [socket, upstream]) one.on('error', () => one.destroy());
    sockets.add(socket).add(upstream);
    upstream.write(`${headOf(request)}\r\n`);
    upstream.write(head);
    socket.on('data', (bytes: Buffer) => heard.push(unmasked(bytes)));
    socket.pipe(upstream).pipe(socket);
  };
  server.on('upgrade', relay);
  server.on('request', (request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body = Buffer.concat(chunks);
      heard.push(headOf(request), body.toString('utf8'));
      const headers = Object.fromEntries(
        Object.entries(request.headers).filter(
          ([name]) => !['host', 'connection', 'content-length'].includes(name),
        ),
      ) as Record<string, string>;
      const init = { method: 'POST', headers, body };
      const answer = await fetch(target, init);
      const type = answer.headers.get('content-type') ?? 'application/json';
      response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('a recording service', () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port: own } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${own}/graphql`, received: () => heard.join('\n') };
}

function headOf(request: IncomingMessage): string {
  const lines = [`${request.method} ${request.url} HTTP/1.1`];
  for (let at = 0; at < request.rawHeaders.length; at += 2)
    lines.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}`);
  return `${lines.join('\r\n')}\r\n`;
}

/** The text of a chunk of masked frames; the gateway's messages are shorter than 64 KiB. */
function unmasked(bytes: Buffer): string {
  const texts: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const long = short === 126;
    const length = long ? bytes.readUInt16BE(at + 2) : short;
    const maskAt = at + (long ? 4 : 2);
    const from = maskAt + 4;
    const part = Buffer.from(bytes.subarray(from, from + length));
    for (let index = 0; index < part.length; index++)
      part[index] = (part[index] ?? 0) ^ (bytes[maskAt + (index % 4)] ?? 0);
    texts.push(part.toString('utf8'));
    at = from + length;
  }
  return texts.join('\n');
}
