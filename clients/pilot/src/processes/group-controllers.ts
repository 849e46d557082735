/** Controllers of cgroup v2: which resources the groups below a folder account for and limit. */
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const prefix = 'pilot-';

/**
 * The group below which payloads get theirs, given the group of this process: the one above if an earlier
 * supervisor has moved itself and its pilot out of that. The next pilot may start in the same group as they.
 */
export function groupForPayloads(own: string, wanted: readonly string[]): string {
  const above = dirname(own);
  const isMoved = basename(own).startsWith(prefix) && enabledIn(above, wanted).length > 0;
  return isMoved ? above : own;
}

/**
 * Enables controllers for the groups below a folder, if they are delegated. A group with processes of
 * its own cannot enable any: this process and its companions then move into a group below. Returns those
 * that are enabled.
 */
export function enableControllers(
  folder: string,
  wanted: readonly string[],
  companions: readonly number[] = [],
): readonly string[] {
  const delegated = namesIn(folder, 'cgroup.controllers');
  const missing = wanted.filter(
    (name) => delegated.includes(name) && !namesIn(folder, 'cgroup.subtree_control').includes(name),
  );
  if (missing.length > 0 && !tryEnable(folder, missing))
    enableFromBelow(folder, missing, [process.pid, ...companions]);
  return enabledIn(folder, wanted);
}

function enabledIn(folder: string, wanted: readonly string[]): readonly string[] {
  const enabled = namesIn(folder, 'cgroup.subtree_control');
  return wanted.filter((name) => enabled.includes(name));
}

/** Other processes in the group, which belong to somebody else, leave everything as it was. */
function enableFromBelow(folder: string, controllers: readonly string[], own: readonly number[]): void {
  const below = join(folder, `${prefix}${process.pid}`);
  try {
    mkdirSync(below);
    own.forEach((pid) => move(pid, below));
    if (tryEnable(folder, controllers)) return;
    own.forEach((pid) => move(pid, folder));
    rmdirSync(below);
  } catch {
    // The folder is not delegated to this user.
  }
}

function move(pid: number, folder: string): void {
  writeFileSync(join(folder, 'cgroup.procs'), String(pid));
}

function tryEnable(folder: string, controllers: readonly string[]): boolean {
  try {
    for (const name of controllers) writeFileSync(join(folder, 'cgroup.subtree_control'), `+${name}`);
    return true;
  } catch {
    return false;
  }
}

function namesIn(folder: string, file: string): readonly string[] {
  try {
    return readFileSync(join(folder, file), 'latin1').trim().split(' ');
  } catch {
    return [];
  }
}
