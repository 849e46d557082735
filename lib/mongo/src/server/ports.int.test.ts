import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { freePort, isFree, loopback } from './ports.js';

describe('freePort', () => {
  it('chooses no port that the system gives to an outgoing connection', async () => {
    const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const start = Number.parseInt(range, 10);
    for (let count = 0; count < 50; count++) expect(await freePort()).toBeLessThan(start);
  });

  it('returns the wanted port while it is free, and another one while a server listens on it', async () => {
    const wanted = await freePort();
    expect(await freePort(wanted)).toBe(wanted);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(wanted, loopback, resolve));
    try {
      expect(await isFree(wanted)).toBe(false);
      expect(await freePort(wanted)).not.toBe(wanted);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
