/** The playground from its start to its end. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@rhizome/client';
import { type Logger, createLogger, logFile } from '@rhizome/log';
import { openMongo, progressLine } from '@rhizome/mongo';
import { type ExperimentManifest, discoverSubgraphs } from '@rhizome/schema';
import type { PlaygroundOptions } from './options.js';
import { startPilots } from './pilots.js';
import { removePlaygroundFile, writePlaygroundFile } from './playground-file.js';
import { seed } from './seed.js';
import { openIdentities } from './stack/identities.js';
import { startInProcess } from './stack/in-process.js';
import { startOverHttp } from './stack/over-http.js';
import { createBoard } from './tour/board.js';
import { runTour } from './tour/tour.js';
import { welcome } from './welcome.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
/** How long pilots may drain at the end: the whole ends within 5 s. */
const pilotGraceMs = 1_500;

/** What the process hands over. */
export interface PlaygroundWorld {
  readonly options: PlaygroundOptions;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  /** Seconds since the command began. */
  readonly since: () => number;
}

/** Things to end, newest first. */
class Endings {
  readonly #endings: { readonly what: string; end(): Promise<void> | void }[] = [];

  add(what: string, end: () => Promise<void> | void): void {
    this.#endings.unshift({ what, end });
  }

  /** Ends all, also when one fails. */
  async run(log: Logger): Promise<void> {
    for (const { what, end } of this.#endings) {
      try {
        await end();
      } catch (error) {
        log.error({ err: error }, `ending ${what} failed`);
      }
    }
  }
}

/** Runs the playground until its tour is over (`--once`) or the signal comes. Answers the exit code. */
export async function runPlayground({ options, signal, since }: PlaygroundWorld): Promise<number> {
  const { data } = options;
  if (options.reset)
    for (const part of ['mongo', 'pilots', 'store', 'playground.json'])
      rmSync(join(data, part), { recursive: true, force: true });
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const log = createLogger({ name: 'playground', destination: logFile(join(data, 'playground.log')) });
  const endings = new Endings();
  try {
    return await start({ options, signal, since }, log, endings);
  } finally {
    await endings.run(log);
  }
}

async function start(
  { options, signal, since }: PlaygroundWorld,
  log: Logger,
  endings: Endings,
): Promise<number> {
  const { data } = options;
  const mongo = await openMongo({
    dataDir: join(data, 'mongo'),
    log,
    onProgress: (progress) => console.log(progressLine(progress)),
  });
  endings.add('mongod', () => mongo.stop());
  if (signal.aborted) return 0;
  const identities = await openIdentities(data);
  const subgraphs = discoverSubgraphs(root);
  const startStack = options.transport === 'http' ? startOverHttp : startInProcess;
  const stack = await startStack({
    mongoUri: mongo.uri,
    identities,
    subgraphs,
    port: options.port,
    data,
    log,
  });
  endings.add('the stack', () => stack.stop());
  const token = await identities.newcomer();
  const client = createClient({ url: stack.url, wsUrl: stack.wsUrl, token });
  endings.add('the client', () => client.close());
  await seed(
    client,
    subgraphs.flatMap(({ manifest }): readonly ExperimentManifest[] => (manifest ? [manifest] : [])),
  );
  const pilots = startPilots({
    url: stack.url,
    token: await identities.pilot('playground'),
    data,
    count: options.pilots,
  });
  endings.add('the pilots', () => pilots.stop(pilotGraceMs));
  const file = {
    url: stack.url,
    wsUrl: stack.wsUrl,
    graphiql: `${stack.origin}/graphiql`,
    token,
    readerToken: await identities.reader(),
    pid: process.pid,
  };
  writePlaygroundFile(data, file);
  endings.add('the playground file', () => removePlaygroundFile(data));
  console.log(welcome(file, { seconds: since(), pilots: options.pilots, transport: options.transport }));
  if (!options.tour) {
    await untilAborted(signal);
    return 0;
  }
  const result = await runTour({
    client,
    board: createBoard({ stream: process.stdout }, since),
    since,
    signal,
  });
  for (const problem of result.problems) console.log(`problem: ${problem}`);
  console.log(result.ok ? '\nThe tour is over; everything went well.' : '\nThe tour did not go well.');
  if (options.once) return result.ok ? 0 : 1;
  if (!signal.aborted) console.log('The playground goes on until Ctrl-C.');
  await untilAborted(signal);
  return 0;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
