import { createServer, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { answersCountFor, brokenPromises, leftovers, recordedAnswers } from '@rhizome/testkit';
import { type Api, apiOf } from './api.js';
import { type IdentitySystem, prepareWork, startIdentitySystem } from './identity-system.js';
import { temporaryFolder } from './temporary-folder.js';

let system: IdentitySystem;
let api: Api;

beforeAll(async () => {
  system = await startIdentitySystem({ folder: await temporaryFolder('recorded') });
  api = apiOf(system.url, system.admin);
  await prepareWork(api);
});

const job = { name: 'a job', payload: { command: 'true' } };
const input = { experiment: 'alpha', idempotencyKey: 'one', jobs: [job, job] };
const kinds = (): readonly string[] => recordedAnswers(system.databases.core).map(({ kind }) => kind);
const broken = async (): Promise<readonly string[]> =>
  (await brokenPromises(system.databases.core)).map(({ check }) => check);

/** Cancels jobs. @returns the ids of those that the answer says are cancelled */
async function cancel(of: Api, ids: readonly string[]): Promise<readonly string[]> {
  const { result } = await of.change<{ result: { changedIds: string[] } }>(
    'cancelJobs',
    { selection: { ids } },
    'result { changedIds }',
  );
  return result.changedIds;
}

/** A gateway in front of the system that changes its answers. */
async function liar(change: (answer: string) => string): Promise<Api> {
  const forward = async (request: IncomingMessage): Promise<string> => {
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const headers = { authorization, 'content-type': type, accept: 'application/json' };
    const answer = await fetch(system.url, { method: 'POST', headers, body: await text(request) });
    return change(await answer.text());
  };
  const server = createServer((request, response) => {
    void forward(request).then((answer) =>
      response.setHeader('content-type', 'application/json').end(answer),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  leftovers.defer('a gateway that changes answers', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const url = `http://127.0.0.1:${port}/graphql`;
  answersCountFor(system.databases.core.databaseName, { url });
  return apiOf(url, system.admin);
}

describe('the history of a system', () => {
  it('has the answers that clients received, and breaks no promise', async () => {
    expect(kinds()).toEqual([]);
    const { jobs } = await api.change<{ jobs: { id: string }[] }>('submitJobs', input, 'jobs { id }');
    await api.change('submitJobs', input, 'jobs { id }');
    expect(await cancel(api, [jobs[0]?.id ?? ''])).toHaveLength(1);
    await api.change('submitJobs', { ...input, idempotencyKey: 'unread' });
    expect(kinds()).toEqual(['SUBMIT', 'SUBMIT', 'CANCEL']);
    expect(await broken()).toEqual([]);
  });

  it('shows a gateway that answers a repeated submit with other jobs', async () => {
    const turned = await liar((answer) => {
      const { data } = JSON.parse(answer) as { data: { submitJobs: { jobs: object[] } } };
      data.submitJobs.jobs.reverse();
      return JSON.stringify({ data });
    });
    await turned.change('submitJobs', input, 'jobs { id }');
    expect(await broken()).toEqual(['keys-have-one-answer']);
  });

  it('shows a gateway that acknowledges a cancel and does nothing', async () => {
    const submitted = { ...input, idempotencyKey: 'two' };
    const { jobs } = await api.change<{ jobs: { id: string }[] }>('submitJobs', submitted, 'jobs { id }');
    const id = jobs[0]?.id ?? '';
    const idle = await liar(() =>
      JSON.stringify({ data: { cancelJobs: { result: { changedIds: [id] }, userErrors: [] } } }),
    );
    expect(await cancel(idle, ['job_other'])).toEqual([id]);
    expect(await broken()).toEqual(['keys-have-one-answer', 'acknowledged-cancels-hold']);
  });
});
