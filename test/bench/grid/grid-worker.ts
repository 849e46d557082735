/** A worker of the generator: it does what a pilot does, except for running payloads. */
import { createProofKey, type ProofKey } from '@rhizome/client';
import {
  enrol,
  PilotAcquireJobsDocument,
  PilotFinishJobsDocument,
  PilotHeartbeatDocument,
  PilotRegisterWorkerDocument,
  PilotStartJobsDocument,
  PilotWorkerCommandsDocument,
  renew,
} from '@rhizome/pilot';
import { Backoff, sleep } from '@rhizome/retry';
import { print } from 'graphql';
import { WorkerSocket } from './worker-socket.js';

/** Properties that the workers of a generator share. */
export interface WorkerWorld {
  /** Address of the gateway for HTTP. */
  readonly url: string;
  readonly queue: string;
  /** Jobs that a worker runs at once. */
  readonly capacity: number;
  /** Records an error, and that the worker goes on. */
  readonly failed: (error: unknown) => void;
}

/** Identity of one worker. */
export interface WorkerSeed {
  readonly name: string;
  /** Code of an invitation. */
  readonly code: string;
  readonly localAddress: string;
}

interface HeldJob {
  readonly id: string;
  readonly fence: number;
}

interface UserErrors {
  readonly userErrors: readonly { readonly message: string }[];
}

const register = print(PilotRegisterWorkerDocument);
const heartbeat = print(PilotHeartbeatDocument);
const acquire = print(PilotAcquireJobsDocument);
const start = print(PilotStartJobsDocument);
const finish = print(PilotFinishJobsDocument);
const commands = print(PilotWorkerCommandsDocument);

/** As the client library of the pilot waits before it connects again. */
const reconnect = { initialDelayMs: 100, maxDelayMs: 3000 };
const memoryOfJob = 100;
const diskOfJob = 10;

/** One worker. */
export class GridWorker {
  readonly #world: WorkerWorld;
  readonly #seed: WorkerSeed;
  readonly #key: ProofKey;
  readonly #enrolmentId: string;
  readonly #backoff = new Backoff(reconnect);
  #token: string;
  #socket: WorkerSocket | undefined;
  #id = '';
  #jobs: HeldJob[] = [];
  #isBusy = false;
  #isClosed = false;
  /** True while the stream of commands is open. */
  isFollowing = false;
  /** Time of the latest heartbeat that was answered, on the clock of `performance.now()`. */
  beatAt = -Infinity;
  /** Time of the next renewal of the credential, on the same clock. */
  renewAt = Infinity;

  private constructor(
    world: WorkerWorld,
    seed: WorkerSeed,
    credential: { readonly key: ProofKey; readonly enrolmentId: string; readonly token: string },
  ) {
    this.#world = world;
    this.#seed = seed;
    this.#key = credential.key;
    this.#enrolmentId = credential.enrolmentId;
    this.#token = credential.token;
  }

  /** Enrols, connects and registers a worker, and lets it run its jobs. */
  static async start(world: WorkerWorld, seed: WorkerSeed): Promise<GridWorker> {
    const key = createProofKey();
    const { queue, url } = world;
    const form = { queue, host: seed.name, code: seed.code };
    const { token } = await enrol(url, { key, certificate: null }, form);
    if (!token) throw new Error(`worker ${seed.name} is not enrolled`);
    const worker = new GridWorker(world, seed, { key, ...token });
    // A credential is renewed at half of its life; workers of a grid are at any point of it.
    worker.renewAt = performance.now() + (Math.random() * token.expiresInSeconds * 1000) / 2;
    await worker.#connect();
    await worker.#register();
    await worker.#fill(true);
    worker.#follow();
    return worker;
  }

  /** Number of jobs that it runs. */
  get running(): number {
    return this.#jobs.length;
  }

  /** Makes a heartbeat. @returns true if it was answered */
  async heartbeat(): Promise<boolean> {
    try {
      const input = { workerId: this.#id, jobs: this.#jobs };
      const answer = await this.#call<{ heartbeat: UserErrors }>(heartbeat, input);
      throwFirst(answer.heartbeat);
      this.beatAt = performance.now();
      return true;
    } catch (error) {
      this.#world.failed(error);
      return false;
    }
  }

  /** Ends a job, if it has one, and runs the next one. @returns true if there was one */
  async next(): Promise<boolean> {
    if (this.#isBusy) return false;
    this.#isBusy = true;
    try {
      const [job] = this.#jobs;
      if (job) await this.#finish(job);
      await this.#fill(false);
      return this.#jobs.length > 0;
    } catch (error) {
      this.#world.failed(error);
      return false;
    } finally {
      this.#isBusy = false;
    }
  }

  /** Renews the credential, and the socket with it. */
  async renew(): Promise<void> {
    this.renewAt = Infinity;
    const holder = { key: this.#key, certificate: null };
    try {
      const { token } = await renew(this.#world.url, holder, this.#enrolmentId, false);
      if (!token) throw new Error('the credential was not renewed');
      this.#token = token.token;
      this.renewAt = performance.now() + (token.expiresInSeconds * 1000) / 2;
      await this.#socket?.renew(token.token);
    } catch (error) {
      this.#world.failed(error);
      this.renewAt = Math.min(this.renewAt, performance.now() + 5000);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }

  async #connect(): Promise<void> {
    this.#socket = await WorkerSocket.open({
      url: this.#world.url.replace(/^http/, 'ws'),
      localAddress: this.#seed.localAddress,
      key: this.#key,
      token: this.#token,
      onStream: (payload) => (payload ? this.#followed() : void this.#followAgain()),
      onClose: () => void this.#connectAgain(),
    });
  }

  async #register(): Promise<void> {
    const { capacity, queue } = this.#world;
    const { name } = this.#seed;
    const resources = { cores: capacity, memoryMiB: capacity * memoryOfJob, diskMiB: capacity * diskOfJob };
    const answer = await this.#call<{
      registerWorker: { readonly worker: { readonly id: string } | null } & UserErrors;
    }>(register, {
      ...{ queue, name, host: name, version: 'bench', idempotencyKey: name },
      hardware: { architecture: 'x86_64', ...resources },
    });
    throwFirst(answer.registerWorker);
    this.#id = answer.registerWorker.worker?.id ?? '';
  }

  async #finish(job: HeldJob): Promise<void> {
    const input = { workerId: this.#id, jobs: [job] };
    const { finishJobs } = await this.#call<{ finishJobs: UserErrors }>(finish, input);
    // A repeated report is refused because the job has ended: then it is over, too.
    this.#jobs = this.#jobs.filter(({ id }) => id !== job.id);
    throwFirst(finishJobs);
  }

  /** Asks for jobs for its free cores, and starts them. @param isAll repeats that until it is full */
  async #fill(isAll: boolean): Promise<void> {
    do {
      const count = this.#world.capacity - this.#jobs.length;
      const free = { cores: count, memoryMiB: count * memoryOfJob, diskMiB: count * diskOfJob };
      const waitSeconds = this.#jobs.length === 0 ? 10 : 0;
      const { acquireJobs } = await this.#call<{
        acquireJobs: {
          readonly assignments: readonly { readonly job: { readonly id: string }; readonly fence: number }[];
        } & UserErrors;
      }>(acquire, { workerId: this.#id, count, free, waitSeconds });
      throwFirst(acquireJobs);
      const jobs = acquireJobs.assignments.map(({ job, fence }) => ({ id: job.id, fence }));
      if (jobs.length === 0) continue;
      this.#jobs = [...this.#jobs, ...jobs];
      const started = jobs.map((job) => ({ ...job, phase: 'RUNNING' }));
      const { startJobs } = await this.#call<{ startJobs: UserErrors }>(start, {
        workerId: this.#id,
        jobs: started,
      });
      throwFirst(startJobs);
    } while (isAll && this.#jobs.length < this.#world.capacity);
  }

  async #call<T>(query: string, input: object): Promise<T> {
    if (!this.#socket) throw new Error('the socket has closed');
    return this.#socket.call<T>(query, { input });
  }

  /** A stream begins with the commands that apply already. */
  #followed(): void {
    this.isFollowing = true;
    this.#backoff.reset();
  }

  #follow(): void {
    this.#socket?.follow(commands, { workerId: this.#id });
  }

  /** A stream that has ended is opened again, and a heartbeat brings what it missed. */
  async #followAgain(): Promise<void> {
    this.isFollowing = false;
    await sleep(this.#backoff.next());
    if (this.#isClosed || !this.#socket) return;
    this.#follow();
    await this.heartbeat();
  }

  async #connectAgain(): Promise<void> {
    this.isFollowing = false;
    this.#socket = undefined;
    while (!this.#isClosed && !this.#socket) {
      await sleep(this.#backoff.next());
      await this.#connect().catch(this.#world.failed);
    }
    this.#follow();
    await this.heartbeat();
  }
}

function throwFirst({ userErrors: [first] }: UserErrors): void {
  if (first) throw new Error(first.message);
}
