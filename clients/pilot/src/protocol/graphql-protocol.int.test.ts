import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { answeringServer } from '../testing/answering-server.js';
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

const server = answeringServer();
let protocol: GraphqlProtocol;

beforeEach(() => {
  protocol = new GraphqlProtocol({ url: server.url, token: 'secret' });
});
afterEach(() => protocol.close());

describe('GraphqlProtocol', () => {
  it.each([
    [404, '<html>no route</html>'],
    [403, '<html>forbidden</html>'],
    [500, ''],
    [200, '{"status":"starting"}'],
  ])('takes a page with status %i in place of an answer for an outage', async (status, body) => {
    server.answer = { status, body };
    const name = 'CoreUnavailable';
    await expect(protocol.finishJobs('worker_1', [report], signal)).rejects.toMatchObject({ name });
    const chunk = { sequence: 0, stream: 'STDOUT', text: 'x', at: new Date(0) } as const;
    await expect(protocol.appendJobLog('worker_1', report, [chunk], signal)).rejects.toMatchObject({ name });
  });

  it('takes an error of the API that advises against a repetition for a refusal', async () => {
    server.answer = {
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
