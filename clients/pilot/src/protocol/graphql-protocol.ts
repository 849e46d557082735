import { createClient, isRhizomeApiError, type ApiClient, type TokenSource } from '@rhizome/client';
import type { WorkerCredential } from '../credential/worker-credential.js';
import type { AttemptToken } from '../secrets/attempt-token.js';
import type { DeliveredSecret } from '../secrets/delivered-secret.js';
import { secretRequest } from '../secrets/secret-request.js';
import type { LogChunk } from '../payload/output-capture.js';
import { pilotVersion } from '../version.js';
import {
  PilotAcquireJobsDocument,
  PilotAppendJobLogDocument,
  PilotDrainWorkerDocument,
  PilotFailJobsDocument,
  PilotFinishJobsDocument,
  PilotHeartbeatDocument,
  PilotNodeFilesDocument,
  PilotRedeemSecretsDocument,
  PilotRegisterWorkerDocument,
  PilotReportCheckpointsDocument,
  PilotSignJobFilesDocument,
  PilotStartJobsDocument,
  PilotWorkerCommandsDocument,
} from '../operations.generated.js';
import type { FileAddress, FilesToSign } from '../files/signed-files.types.js';
import type { NodeFile } from '../files/stored-file.types.js';
import { sorted } from './call-errors.js';
import {
  CoreRefused,
  CoreUnavailable,
  type AcquireRequest,
  type Assignment,
  type Command,
  type CoreProtocol,
  type DeviceReport,
  type CheckpointReport,
  type FailReport,
  type FinishReport,
  type HeldJob,
  type ProgressReport,
  type RegisteredWorker,
  type Registration,
  type ReportAnswer,
  type StartReport,
} from './core-protocol.js';
import {
  addressOf,
  assignmentsOf,
  checkpointsInput,
  deviceInput,
  failInput,
  finishInput,
  hardwareInput,
  heldInput,
  progressInput,
  refusedOf,
  reportInput,
  type WorkerError,
} from './mapping.js';
import { GraphqlUnits } from './graphql-units.js';
import type { UnitCalls } from './unit-calls.js';

/** Address and credentials for the gateway. */
export interface GraphqlProtocolOptions {
  /** Address of GraphQL over HTTP; the one for WebSocket follows from it. */
  readonly url: string;
  /** Called before each request: the token may be renewed while the pilot runs. */
  readonly token?: TokenSource;
  /** The enrolment of this pilot; replaces the token. */
  readonly credential?: WorkerCredential;
}

/** One quick repetition, which also picks up a renewed token; the caller decides about further ones. */
const retry = { attempts: 1, initialDelayMs: 20, maxDelayMs: 100 };
const responseTimeoutMs = 30_000;
/** The name for the statistics of the gateway, and for its manifest of operations. */
const clientName = { name: 'rhizome-pilot', version: pilotVersion };
/** Frequent calls use the socket of the commands, so that a worker has one connection. */
const overSocket = true;
/** Heartbeats show more often that the gateway is there. */
const pingEveryMs = 60_000;
/** Reconnect soon after a gateway is back, because commands are urgent. */
const reconnect = { initialDelayMs: 100, maxDelayMs: 3000 };

/** Core, through the gateway's GraphQL API. */
export class GraphqlProtocol implements CoreProtocol {
  readonly #client: ApiClient;
  readonly #url: string;
  readonly #credential: WorkerCredential | undefined;

  constructor({ url, token, credential }: GraphqlProtocolOptions) {
    this.#credential = credential;
    this.#url = url;
    const source = credential ? (expired: boolean) => credential.token(expired) : (token ?? '');
    const common = { url, retry, reconnect, pingEveryMs, timeoutMs: responseTimeoutMs, client: clientName };
    const { key, certificate } = credential?.holder ?? { key: null, certificate: null };
    this.#client = createClient({
      ...common,
      token: source,
      proofKey: key ?? undefined,
      certificate: certificate ?? undefined,
    });
  }

  async registerWorker(registration: Registration, signal: AbortSignal): Promise<RegisteredWorker> {
    const { queue, name, facts, devices, labels, endsAt, batchJobId, version } = registration;
    const { jobs, idempotencyKey } = registration;
    const input = {
      queue,
      name,
      host: facts.host,
      hardware: hardwareInput(facts),
      devices: devices.map(deviceInput),
      labels: [...labels],
      endsAt: endsAt?.toISOString() ?? null,
      // A core of an earlier version does not know the field.
      ...(batchJobId === null ? {} : { batchJobId }),
      version,
      jobs: jobs.map(heldInput),
      idempotencyKey,
    };
    const { registerWorker } = await this.#answered(
      signal,
      async () => {
        await this.#credential?.startWorker(idempotencyKey);
        return this.#client.mutate(PilotRegisterWorkerDocument, { input }, { idempotent: true, signal });
      },
      // Jobs are not given up because their pilot's token has expired.
      jobs.length === 0,
    );
    const { worker, heartbeatSeconds, leaseSeconds, commands, userErrors } = registerWorker;
    const { maxNoticeSeconds, logIntervalMs } = registerWorker;
    throwFirst(userErrors);
    const hasTimes = heartbeatSeconds !== null && leaseSeconds !== null;
    if (worker === null || !hasTimes || maxNoticeSeconds === null || logIntervalMs === null)
      throw new CoreUnavailable('The response to the registration is incomplete');
    const workerId = worker.id;
    return { workerId, heartbeatSeconds, leaseSeconds, maxNoticeSeconds, logIntervalMs, commands };
  }

  async heartbeat(
    workerId: string,
    jobs: readonly HeldJob[],
    report: DeviceReport | null,
    progress: readonly ProgressReport[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<readonly Command[]> {
    const input = {
      workerId,
      jobs: jobs.map(heldInput),
      ...reportInput(report),
      ...(progress.length === 0 ? {} : { progress: progress.map(progressInput) }),
    };
    const { heartbeat } = await this.#answered(signal, () =>
      this.#client.mutate(
        PilotHeartbeatDocument,
        { input },
        { overSocket, idempotent: true, signal, timeoutMs },
      ),
    );
    throwFirst(heartbeat.userErrors);
    return heartbeat.commands;
  }

  async acquireJobs(request: AcquireRequest, signal: AbortSignal): Promise<readonly Assignment[]> {
    const { cores, memoryMiB, diskMiB } = request.free;
    const freeDeviceIds = [...request.freeDeviceIds];
    const input = { ...request, freeDeviceIds, free: { cores, memoryMiB, diskMiB } };
    const timeoutMs = responseTimeoutMs + request.waitSeconds * 1000;
    // Not repeated: each call that arrives is given other jobs.
    const { acquireJobs } = await this.#answered(signal, () =>
      this.#client.mutate(
        PilotAcquireJobsDocument,
        { input },
        { overSocket, idempotent: false, signal, timeoutMs },
      ),
    );
    throwFirst(acquireJobs.userErrors);
    return assignmentsOf(acquireJobs.assignments);
  }

  async startJobs(
    workerId: string,
    reports: readonly StartReport[],
    signal: AbortSignal,
  ): Promise<ReportAnswer> {
    const jobs = reports.map(({ jobId: id, ...report }) => ({ id, ...report }));
    const { startJobs } = await this.#answered(signal, () =>
      this.#client.mutate(
        PilotStartJobsDocument,
        { input: { workerId, jobs } },
        { overSocket, idempotent: true, signal },
      ),
    );
    return refusedOf(reports, startJobs);
  }

  async finishJobs(
    workerId: string,
    reports: readonly FinishReport[],
    signal: AbortSignal,
  ): Promise<ReportAnswer> {
    const input = { workerId, jobs: reports.map(finishInput) };
    const { finishJobs } = await this.#answered(signal, () =>
      this.#client.mutate(PilotFinishJobsDocument, { input }, { overSocket, idempotent: true, signal }),
    );
    return refusedOf(reports, finishJobs);
  }

  async failJobs(
    workerId: string,
    reports: readonly FailReport[],
    signal: AbortSignal,
  ): Promise<ReportAnswer> {
    const input = { workerId, jobs: reports.map(failInput) };
    const { failJobs } = await this.#answered(signal, () =>
      this.#client.mutate(PilotFailJobsDocument, { input }, { overSocket, idempotent: true, signal }),
    );
    return refusedOf(reports, failJobs);
  }

  async reportCheckpoints(
    workerId: string,
    reports: readonly CheckpointReport[],
    signal: AbortSignal,
  ): Promise<ReportAnswer> {
    const input = { workerId, jobs: reports.map(checkpointsInput) };
    const { reportCheckpoints } = await this.#answered(signal, () =>
      this.#client.mutate(
        PilotReportCheckpointsDocument,
        { input },
        { overSocket, idempotent: true, signal },
      ),
    );
    return refusedOf(reports, reportCheckpoints);
  }

  async appendJobLog(
    workerId: string,
    { jobId, fence }: HeldJob,
    chunks: readonly LogChunk[],
    signal: AbortSignal,
  ): Promise<void> {
    const input = {
      workerId,
      jobId,
      fence,
      chunks: chunks.map((chunk) => ({ ...chunk, at: chunk.at.toISOString() })),
    };
    const { appendJobLog } = await this.#answered(signal, () =>
      this.#client.mutate(PilotAppendJobLogDocument, { input }, { idempotent: true, signal }),
    );
    throwFirst(appendJobLog.userErrors);
  }

  async redeemSecrets(
    workerId: string,
    { jobId, fence }: HeldJob,
    secretIds: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly DeliveredSecret[]> {
    const { key } = this.#credential?.holder ?? { key: null };
    if (!key) throw new CoreRefused('CREDENTIAL_REQUIRED', credentialMissing);
    const { request, open } = await secretRequest({ workerId, jobId, fence }, key);
    const input = { workerId, jobId, fence, secretIds: [...secretIds], request };
    const { redeemSecrets } = await this.#answered(signal, () =>
      this.#client.mutate(PilotRedeemSecretsDocument, { input }, { idempotent: true, signal }),
    );
    throwFirst(redeemSecrets.userErrors);
    return open(redeemSecrets.sealed ?? '');
  }

  async signJobFiles(
    workerId: string,
    { jobId, fence }: HeldJob,
    { reads, writes }: FilesToSign,
    signal: AbortSignal,
  ): Promise<readonly FileAddress[]> {
    const input = { workerId, jobId, fence, reads: [...reads], writes: [...writes] };
    const { signJobFiles } = await this.#answered(signal, () =>
      this.#client.mutate(PilotSignJobFilesDocument, { input }, { idempotent: true, signal }),
    );
    throwFirst(signJobFiles.userErrors);
    return signJobFiles.files.map(addressOf);
  }

  async nodeFiles({ jobId: id }: HeldJob, signal: AbortSignal): Promise<readonly NodeFile[]> {
    const files: NodeFile[] = [];
    for (let after: string | null = null; ;) {
      const { job } = await this.#answered(signal, () =>
        this.#client.query(PilotNodeFilesDocument, { id, after }, { signal }),
      );
      if (!job) throw new CoreRefused('JOB_NOT_FOUND', `Job "${id}" not found.`);
      files.push(...job.nodeFiles.nodes);
      const { hasNextPage, endCursor } = job.nodeFiles.pageInfo;
      if (!hasNextPage) return files;
      after = endCursor;
    }
  }

  async attemptToken(job: HeldJob, signal: AbortSignal): Promise<AttemptToken> {
    const credential = this.#credential;
    if (!credential?.holder.key) throw new CoreRefused('CREDENTIAL_REQUIRED', credentialMissing);
    return this.#answered(signal, () => credential.attemptToken(job));
  }

  unitCalls(token: () => string): UnitCalls {
    return new GraphqlUnits({ url: this.#url, token, client: clientName });
  }

  async drainWorker(workerId: string, reason: string, hasEnded: boolean, signal: AbortSignal): Promise<void> {
    const input = { workerId, reason, hasEnded };
    const { drainWorker } = await this.#answered(signal, () =>
      this.#client.mutate(PilotDrainWorkerDocument, { input }, { idempotent: true, signal }),
    );
    throwFirst(drainWorker.userErrors);
  }

  async *workerCommands(workerId: string, signal: AbortSignal): AsyncIterable<readonly Command[]> {
    const stream = this.#client.subscribe(PilotWorkerCommandsDocument, { workerId }, { signal });
    for (;;) {
      const item = await this.#answered(signal, () => stream.next());
      if (item.done) return;
      yield item.value.workerCommands.commands;
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  /** Runs a call and sorts its errors into refused and unavailable. */
  async #answered<T>(signal: AbortSignal, call: () => Promise<T>, isTokenFinal = false): Promise<T> {
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (this.#credential && isRhizomeApiError(error) && error.code === 'TOKEN_REVOKED')
        throw await this.#afterRevocation(error, this.#credential);
      throw sorted(error, isTokenFinal);
    }
  }

  /** A credential that was revoked is replaced while its enrolment lasts; otherwise this worker is over. */
  async #afterRevocation({ message }: Error, credential: WorkerCredential): Promise<Error> {
    try {
      await credential.afterRevocation();
      return new CoreUnavailable(message);
    } catch (error) {
      return sorted(error, false);
    }
  }
}

const credentialMissing = 'The pilot has no key of its own; enrol it with one';

function throwFirst([first]: readonly WorkerError[]): void {
  if (first !== undefined) throw new CoreRefused(first.code, first.message);
}
