/** The playground from its start to its end. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '@rhizome/client';
import { DomainError } from '@rhizome/errors';
import { type Logger, createLogger, logFile, surviveStrayRejections } from '@rhizome/log';
import { openMongo } from '@rhizome/mongo';
import { hasStoreElsewhere } from './config.js';
import { type DataFolder, ownDataFolder } from './data-folder.js';
import { Endings } from './endings.js';
import type { PlaygroundOptions } from './options.js';
import type { Pilots } from './pilots.js';
import { assertPortFree } from './port.js';
import { root } from './root.js';
import { type PlaygroundFile, removePlaygroundFile, writePlaygroundFile } from './playground-file.js';
import { showProgress } from './progress.js';
import type { Identities } from './stack/identities.js';
import type { RunningStack } from './stack/stack.js';
import { welcome } from './welcome.js';

/** How long pilots may drain at the end: the whole ends within 5 s. */
const pilotGraceMs = 1_500;
/** What has not ended in order by then is left to end with this process. */
const endWithinMs = 4_500;

/** What the process hands over. */
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

/** What a development loop controls in a running playground. */
export interface RunningPlayground {
  readonly client: ApiClient;
  readonly stack: RunningStack;
  /** Stops the pilots and starts them again with the program as it is built now. */
  restartPilots(): Promise<void>;
}

/**
 * Runs the playground until its tour is over (`--once`) or the signal comes. Answers the exit code; throws when it cannot
 * be started, or when a part of it ends unexpectedly. Either way everything that it started has ended, or ends with this process.
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
      'no MONGODB_URI with --reset: what lies in a store that is run elsewhere is not ours to forget';
    throw new DomainError('CONFIG_INVALID', `--reset was given; expected ${expected}`, {
      field: 'reset',
      expected,
    });
  }
  folder.reset();
}

async function runOn(world: PlaygroundWorld): Promise<number> {
  const endings = new Endings();
  const destination = logFile(join(world.options.data, 'playground.log'));
  const log = createLogger({ name: 'playground', destination });
  surviveStrayRejections(log);
  try {
    return await new Playground(world, log, endings).run();
  } catch (error) {
    log.error({ err: error }, 'the playground ends');
    throw error;
  } finally {
    await Promise.race([endings.run(log), delay(endWithinMs)]);
  }
}

/** What is there when all has started. */
interface Started {
  readonly client: ApiClient;
  readonly file: PlaygroundFile;
}

class Playground {
  readonly #world: PlaygroundWorld;
  readonly #log: Logger;
  readonly #endings: Endings;
  /** Aborted, with the reason, when a part has ended that nobody asked to end. */
  readonly #failure = new AbortController();
  #pilots: Pilots | undefined;

  constructor(world: PlaygroundWorld, log: Logger, endings: Endings) {
    this.#world = world;
    this.#log = log;
    this.#endings = endings;
  }

  async run(): Promise<number> {
    const { options, since } = this.#world;
    const started = await this.#unlessEnded(this.#start());
    if (!started) return options.once ? 1 : 0;
    const { client, file } = started;
    console.log(welcome(file, { seconds: since(), options }));
    const went = options.tour ? await this.#unlessEnded(this.#tour(client)) : undefined;
    if (options.once) return went === true ? 0 : 1;
    if (went !== undefined) console.log('The playground goes on until Ctrl-C.');
    await this.#unlessEnded(new Promise<never>(() => undefined));
    return 0;
  }

  async #tour(client: ApiClient): Promise<boolean> {
    const { since, signal, options } = this.#world;
    const { createBoard, runTour } = await import('./tour/index.js');
    const board = createBoard({ stream: process.stdout }, since);
    const store = join(options.data, 'store');
    const { ok, problems } = await runTour({ client, board, store, since, signal, gpus: options.gpus });
    for (const problem of problems) console.log(`problem: ${problem}`);
    console.log(ok ? '\nThe tour is over; everything went well.' : '\nThe tour did not go well.');
    return ok;
  }

  /** Waits for the work, but no longer than until Ctrl-C: then undefined. Throws when a part of the playground has ended. */
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
    const { data, transport, port } = this.#world.options;
    const log = this.#log;
    // The store takes its time in a process of its own; meanwhile the house is loaded, which is most of the work to do.
    const mongoUri = this.#openStore();
    // Seen by who waits for it, which is later.
    mongoUri.catch(() => undefined);
    const house = await import('./house.js');
    const { createClient, discoverSubgraphs, openIdentities, seedExperiments, seedQueue } = house;
    const identities = await openIdentities(data);
    const subgraphs = discoverSubgraphs(root);
    const startStack = await house.startStackOf(transport);
    const onFailure = this.#world.onServiceFailure ?? ((error: Error) => this.#failure.abort(error));
    const stack = await startStack({ mongoUri, identities, subgraphs, port, data, log, onFailure });
    this.#endings.add('the stack', () => stack.stop());
    const token = await identities.newcomer();
    const client = createClient({ url: stack.url, wsUrl: stack.wsUrl, token });
    this.#endings.add('the client', () => client.close());
    const manifests = subgraphs.flatMap(({ manifest }) => (manifest ? [manifest] : []));
    await seedQueue(client);
    const [pids] = await Promise.all([
      this.#startPilots(stack, identities),
      seedExperiments(client, manifests),
    ]);
    const file = await this.#writeFile(stack, identities, token, pids);
    this.#world.onRunning?.({
      client,
      stack,
      restartPilots: async () => {
        await this.#pilots?.stop(pilotGraceMs);
        await this.#startPilots(stack, identities);
      },
    });
    return { client, file };
  }

  /** Opens the store; answers its connection string. */
  async #openStore(): Promise<string> {
    const mongo = await openMongo({
      dataDir: join(this.#world.options.data, 'mongo'),
      log: this.#log,
      onProgress: showProgress(process.stdout),
      onUnexpectedExit: (reason) => this.#failure.abort(new Error(reason)),
    });
    this.#endings.add('mongod', () => mongo.stop());
    return mongo.uri;
  }

  async #startPilots(stack: RunningStack, identities: Identities): Promise<Record<string, number>> {
    const { playgroundQueue, startPilots } = await import('./house.js');
    const { data, pilots: count, gpus, gpuFiles } = this.#world.options;
    const token = await identities.pilot(playgroundQueue);
    const pilots = startPilots({
      url: stack.url,
      token,
      data,
      count,
      devices: { gpus, gpuFiles },
      say: (text) => console.log(text),
    });
    if (!this.#pilots) this.#endings.add('the pilots', () => this.#pilots?.stop(pilotGraceMs));
    this.#pilots = pilots;
    return pilots.pids;
  }

  async #writeFile(
    stack: RunningStack,
    identities: Identities,
    token: string,
    pilotPids: Record<string, number>,
  ): Promise<PlaygroundFile> {
    const { data } = this.#world.options;
    const { url, wsUrl, origin } = stack;
    const readerToken = await identities.reader();
    const pids = { playground: process.pid, ...stack.pids, ...pilotPids };
    const file = {
      url,
      wsUrl,
      graphiql: `${origin}/graphiql`,
      dashboard: `${origin}/`,
      token,
      readerToken,
      pid: process.pid,
      pids,
    };
    writePlaygroundFile(data, file);
    this.#endings.add('the playground file', () => removePlaygroundFile(data));
    return file;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
