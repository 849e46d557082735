import { buildSchema, graphql, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { DeviceUseInput, JobMetricsInput } from '../operations.generated.js';
import type { FileAddress, FilesToSign } from '../files/signed-files.types.js';
import type { ReportedDevice } from '../hardware/gpus/detected-device.js';
import type { Usage } from '../payload/usage-meter.js';
import {
  CoreRefused,
  type Assignment,
  type Command,
  type DeviceReport,
  type HeldJob,
  type ReportAnswer,
} from '../protocol/core-protocol.js';
import type { ScriptedCore } from './scripted-core.js';

/**
 * A scripted core behind the real public schema, over real HTTP and WebSocket: a pilot's requests must be
 * valid there.
 */
export interface GraphqlCore {
  readonly url: string;
  /** Invalid requests; each is an error of the pilot. */
  readonly faults: readonly string[];
  /** Number of requests that were refused because of their token. */
  readonly refusals: number;
  close(): Promise<void>;
}

const sdl = readFileSync(new URL('../../../../schema/public.graphql', import.meta.url), 'utf8');

/** Opens a port; `token` is the only accepted token, or returns it at the time of a request. */
export async function serveScriptedCore(core: ScriptedCore, token: () => string): Promise<GraphqlCore> {
  const schema = buildSchema(sdl);
  const faults: string[] = [];
  let refusals = 0;
  const rootValue = rootOf(core);
  const isAccepted = (authorization: unknown): boolean => authorization === `Bearer ${token()}`;
  const server = createServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      const { query, variables, operationName } = JSON.parse(body) as {
        query: string;
        variables: Record<string, unknown>;
        operationName: string;
      };
      const isIn = isAccepted(request.headers.authorization);
      const refusal = { errors: [{ message: strangerAnswer, extensions: { code: 'UNAUTHENTICATED' } }] };
      const answer = isIn
        ? await graphql({ schema, source: query, rootValue, variableValues: variables, operationName })
        : refusal;
      if (!isIn) refusals += 1;
      if ('errors' in answer && isIn)
        faults.push(
          ...(answer.errors ?? [])
            .map(({ message }) => message)
            .filter((text) => text !== lostAnswer && text !== awayAnswer),
        );
      if (core.mood === 'here')
        response
          .writeHead(isIn ? 200 : 401, { 'content-type': 'application/json' })
          .end(JSON.stringify(answer));
      else request.socket.destroy();
    });
  });
  const sockets = new WebSocketServer({ server, path: '/graphql' });
  const streams = useServer(
    {
      schema,
      roots: { query: rootValue, mutation: rootValue, subscription: rootValue },
      // A socket ends with its token, as at the gateway.
      onSubscribe: ({ connectionParams, extra }) => {
        if (isAccepted(connectionParams?.['authorization'])) return undefined;
        refusals += 1;
        extra.socket.close(CloseCode.Forbidden, 'UNAUTHENTICATED');
        return [new GraphQLError(strangerAnswer)];
      },
      onError: (_context, _id, _payload, errors) =>
        void faults.push(...errors.map(({ message }) => message).filter((text) => text !== strangerAnswer)),
    },
    sockets,
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    faults,
    get refusals() {
      return refusals;
    },
    async close() {
      await streams.dispose();
      sockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const strangerAnswer = 'who are you?';
const lostAnswer = 'the answer was lost';
const awayAnswer = 'nobody is at home';

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const part of request) body += String(part);
  return body;
}

interface Input<T> {
  readonly input: T;
}
type ApiReport = {
  readonly id: string;
  readonly fence: number;
  readonly metrics?: JobMetricsInput | null;
  readonly exit?: { readonly code?: number; readonly signal?: string } | null;
};

const never = new AbortController().signal;

const apiFile = ({ headers, digest, ...file }: FileAddress): object => ({
  ...{ ...file, headers: pairsOf(headers) },
  ...{ sizeBytes: digest?.sizeBytes ?? null, sha256: digest?.sha256 ?? null },
});

/** The pilots' part of the API, by the script. */
function rootOf(core: ScriptedCore): Record<string, object> {
  const held = ({ id, exit, ...rest }: ApiReport): HeldJob & Record<string, unknown> => ({
    ...rest,
    ...(exit === undefined ? {} : { exitCode: exit?.code ?? null, signal: exit?.signal ?? null }),
    jobId: id,
    usage: (rest.metrics ?? null) as Usage | null,
  });
  const report =
    (method: 'startJobs' | 'finishJobs' | 'failJobs' | 'reportCheckpoints') =>
    async (args: Input<{ workerId: string; jobs: ApiReport[] }>) => {
      const { workerId, jobs } = args.input;
      const answer: ReportAnswer = await core[method](workerId, jobs.map(held) as never);
      return batchPayload(jobs, answer);
    };
  return {
    registerWorker: async ({ input }: Input<{ queue: string } & Record<string, unknown>>) => {
      if (input.queue === 'nowhere')
        return {
          commands: [],
          userErrors: [
            {
              code: 'QUEUE_NOT_FOUND',
              message: 'Queue "nowhere" not found; create it first.',
              path: ['queue'],
            },
          ],
        };
      const jobs = (input.jobs as ApiReport[]).map(({ id, fence }) => ({ jobId: id, fence }));
      const { workerId, ...rest } = await core.registerWorker({ ...input, jobs } as never);
      return { worker: { id: workerId }, ...rest, userErrors: [] };
    },
    heartbeat: async ({
      input,
    }: Input<{ workerId: string; jobs: ApiReport[]; progress?: ApiReport[] } & ReportedDevices>) =>
      orRefused(
        async () => ({
          commands: await core.heartbeat(
            input.workerId,
            input.jobs.map(held),
            reportOf(input),
            (input.progress ?? []).map(held) as never,
          ),
        }),
        { commands: [] },
      ),
    acquireJobs: async ({ input }: Input<never>) =>
      orRefused(async () => ({ assignments: (await core.acquireJobs(input, never)).map(apiAssignment) }), {
        assignments: [],
      }),
    startJobs: report('startJobs'),
    finishJobs: report('finishJobs'),
    failJobs: report('failJobs'),
    reportCheckpoints: report('reportCheckpoints'),
    appendJobLog: async ({
      input,
    }: Input<{ workerId: string; jobId: string; fence: number; chunks: never[] }>) =>
      orRefused(async () => {
        await core.appendJobLog(input.workerId, input, input.chunks);
        return {};
      }, {}),
    signJobFiles: async ({ input }: Input<HeldJob & FilesToSign & { workerId: string }>) =>
      orRefused(
        async () => {
          const files = await core.signJobFiles(input.workerId, input, input);
          return { files: files.map(apiFile) };
        },
        { files: [] },
      ),
    job: ({ id }: { id: string }) => ({ nodeFiles: nodeFilesOf(core, id) }),
    drainWorker: async ({ input }: Input<{ workerId: string; reason: string; hasEnded: boolean }>) =>
      orRefused(async () => {
        await core.drainWorker(input.workerId, input.reason, input.hasEnded);
        return {};
      }, {}),
    workerCommands: ({ workerId }: { workerId: string }) => commandsOf(core, workerId),
  };
}

/** Pages of the files that a job reads from other nodes. */
function nodeFilesOf(core: ScriptedCore, jobId: string) {
  return async ({ first, after }: { first: number; after: string | null }) => {
    const files = await core.nodeFiles({ jobId });
    const end = Number(after ?? 0) + first;
    const pageInfo = { hasNextPage: end < files.length, endCursor: String(end) };
    return { nodes: files.slice(Number(after ?? 0), end), pageInfo };
  };
}

function pairsOf(headers: Readonly<Record<string, string>>): readonly object[] {
  return Object.entries(headers).map(([name, value]) => ({ name, value }));
}

interface ReportedDevices {
  readonly devices?: readonly ReportedDevice[] | null;
  readonly deviceUse?: readonly DeviceUseInput[] | null;
}

function reportOf({ devices, deviceUse }: ReportedDevices): DeviceReport | null {
  if (devices) return { devices, isUseOnly: false };
  return deviceUse
    ? { devices: deviceUse as readonly unknown[] as readonly ReportedDevice[], isUseOnly: true }
    : null;
}

async function orRefused<T extends object>(act: () => Promise<T>, otherwise: object): Promise<object> {
  try {
    return { ...(await act()), userErrors: [] };
  } catch (error) {
    if (!(error instanceof CoreRefused)) throw error;
    return { ...otherwise, userErrors: [{ code: error.code, message: error.message, path: ['workerId'] }] };
  }
}

function batchPayload(jobs: readonly ApiReport[], { refused }: ReportAnswer): object {
  const userErrors = jobs.flatMap(({ id }, index) => {
    const refusal = refused.get(id);
    return refusal === undefined ? [] : [{ ...refusal, path: ['jobs', String(index), 'fence'] }];
  });
  return {
    acceptedIds: jobs.map(({ id }) => id).filter((id) => !refused.has(id)),
    retriedIds: [],
    userErrors,
  };
}

function apiAssignment({
  jobId,
  fence,
  attempt,
  attemptId,
  name,
  requirements,
  payload,
  parents,
  deviceIds,
  continueSeconds,
  checkpoints,
}: Assignment): object {
  const { secretIds, readsNodes, ...rest } = payload;
  const secrets = secretIds.map((secretId) => ({ secretId }));
  const apiPayload = {
    keepOnFailure: [],
    ...rest,
    inputs: rest.inputs.map((input) => ({ otherLocations: [], checksums: [], ...input })),
    ...{ secrets, nodeInputs: readsNodes === true ? [{ as: 'x' }] : [] },
  };
  const dependsOn = parents.map((parent) => ({ id: parent.jobId, outputs: parent.outputs }));
  return {
    fence,
    attempt,
    attemptId,
    continueSeconds,
    deviceIds,
    checkpoints,
    job: { id: jobId, name, requirements: { ...requirements, gpu: null }, payload: apiPayload, dependsOn },
  };
}

async function* commandsOf(
  core: ScriptedCore,
  workerId: string,
): AsyncGenerator<{ workerCommands: { sequence: number; commands: readonly Command[] } }> {
  const gone = new AbortController();
  let sequence = 0;
  try {
    for await (const commands of core.workerCommands(workerId, gone.signal)) {
      yield { workerCommands: { sequence, commands } };
      sequence += 1;
    }
  } finally {
    gone.abort();
  }
}
