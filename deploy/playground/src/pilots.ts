/**
 * Pilots of the playground: separate processes, as on worker nodes. The playground is their batch system: it
 * reports to core when one has ended.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ApiClient } from '@rhizome/client';
import { enrolKey } from '@rhizome/pilot';
import { type GpuChoice, gpuFlags } from './gpus.js';
import { type Child, describeEnd, startChild } from './processes/child-process.js';
import { PlaygroundPilotEndedDocument } from './operations.generated.js';
import { programOf } from './root.js';
import { playgroundQueue } from './seed.js';

/** Pilots that enrol. */
export interface PilotEnrolment {
  readonly url: string;
  readonly data: string;
  readonly count: number;
  /** Code of an invitation for all of them. */
  readonly code: string;
}

/** Options of the pilots, which are enrolled. */
export interface PilotOptions {
  readonly data: string;
  readonly count: number;
  readonly devices: GpuChoice;
  /** Folders that payloads may read, in addition to the programs of the tour. */
  readonly readableFolders: readonly string[];
  /** Reports the end of a pilot that nobody stopped, so that its jobs start elsewhere at once. */
  readonly client: ApiClient;
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

/** Enrols each pilot with a key of its own, which it keeps from one start of the playground to the next. */
export async function enrolPilots({ url, data, count, code }: PilotEnrolment): Promise<void> {
  await Promise.all(
    pilotNames(count).map(async (name) => {
      const credentialFile = credentialFileOf(data, name);
      const enrolment = { url, queue: playgroundQueue, host: hostname(), credentialFile, code };
      const isKnown = existsSync(credentialFile);
      try {
        await enrolKey(enrolment);
      } catch (error) {
        if (!isKnown) throw error;
        // The enrolment of the earlier key has ended, or its file is damaged.
        rmSync(credentialFile);
        await enrolKey(enrolment);
      }
    }),
  );
}

const pilotNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `pilot-${index + 1}`);

const credentialFileOf = (data: string, name: string): string => join(data, 'pilots', `${name}.json`);

/**
 * Starts the pilots. Each gets a part of the machine, at least two cores, so that jobs run side by side on
 * small machines, too.
 */
export function startPilots(options: PilotOptions): Pilots {
  const { data, count, devices, client, say } = options;
  const readable = [...programFolders(), ...options.readableFolders];
  const folder = join(data, 'pilots');
  mkdirSync(folder, { recursive: true });
  const share = partOfMachine(count);
  const pilots = pilotNames(count).map((name, index) => {
    const who = ['--credential-file', credentialFileOf(data, name), '--name', name];
    // Checkpoints are in the store, outputs in the storage.
    const files = ['--store', join(data, 'store'), '--use-storages', 'true', '--allow-network', '127.0.0.1'];
    const place = ['--scratch', join(folder, name), ...files];
    const shown = readable.flatMap((path) => ['--readable-folder', path]);
    const batchJobId = `${name}-${randomUUID()}`;
    const pilot = startChild({
      name,
      program: programOf('@rhizome/pilot'),
      // A pilot does little work next to many other processes: its heap should stay small rather than fast.
      nodeOptions: ['--max-semi-space-size=2'],
      args: [
        ...who,
        ...place,
        ...shown,
        ...share,
        ...gpuFlags(devices, folder, index),
        ...['--drain-seconds', '1', '--end-with-pilot', 'true', '--batch-job-id', batchJobId],
      ],
      logFile: join(data, 'logs', `${name}.log`),
    });
    void pilot.exited.then(async (end) => {
      if (pilot.isAsked) return;
      const how = describeEnd(end);
      say(lossOf(pilot, how));
      await reportEnd(client, batchJobId, `${name} ${how}`).catch((error: Error) =>
        say(
          `The end of ${name} could not be reported: ${error.message}. Its jobs wait until core gives it up.`,
        ),
      );
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
  return `${name} (process ${pid}) ${how}; its jobs go to other pilots. Its log is ${logFile}.`;
}

async function reportEnd(client: ApiClient, batchJobId: string, reason: string): Promise<void> {
  const input = { queue: playgroundQueue, batchJobIds: [batchJobId], reason };
  const { reportEndedBatchJobs } = await client.mutate(
    PlaygroundPilotEndedDocument,
    { input },
    { idempotent: true },
  );
  const [first] = reportEndedBatchJobs.userErrors;
  if (first) throw new Error(first.message);
}
