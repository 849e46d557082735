/** Pilots of the playground: separate processes, as on worker nodes. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pilotProgram } from '@rhizome/pilot';
import { type GpuChoice, gpuFlags } from './gpus.js';
import { type Child, describeEnd, startChild } from './processes/child-process.js';
import { playgroundQueue } from './seed.js';

/** Options of the pilots. */
export interface PilotOptions {
  readonly url: string;
  readonly token: string;
  readonly data: string;
  readonly count: number;
  readonly devices: GpuChoice;
  /** Folders that payloads may read, in addition to the programs of the tour. */
  readonly readableFolders: readonly string[];
  /** Shows a message to the user. */
  readonly say: (text: string) => void;
}

/** Running pilots. */
export interface Pilots {
  /** Process ids by name. */
  readonly pids: Record<string, number>;
  /** Lets the pilots drain for a moment, then kills them; resolves when all have ended. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts the pilots. Each gets a part of the machine, at least two cores, so that jobs run side by side on
 * small machines, too.
 */
export function startPilots(options: PilotOptions): Pilots {
  const { url, token, data, count, devices, say } = options;
  const readable = [...programFolders(), ...options.readableFolders];
  const folder = join(data, 'pilots');
  mkdirSync(folder, { recursive: true });
  const tokenFile = join(folder, 'token');
  rmSync(tokenFile, { force: true });
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const share = partOfMachine(count);
  const pilots = Array.from({ length: count }, (_, index) => {
    const name = `pilot-${index + 1}`;
    const who = ['--url', url, '--token-file', tokenFile, '--queue', playgroundQueue, '--name', name];
    const place = ['--scratch', join(folder, name), '--store', join(data, 'store')];
    const shown = readable.flatMap((path) => ['--readable-folder', path]);
    const pilot = startChild({
      name,
      program: pilotProgram,
      // A pilot does little work next to many other processes: its heap should stay small rather than fast.
      nodeOptions: ['--max-semi-space-size=2'],
      args: [
        ...who,
        ...place,
        ...shown,
        ...share,
        ...gpuFlags(devices, folder, index),
        '--drain-seconds',
        '1',
      ],
      logFile: join(data, 'logs', `${name}.log`),
    });
    void pilot.exited.then((end) => {
      if (!pilot.isAsked) say(lossOf(pilot, describeEnd(end)));
    });
    return pilot;
  });
  return {
    pids: Object.fromEntries(pilots.map(({ name, pid }) => [name, pid])),
    stop: async (graceMs) => {
      await Promise.all(pilots.map((pilot) => pilot.stop(graceMs)));
    },
  };
}

/** Folders with the programs of the tour, and with Node if it is not part of the operating system. */
function programFolders(): readonly string[] {
  const payloads = fileURLToPath(new URL('../payloads', import.meta.url));
  const node = dirname(dirname(process.execPath));
  return [payloads, ...(node === '/usr' || node.startsWith('/usr/') ? [] : [node])];
}

function partOfMachine(count: number): readonly string[] {
  const cores = Math.max(2, Math.floor(availableParallelism() / Math.max(1, count)));
  const memoryMiB = Math.max(1024, Math.floor((totalmem() / 2 ** 20) * (0.5 / Math.max(1, count))));
  return ['--cores', String(cores), '--memory-mib', String(memoryMiB)];
}

/** Message for a pilot that ended unexpectedly; the playground continues without it. */
function lossOf({ name, pid, logFile }: Child, how: string): string {
  return `${name} (process ${pid}) ${how}; its jobs go to other pilots when its lease ends. Its log is ${logFile}.`;
}
