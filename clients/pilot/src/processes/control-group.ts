import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Use of resources by all processes that were ever in a group. */
export interface GroupUse {
  readonly cpuSeconds: number | null;
  /** Null where the controller of memory is not enabled for the group. */
  readonly peakMemoryBytes: number | null;
}

/** A program with its arguments. */
export interface Program {
  readonly command: string;
  readonly arguments: readonly string[];
}

const roundMs = 10;
/** Looks at a group that is being killed, before its folder is given up. */
const mostRounds = 200;

/**
 * The processes of one attempt. A process cannot leave its group by a new session, another parent or another
 * environment, and the kernel kills all of a group at once.
 */
export class ControlGroup {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Processes in the group and in the groups below it. */
  pids(): readonly number[] {
    return [...membersOf(this.folder)];
  }

  /**
   * Limits the memory of all processes together. If it runs out, the kernel kills all of them, so that no
   * part of a payload goes on without the others.
   */
  limitMemory(bytes: number): void {
    writeFileSync(join(this.folder, 'memory.max'), String(Math.ceil(bytes)));
    writeFileSync(join(this.folder, 'memory.oom.group'), '1');
  }

  /** Limits the number of processes and threads. */
  limitProcesses(count: number): void {
    writeFileSync(join(this.folder, 'pids.max'), String(count));
  }

  /**
   * True if the kernel has killed processes because the group had used up its memory. Kills because the host
   * had no memory left count as `oom_kill` too, but not as `oom`.
   */
  get isOutOfMemory(): boolean {
    const events = textOf(this.folder, 'memory.events');
    return /^oom [1-9]/m.test(events) && /^oom_kill [1-9]/m.test(events);
  }

  /** Kills everything in the group, also what is forked at this moment. */
  kill(): void {
    try {
      writeFileSync(join(this.folder, 'cgroup.kill'), '1');
    } catch {
      // The group has been removed; where it cannot be killed, the sweep of the processes remains.
    }
  }

  /** Use so far. */
  use(): GroupUse {
    const micros = /^usage_usec (\d+)$/m.exec(textOf(this.folder, 'cpu.stat'))?.[1];
    const peak = /^(\d+)$/m.exec(textOf(this.folder, 'memory.peak'))?.[1];
    return {
      cpuSeconds: micros === undefined ? null : Number(micros) / 1e6,
      peakMemoryBytes: peak === undefined ? null : Number(peak),
    };
  }

  /** Removes the group once it is empty. False if processes in it cannot be killed. */
  async remove(): Promise<boolean> {
    for (let round = 0; round < mostRounds; round += 1) {
      if (removeTree(this.folder)) return true;
      this.kill();
      await pause(roundMs);
    }
    return false;
  }
}

/**
 * The command that enters a group before it starts a program, so that no process starts outside. Without the
 * group it starts the program all the same: other marks find its processes.
 */
export function enteringCommand(folder: string, command: string, given: readonly string[]): Program {
  const enter = 'echo 0 2>/dev/null >"$0"; exec "$@"';
  return { command: '/bin/sh', arguments: ['-c', enter, join(folder, 'cgroup.procs'), command, ...given] };
}

function* membersOf(folder: string): Generator<number> {
  for (const line of textOf(folder, 'cgroup.procs').split('\n')) if (line !== '') yield Number(line);
  for (const child of foldersIn(folder)) yield* membersOf(join(folder, child));
}

function removeTree(folder: string): boolean {
  const below = foldersIn(folder).map((child) => removeTree(join(folder, child)));
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return below.every(Boolean) && (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function foldersIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

function textOf(folder: string, file: string): string {
  try {
    return readFileSync(join(folder, file), 'latin1');
  } catch {
    return '';
  }
}
