import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphqlProtocol } from './graphql-protocol.js';

const { signal } = new AbortController();
const report = {
  jobId: 'job_a',
  fence: 1,
  phase: 'FINISHED',
  exitCode: 0,
  usage: {} as never,
  outputs: [],
} as const;

let server: Server;
let answer: { readonly status: number; readonly body: string };
let protocol: GraphqlProtocol;

beforeEach(async () => {
  server = createServer((_, response) => response.writeHead(answer.status).end(answer.body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  protocol = new GraphqlProtocol({ url: `http://127.0.0.1:${port}/graphql`, token: 'secret' });
});
afterEach(async () => {
  await protocol.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('GraphqlProtocol', () => {
  it.each([
    [404, '<html>no route</html>'],
    [403, '<html>forbidden</html>'],
    [500, ''],
    [200, '{"status":"starting"}'],
  ])('takes a page with status %i in place of an answer for an outage', async (status, body) => {
    answer = { status, body };
    const name = 'CoreUnavailable';
    await expect(protocol.finishJobs('worker_1', [report], signal)).rejects.toMatchObject({ name });
    const chunk = { sequence: 0, stream: 'STDOUT', text: 'x', at: new Date(0) } as const;
    await expect(protocol.appendJobLog('worker_1', report, [chunk], signal)).rejects.toMatchObject({ name });
  });

  it('takes an error of the API that advises against a repetition for a refusal', async () => {
    answer = {
      status: 200,
      body: JSON.stringify({
        errors: [{ message: 'no', extensions: { code: 'FORBIDDEN', retry: 'never' } }],
      }),
    };
    await expect(protocol.finishJobs('worker_1', [report], signal)).rejects.toMatchObject({
      name: 'CoreRefused',
      code: 'FORBIDDEN',
    });
  });
});
