/** Start, run and shutdown of the playground. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import { type Logger, createLogger, logFile, logUnhandledRejections } from '@rhizome/log';
import { freePort, type OpenedMongo, openMongo } from '@rhizome/mongo';
import { hasStoreElsewhere } from './config.js';
import { endOf } from './processes/child-process.js';
import { type FileServiceOptions, filesFolder, type RunningFileService } from './services/file-service.js';
import { type DataFolder, ownDataFolder } from './data-folder.js';
import { Shutdown } from './shutdown.js';
import type { PlaygroundOptions } from './options.js';
import type { Pilots } from './pilots.js';
import { assertPortFree } from './port.js';
import { root } from './root.js';
import { type PlaygroundFile, removePlaygroundFile, writePlaygroundFile } from './playground-file.js';
import { showProgress } from './progress.js';
import type { Identities } from './stack/identities.js';
import type { RunningStack } from './stack/stack.js';
import { welcome } from './welcome.js';

/** Time that pilots may drain at the end, in milliseconds; the whole shutdown takes at most 5 s. */
const pilotGraceMs = 1_500;
/** Time that the file service gets to end, in milliseconds: no pilot runs then. */
const fileServiceGraceMs = 500;
/** Time limit of the ordered shutdown, in milliseconds; what is left ends with this process. */
const endWithinMs = 4_500;

/** Options and callbacks of the process. */
export interface PlaygroundWorld {
  readonly options: PlaygroundOptions;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Seconds since the command. */
  readonly since: () => number;
  /** Called once everything runs, with what a development loop controls. */
  readonly onRunning?: (running: RunningPlayground) => void;
  /** Called when a service ends unexpectedly; by default that ends the playground. */
  readonly onServiceFailure?: (error: Error) => void;
}

/** Parts of a running playground that a development loop controls. */
export interface RunningPlayground {
  readonly client: ApiClient;
  readonly stack: RunningStack;
  /** Stops the pilots and starts them again with the program as it is built now. */
  restartPilots(): Promise<void>;
}

/**
 * Runs the playground until its tour is over (`--once`) or the signal is aborted. Everything it started has
 * ended by then, or ends with this process.
 * @returns the exit code
 * @throws if it cannot start, or if a part of it ends unexpectedly
 */
export async function runPlayground(world: PlaygroundWorld): Promise<number> {
  const { data, port, reset } = world.options;
  const folder = ownDataFolder(data);
  try {
    await assertPortFree(port);
    if (reset) forget(folder);
    return await runOn(world);
  } finally {
    folder.release();
  }
}

function forget(folder: DataFolder): void {
  if (hasStoreElsewhere()) {
    const expected =
      'no --reset together with MONGODB_URI: the playground does not delete the data of an external store';
    throw new DomainError('CONFIG_INVALID', `reset: must be ${expected}`, {
      field: 'reset',
      expected,
    });
  }
  folder.reset();
}

async function runOn(world: PlaygroundWorld): Promise<number> {
  const shutdown = new Shutdown();
  const destination = logFile(join(world.options.data, 'playground.log'));
  const log = createLogger({ name: 'playground', destination });
  logUnhandledRejections(log);
  try {
    return await new Playground(world, log, shutdown).run();
  } catch (error) {
    log.error({ err: error }, 'playground failed');
    throw error;
  } finally {
    await Promise.race([shutdown.run(log), delay(endWithinMs)]);
  }
}

/** Results of a successful start. */
interface Started {
  readonly client: ApiClient;
  readonly file: PlaygroundFile;
  /** Reason why payloads are not isolated; undefined if they are. */
  readonly isolationFault: string | undefined;
}

class Playground {
  readonly #world: PlaygroundWorld;
  readonly #log: Logger;
  readonly #shutdown: Shutdown;
  /** Aborted, with the reason, when a part of the playground ended unexpectedly. */
  readonly #failure = new AbortController();
  #pilots: Pilots | undefined;

  constructor(world: PlaygroundWorld, log: Logger, shutdown: Shutdown) {
    this.#world = world;
    this.#log = log;
    this.#shutdown = shutdown;
  }

  async run(): Promise<number> {
    const { options, since } = this.#world;
    const started = await this.#unlessEnded(this.#start());
    if (!started) return options.once ? 1 : 0;
    const { client, file, isolationFault } = started;
    console.log(welcome(file, { seconds: since(), options, isolationFault }));
    const went = options.tour ? await this.#unlessEnded(this.#tour(client)) : undefined;
    if (options.once) return went === true ? 0 : 1;
    if (went !== undefined) console.log('The playground keeps running until Ctrl-C.');
    await this.#unlessEnded(new Promise<never>(() => undefined));
    return 0;
  }

  async #tour(client: ApiClient): Promise<boolean> {
    const { since, signal, options } = this.#world;
    const { createBoard, runTour } = await import('./tour/index.js');
    const display = createBoard({ stream: process.stdout }, since);
    const folders = { store: join(options.data, 'store'), files: filesFolder(options.data) };
    const { ok, problems } = await runTour({
      ...{ client, display, folders, since, signal },
      gpus: options.gpus,
    });
    for (const problem of problems) console.log(`problem: ${problem}`);
    console.log(ok ? '\nThe tour is over; everything went well.' : '\nThe tour failed.');
    return ok;
  }

  /** Waits for the work, or until Ctrl-C (then undefined). @throws if a part of the playground has ended */
  async #unlessEnded<T>(work: Promise<T>): Promise<T | undefined> {
    const { signal } = this.#world;
    work.catch(() => undefined);
    const stopped = aborted(signal).then(() => undefined);
    const failed = aborted(this.#failure.signal).then(() => {
      throw this.#failure.signal.reason as Error;
    });
    failed.catch(() => undefined);
    return Promise.race([stopped, failed, work]);
  }

  async #start(): Promise<Started> {
    const { data, transport, port: wanted } = this.#world.options;
    const log = this.#log;
    // The store starts in its own process; meanwhile the modules are loaded, which is most of the work here.
    const opening = this.#openStore();
    // Rejections are handled where the promise is awaited, which is later.
    opening.catch(() => undefined);
    const system = await import('./deferred-imports.js');
    const { createClient, discoverSubgraphs, openIdentities, seedExperiments, seedQueue, seedStorage } =
      system;
    const port = wanted === 0 ? await freePort() : wanted;
    const filesPort = await freePort();
    const serving = this.#startFileService({ port: filesPort, origins: originsAt(port) });
    serving.catch(() => undefined);
    const isolation = this.#tryIsolation();
    isolation.catch(() => undefined);
    const identities = await openIdentities(data);
    const subgraphs = discoverSubgraphs(root);
    const uris = opening.then((mongo) => mongo.users(system.databasesOf(subgraphs)));
    const store = uris.then(system.storeAddresses);
    store.catch(() => undefined);
    const startStack = await system.startStackOf(transport);
    const onFailure = this.#world.onServiceFailure ?? ((error: Error) => this.#failure.abort(error));
    const stack = await startStack({
      ...{ store, identities, subgraphs, port, data, log, onFailure },
      fileOrigins: originsAt(filesPort),
    });
    this.#shutdown.add('the stack', () => stack.stop());
    const token = await identities.newcomer();
    const client = createClient({ url: stack.url, wsUrl: stack.wsUrl, token });
    this.#shutdown.add('the client', () => client.close());
    const manifests = subgraphs.flatMap(({ manifest }) => (manifest ? [manifest] : []));
    const files = await serving;
    await Promise.all([seedQueue(client), seedStorage(client, files.url)]);
    const starting = this.#enrolPilots(client, stack).then(() => this.#startPilots(client));
    const [pids] = await Promise.all([starting, seedExperiments(client, manifests)]);
    const file = await this.#writeFile(stack, identities, token, { files: files.pid, ...pids });
    this.#world.onRunning?.({
      client,
      stack,
      restartPilots: async () => {
        await this.#pilots?.stop(pilotGraceMs);
        await this.#startPilots(client);
      },
    });
    return { client, file, isolationFault: await isolation };
  }

  async #openStore(): Promise<OpenedMongo> {
    const mongo = await openMongo({
      dataDir: join(this.#world.options.data, 'mongo'),
      log: this.#log,
      onProgress: showProgress(process.stdout),
      onUnexpectedExit: (reason) => this.#failure.abort(new Error(reason)),
    });
    this.#shutdown.add('mongod', () => mongo.stop());
    return mongo;
  }

  async #startFileService(options: FileServiceOptions): Promise<RunningFileService> {
    const { startFileService } = await import('./deferred-imports.js');
    const service = await startFileService(this.#world.options.data, options);
    this.#shutdown.add('the file service', () => service.stop(fileServiceGraceMs));
    void service.exited.then(() => {
      if (!service.isAsked) this.#failure.abort(new Error(endOf(service)));
    });
    return service;
  }

  /** Reason why payloads are not isolated here; undefined if they are, or if there are no pilots. */
  async #tryIsolation(): Promise<string | undefined> {
    const { data, pilots } = this.#world.options;
    if (pilots === 0) return undefined;
    const { isolationFault } = await import('./deferred-imports.js');
    return isolationFault(join(data, 'pilots'));
  }

  async #enrolPilots(client: ApiClient, { url }: RunningStack): Promise<void> {
    const { enrolPilots, invitePilots } = await import('./deferred-imports.js');
    const { data, pilots: count } = this.#world.options;
    if (count > 0) await enrolPilots({ url, data, count, code: await invitePilots(client, count) });
  }

  async #startPilots(client: ApiClient): Promise<Record<string, number>> {
    const { startPilots } = await import('./deferred-imports.js');
    const { data, pilots: count, gpus, gpuFiles, readableFolder: readableFolders } = this.#world.options;
    const pilots = startPilots({
      data,
      count,
      devices: { gpus, gpuFiles },
      readableFolders,
      client,
      say: (text) => console.log(text),
    });
    if (!this.#pilots) this.#shutdown.add('the pilots', () => this.#pilots?.stop(pilotGraceMs));
    this.#pilots = pilots;
    return pilots.pids;
  }

  async #writeFile(
    stack: RunningStack,
    identities: Identities,
    token: string,
    otherPids: Record<string, number>,
  ): Promise<PlaygroundFile> {
    const { data } = this.#world.options;
    const { url, wsUrl, origin } = stack;
    const readerToken = await identities.reader();
    const pids = { playground: process.pid, ...stack.pids, ...otherPids };
    const file = {
      url,
      wsUrl,
      graphiql: `${origin}/graphiql`,
      dashboard: `${origin}/`,
      token,
      readerToken,
      mcp: `${origin}/mcp`,
      pid: process.pid,
      pids,
    };
    writePlaygroundFile(data, file, await identities.assistant(file.mcp));
    this.#shutdown.add('the playground file', () => removePlaygroundFile(data));
    return file;
  }
}

/** Origins of a service of this machine, by address and by name. */
function originsAt(port: number): readonly string[] {
  return [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
