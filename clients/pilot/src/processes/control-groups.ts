/** Control groups (cgroup v2) for attempts, where a part of the hierarchy belongs to this process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ControlGroup, enteringCommand } from './control-group.js';
import { enableControllers, groupForPayloads } from './group-controllers.js';

/** Files in which the kernel shows the mounts and the group of this process. */
export interface ControlGroupSources {
  readonly mounts: string;
  readonly own: string;
}

/** Options of {@link ControlGroups.find}. */
export interface ControlGroupOptions {
  readonly sources?: ControlGroupSources;
  /** Processes and threads of one attempt; unlimited by default. */
  readonly maxProcesses?: number;
  /** Processes in the group of this process that move with it. */
  readonly companions?: readonly number[];
}

const kernelSources: ControlGroupSources = { mounts: '/proc/self/mountinfo', own: '/proc/self/cgroup' };
/** Time for the kernel to kill one process, in milliseconds. */
const trialMs = 10_000;

/** Controllers that limit attempts. */
const limiting = ['memory', 'pids'] as const;
/** Memory beyond that of the job: the pilot, which reports the limit, looks once a second only. */
const margin = { part: 0.25, leastBytes: 256 * 1024 ** 2 };
/** Processes beyond those of the payload, for the programs that start it. */
const ownProcesses = 16;

/** Control groups, or the reason why there are none. */
export type FoundControlGroups =
  | { readonly groups: ControlGroups; readonly reason?: undefined }
  | { readonly groups?: undefined; readonly reason: string };

/** Makes a group for each attempt of a pilot. */
export class ControlGroups {
  readonly #folder: string;
  readonly #maxProcesses: number;
  /** Controllers that limit attempts. */
  readonly limiting: readonly string[];
  #made = 0;

  private constructor(folder: string, limitedBy: readonly string[], maxProcesses: number) {
    this.#folder = folder;
    this.limiting = limitedBy;
    this.#maxProcesses = maxProcesses;
  }

  /** Finds the folder of this process's group, and tries there what a pilot does. */
  static async find(options: ControlGroupOptions = {}): Promise<FoundControlGroups> {
    const { sources = kernelSources, maxProcesses = Infinity, companions = [] } = options;
    const own = ownFolder(sources);
    if (typeof own !== 'string') return own;
    const folder = groupForPayloads(own, limiting);
    try {
      const failure = await trial(new ControlGroups(folder, [], maxProcesses).make());
      if (failure !== undefined) return { reason: failure };
      const enabled = enableControllers(folder, limiting, companions);
      return { groups: new ControlGroups(folder, enabled, maxProcesses) };
    } catch (error) {
      return { reason: `${folder} is not delegated to this user: ${(error as Error).message}` };
    }
  }

  /**
   * Makes an empty group. Where controllers are enabled, the kernel limits its memory, with a margin, and its
   * processes.
   * @param memoryBytes memory of the job
   * @throws the error of the operating system
   */
  make(memoryBytes = Infinity): ControlGroup {
    this.#made += 1;
    const folder = join(this.#folder, `rhizome-${process.pid}-${this.#made}`);
    mkdirSync(folder);
    const group = new ControlGroup(folder);
    if (this.limiting.includes('memory') && memoryBytes < Infinity)
      group.limitMemory(memoryBytes + Math.max(margin.leastBytes, margin.part * memoryBytes));
    if (this.limiting.includes('pids') && this.#maxProcesses < Infinity)
      group.limitProcesses(this.#maxProcesses + ownProcesses);
    return group;
  }
}

/** Folder of the group of this process in the hierarchy of version 2. */
function ownFolder({ mounts, own }: ControlGroupSources): string | { readonly reason: string } {
  const path = /^0::(\/.*)$/m.exec(textOf(own))?.[1];
  if (path === undefined) return { reason: 'this process has no group of cgroup v2' };
  for (const line of textOf(mounts).split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '', point = ''] = before.split(' ').map(unescaped);
    if (!after.startsWith('cgroup2 ')) continue;
    const inside = `${path}/`.startsWith(root === '/' ? '/' : `${root}/`);
    if (inside) return join(point, path.slice(root === '/' ? 0 : root.length));
  }
  return { reason: 'cgroup v2 is not mounted' };
}

/** Puts a process into a group and kills the group. @returns what does not work */
async function trial(group: ControlGroup): Promise<string | undefined> {
  try {
    if (!existsSync(join(group.folder, 'cgroup.kill'))) return 'the kernel has no cgroup.kill (Linux 5.14)';
    const { command, arguments: given } = enteringCommand(group.folder, 'sleep', ['60']);
    const child = spawn(command, given, {
      stdio: 'ignore',
      timeout: trialMs,
      env: { PATH: '/usr/bin:/bin' },
    });
    const ended = once(child, 'exit');
    for (let looks = 0; group.pids().length === 0; looks += 1) {
      if (looks > trialMs / 10 || child.exitCode !== null) return 'a process cannot enter a group';
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    group.kill();
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    return signal === 'SIGKILL' ? undefined : 'a group cannot be killed';
  } finally {
    await group.remove();
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The kernel writes spaces and backslashes of paths in octal. */
function unescaped(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
