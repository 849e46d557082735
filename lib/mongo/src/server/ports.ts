/** Ports of the loopback interface. */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Address that embedded servers listen on. */
export const loopback = '127.0.0.1';

/** The lowest port that is chosen; most assigned ports are below it. */
const lowestPort = 15_000;

/** Start of the range from which most systems take the ports of outgoing connections. */
const usualEphemeralStart = 32_768;

/**
 * A free port of the loopback interface: `wanted` if it is free, otherwise a random one from 15,000 up. The
 * system gives it to no outgoing connection, so it stays free until a server listens, and while one restarts.
 */
export async function freePort(wanted = 0): Promise<number> {
  if (wanted !== 0 && (await isFree(wanted))) return wanted;
  const end = await ephemeralStart();
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(lowestPort, end);
    if (await isFree(port)) return port;
  }
  throw new Error(`100 random ports of ${loopback} from ${lowestPort} to ${end - 1} are all in use`);
}

/** True when nobody listens on the port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, loopback, () => server.close(() => resolve(true)));
  });
}

/** First port that the system may give to an outgoing connection; the usual one if that leaves no range. */
async function ephemeralStart(): Promise<number> {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  const start = Number.parseInt(range, 10);
  return start > lowestPort + 1000 ? start : usualEphemeralStart;
}
