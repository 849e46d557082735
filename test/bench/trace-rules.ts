/**
 * Other rules for placing tasks on GPU hosts: the first host with free capacity, a random one, and the rule
 * of the paper "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
 * Descent" (USENIX ATC 2023), written from its description.
 */
import { chance } from './broker-world.js';

/** A host with what is free of it. */
export interface Host {
  cpu: number;
  memory: number;
  readonly model: string;
  /** Thousandths of each GPU. */
  readonly free: number[];
}

/** A task. */
export interface Task {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  /** Of each GPU; 1000 for whole ones. */
  readonly thousandths: number;
  /** Models it accepts; empty for all. */
  readonly models: readonly string[];
}

/** A host and the devices on it. */
interface PendingGrant {
  readonly host: Host;
  readonly devices: readonly number[];
}

/**
 * A rule: made ready for hosts and for the workload that is to come, it chooses for one task after another.
 */
export interface Rule {
  readonly name: string;
  prepare(hosts: readonly Host[], workload: readonly Task[]): (task: Task) => PendingGrant | undefined;
}

function hasCapacity(task: Task, host: Host): boolean {
  if (task.cpu > host.cpu || task.memory > host.memory) return false;
  if (task.gpus === 0) return true;
  if (task.models.length > 0 && !task.models.includes(host.model)) return false;
  return host.free.filter((free) => free >= task.thousandths).length >= task.gpus;
}

/**
 * Devices that could be taken: one choice of whole ones; for a part of a device, one choice for each amount
 * that is free.
 */
function deviceChoices({ gpus, thousandths }: Task, { free }: Host): readonly (readonly number[])[] {
  if (gpus === 0) return [[]];
  const able = free.flatMap((left, at) => (left >= thousandths ? [at] : []));
  if (gpus > 1) return [able.slice(0, gpus)];
  const seen = new Set<number>();
  return able.flatMap((at) => {
    const left = free[at] ?? 0;
    if (seen.has(left)) return [];
    seen.add(left);
    return [[at]];
  });
}

const firstFit: Rule = {
  name: 'first fit',
  prepare: (hosts) => (task) => {
    const host = hosts.find((one) => hasCapacity(task, one));
    return host && { host, devices: deviceChoices(task, host)[0] ?? [] };
  },
};

const randomFit: Rule = {
  name: 'random fit',
  prepare(hosts) {
    const random = chance(42);
    const any = <T>(values: readonly T[]): T | undefined => values[Math.floor(random() * values.length)];
    return (task) => {
      const host = any(hosts.filter((one) => hasCapacity(task, one)));
      return host && { host, devices: any(deviceChoices(task, host)) ?? [] };
    };
  },
};

interface Typical extends Task {
  /** The part of the workload that is like it. */
  readonly part: number;
}

/** Typical tasks: those that make up so much of the workload, the most frequent first. */
const typicalPart = 0.95;

function typicalTasks(workload: readonly Task[]): readonly Typical[] {
  const kinds = new Map<string, { task: Task; count: number }>();
  for (const task of workload) {
    const key = JSON.stringify(task);
    const known = kinds.get(key);
    if (known) known.count += 1;
    else kinds.set(key, { task, count: 1 });
  }
  const found: Typical[] = [];
  let covered = 0;
  for (const { task, count } of [...kinds.values()].sort((a, b) => b.count - a.count)) {
    if (covered >= typicalPart * workload.length) break;
    covered += count;
    found.push({ ...task, part: count / workload.length });
  }
  return found;
}

/** GPU thousandths of the host that the typical task is expected not to be able to use. */
function fragmentation(host: Host, typical: readonly Typical[]): number {
  const all = host.free.reduce((sum, free) => sum + free, 0);
  if (all === 0) return 0;
  let found = 0;
  for (const task of typical) {
    if (task.gpus === 0 || !hasCapacity(task, host)) {
      found += task.part * all;
      continue;
    }
    let useless = 0;
    for (const free of host.free) if (free < task.thousandths) useless += free;
    found += task.part * useless;
  }
  return found;
}

const gradientDescent: Rule = {
  name: 'fragmentation gradient',
  prepare(hosts, workload) {
    const typical = typicalTasks(workload);
    const known = new Map<string, number>();
    const stateOf = ({ cpu, memory, model, free }: Host): string =>
      `${model} ${cpu} ${memory} ${[...free].sort((a, b) => a - b).join(' ')}`;
    const fragmentationOf = (host: Host): number => {
      const state = stateOf(host);
      let value = known.get(state);
      if (value === undefined) known.set(state, (value = fragmentation(host, typical)));
      return value;
    };
    return (task) => {
      let best: (PendingGrant & { readonly growth: number }) | undefined;
      const seen = new Set<string>();
      for (const host of hosts) {
        if (!hasCapacity(task, host)) continue;
        // Hosts that are in the same state are the same to the rule: the first of them stands for all.
        const state = stateOf(host);
        if (seen.has(state)) continue;
        seen.add(state);
        const before = fragmentationOf(host);
        for (const devices of deviceChoices(task, host)) {
          const free = host.free.map((left, at) => (devices.includes(at) ? left - task.thousandths : left));
          const after = { ...host, cpu: host.cpu - task.cpu, memory: host.memory - task.memory, free };
          const growth = fragmentationOf(after) - before;
          if (!best || growth < best.growth) best = { host, devices, growth };
        }
      }
      return best;
    };
  },
};

/** Rules that the scheduler is compared with. */
export const baselines: readonly Rule[] = [firstFit, randomFit, gradientDescent];
