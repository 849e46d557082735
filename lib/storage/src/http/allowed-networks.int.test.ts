import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AllowedNetworks } from './allowed-networks.js';
import { Connections } from './http-client.js';
import { isRefusedAddress } from './metadata-addresses.js';
import { sendFollowing } from './redirects.js';

describe('Connections with allowed networks', () => {
  const serve = async (use: (port: number) => Promise<void>): Promise<void> => {
    const server = createServer((request, response) => {
      if (request.url === '/elsewhere') response.writeHead(302, { location: 'https://10.1.2.3/x' });
      response.end('content');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await use((server.address() as AddressInfo).port).finally(() => server.close());
  };
  const get = async (allowed: readonly string[], url: string): Promise<number> => {
    const connections = new Connections(undefined, new AllowedNetworks(allowed));
    const send = connections.send.bind(connections);
    try {
      const answer = await sendFollowing({ method: 'GET', url }, { send, trustedOrigins: new Set() });
      answer.body.resume();
      return answer.status;
    } finally {
      connections.close();
    }
  };

  it('refuses a name that leads to this machine, unless the name or the address is allowed', async () => {
    await serve(async (port) => {
      const url = `http://localhost:${port}/`;
      const error = await get([], url).catch((fault: unknown) => fault);
      expect(error).toMatchObject({ kind: 'INVALID', message: expect.stringContaining('this machine') });
      expect(isRefusedAddress(error)).toBe(true);
      expect(await get(['localhost'], url)).toBe(200);
      expect(await get(['127.0.0.1', '::1'], url)).toBe(200);
    });
  });

  it('refuses a redirect to an address that is not allowed', async () => {
    await serve(async (port) => {
      const error = await get(['127.0.0.1'], `http://127.0.0.1:${port}/elsewhere`).catch(
        (fault: unknown) => fault,
      );
      expect(error).toMatchObject({ kind: 'INVALID', message: expect.stringContaining('a private network') });
    });
  });
});
