/** A syslog server for copies of the audit log: it keeps what it receives over TCP. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { leftovers } from '@rhizome/testkit';

/** A copy of an entry, or of an outcome. */
export interface Copy {
  readonly type: 'ENTRY' | 'OUTCOME';
  readonly _id: string;
}

/** A running server. */
export interface SyslogReceiver {
  /** As a setting of the gateway. */
  readonly url: string;
  /** Copies from all connections, in the order of each. */
  readonly copies: readonly Copy[];
}

/** Starts a server on loopback; it ends with the file. */
export async function startSyslogReceiver(): Promise<SyslogReceiver> {
  const copies: Copy[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => (rest = readFrames(Buffer.concat([rest, data]), copies)));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leftovers.defer('a syslog server', async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, copies };
}

/** Reads whole messages, each after its length and a space (RFC 6587). Returns the rest. */
function readFrames(data: Buffer, copies: Copy[]): Buffer {
  let at = 0;
  for (;;) {
    const blank = data.indexOf(' ', at);
    const length = Number(data.subarray(at, blank));
    if (blank < 0 || data.length < blank + 1 + length) return data.subarray(at);
    const message = data.subarray(blank + 1, blank + 1 + length).toString();
    copies.push(JSON.parse(message.slice(message.indexOf('{'))) as Copy);
    at = blank + 1 + length;
  }
}
