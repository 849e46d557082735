/**
 * Selectors: CEL expressions over the published attributes of a worker and its queue. They are checked at
 * submit: they must parse, be a condition, and have bounded cost for any worker. An unknown attribute makes
 * its comparison fail: unknown values never satisfy. Preferences may also read what was measured for the
 * class of the job.
 */
import { Environment } from '@marcbachmann/cel-js';
import { DomainError } from '@rhizome/errors';
import { LRUCache } from 'lru-cache';
import { celCondition, celLimits } from '../../shared/cel/cel-condition.js';
import { isCelNode } from '../../shared/cel/cel-syntax.js';
import { isOfHost, measuredSchema } from './measured.js';
import type { WorkerFacts } from '../worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

const selectors = new Environment({ limits: celLimits })
  .registerVariable({
    name: 'worker',
    schema: {
      host: 'string',
      name: 'string',
      version: 'string',
      cpuVendor: 'string',
      cpuModel: 'string',
      architecture: 'string',
      architectureLevel: 'string',
      cores: 'int',
      memoryMiB: 'int',
      diskMiB: 'int',
      containerRuntimes: 'list<string>',
      network: 'bool',
      isolation: 'list<string>',
      networkIsolation: 'bool',
      systemCallFilter: 'bool',
      labels: 'map<string, string>',
      devices: 'list<map<string, dyn>>',
    },
  })
  .registerVariable({
    name: 'queue',
    schema: { name: 'string', site: 'string', executor: 'string', labels: 'map<string, string>' },
  });
const preferences = selectors.clone().registerVariable({ name: 'measured', schema: measuredSchema });

/** Use of a condition: for workers that a job needs, or for those that it prefers. */
export type ConditionUse = 'SELECTOR' | 'PREFERENCE';

/** Attributes of one worker for selectors; created by {@link selectorView}. */
export type SelectorView = Readonly<Record<string, unknown>>;

/**
 * Set of workers with the same decision: all of one shape; all of one shape with equal labels; or only the
 * worker itself, if host, name, version or amounts are read.
 */
export type SelectorScope = 'SHAPE' | 'LABELS' | 'WORKER';

/** A checked selector. */
export interface Selector {
  readonly text: string;
  readonly scope: SelectorScope;
  /** True if it reads what was measured for the class of the job. */
  readonly readsMeasured: boolean;
  /** Returns true if the worker is accepted; an unknown attribute or a failed evaluation accepts nothing. */
  accepts(view: SelectorView): boolean;
}

const maxCompiled = 10_000;
const compiled = new LRUCache<string, Selector>({ maxSize: maxCompiled, sizeCalculation: () => 1 });

/**
 * Checks and compiles a condition; the same text is compiled once for each use.
 * @param field path of the text in the input, for the message
 * @throws DomainError SELECTOR_INVALID with the expected form
 */
export function compileSelector(text: string, field = 'selector', use: ConditionUse = 'SELECTOR'): Selector {
  const key = `${use} ${text}`;
  const known = compiled.get(key);
  if (known) return known;
  const selector = compile(text, field, use);
  compiled.set(key, selector);
  return selector;
}

function compile(text: string, field: string, use: ConditionUse): Selector {
  const environment = use === 'SELECTOR' ? selectors : preferences;
  const condition = celCondition(environment, text, 'a worker', 'worker.cores >= 8');
  if ('expected' in condition) throw refused(text, field, condition.expected);
  const { readsWorker, readsLabels, readsMeasured } = readsOf(condition.ast);
  return {
    text,
    scope: readsWorker ? 'WORKER' : readsLabels ? 'LABELS' : 'SHAPE',
    readsMeasured,
    accepts: (view) => condition.isMet(view),
  };
}

interface Reads {
  readsWorker: boolean;
  readsLabels: boolean;
  readsMeasured: boolean;
}

/** Attributes of `worker` in which workers of one shape may differ. */
const ownFields = new Set(['host', 'name', 'version', 'cores', 'memoryMiB', 'diskMiB']);

/** Attributes of `worker` that are read. */
function readsOf(ast: unknown): Reads {
  const reads: Reads = { readsWorker: false, readsLabels: false, readsMeasured: false };
  walk(ast, reads);
  return reads;
}

function walk(node: unknown, reads: Reads): void {
  if (Array.isArray(node)) {
    for (const part of node) walk(part, reads);
    return;
  }
  if (!isCelNode(node)) return;
  if (isMemberOf('worker', node)) {
    if (ownFields.has(node.args[1])) reads.readsWorker = true;
    if (node.args[1] === 'labels') reads.readsLabels = true;
    return;
  }
  if (isMemberOf('measured', node)) {
    reads.readsMeasured = true;
    if (isOfHost(node.args[1])) reads.readsWorker = true;
    return;
  }
  // `worker` as a whole: the attributes it depends on are unknown.
  if (node.op === 'id' && node.args === 'worker') reads.readsWorker = true;
  if (node.op === 'id' && node.args === 'measured') reads.readsWorker = reads.readsMeasured = true;
  walk(node.args, reads);
}

function isMemberOf(
  variable: 'worker' | 'measured',
  node: { op: string; args: unknown },
): node is { op: string; args: [unknown, string] } {
  if (node.op !== '.' || !Array.isArray(node.args)) return false;
  const [target, name] = node.args as unknown[];
  return isCelNode(target) && target.op === 'id' && target.args === variable && typeof name === 'string';
}

function refused(text: string, field: string, expected: string): DomainError {
  const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text;
  return new DomainError(
    'SELECTOR_INVALID',
    `${field}: selector ${JSON.stringify(shown)} is refused; must be ${expected}`,
    {
      field,
      value: shown,
      expected,
    },
  );
}

/**
 * Returns the attributes of a worker and its queue as typed values; unknown ones are left out. Whole numbers
 * are CEL ints.
 */
export function selectorView(
  worker: Omit<WorkerFacts, 'id' | 'state' | 'queueId'>,
  queue: QueueFacts,
): SelectorView {
  const { hardware, labels } = worker;
  let devices: readonly Map<string, unknown>[] | undefined;
  return {
    worker: {
      host: worker.host,
      name: worker.name,
      version: worker.version,
      ...defined({
        cpuVendor: hardware.cpuVendor,
        cpuModel: hardware.cpuModel,
        architectureLevel: hardware.architectureLevel,
        network: hardware.network,
      }),
      architecture: hardware.architecture,
      cores: BigInt(hardware.cores),
      memoryMiB: BigInt(hardware.memoryMiB),
      diskMiB: BigInt(hardware.diskMiB),
      containerRuntimes: [...hardware.containerRuntimes],
      isolation: [...(hardware.isolation ?? [])],
      networkIsolation: hardware.networkIsolation ?? false,
      systemCallFilter: hardware.systemCallFilter ?? false,
      labels: labelMap(labels),
      // Only few selectors read devices, and these are the largest part.
      get devices() {
        return (devices ??= devicesView(worker.devices));
      },
    },
    queue: { name: queue.name, site: queue.site, executor: queue.executor, labels: labelMap(queue.labels) },
  };
}

/**
 * Facts of devices in a canonical order: workers of one shape differ in ids, bus addresses, and sources of
 * facts.
 */
function devicesView(devices: WorkerFacts['devices']): readonly Map<string, unknown>[] {
  const described = devices.map(
    ({ id: _id, parentId: _parent, sources: _sources, pciAddress: _at, brand: _brand, ...facts }) => ({
      facts,
      text: canonicalText(facts),
    }),
  );
  return described
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ facts: { memoryMiB, ...facts } }) => {
      const amount = memoryMiB === undefined ? undefined : BigInt(memoryMiB);
      return new Map<string, unknown>(Object.entries(defined({ ...facts, memoryMiB: amount })));
    });
}

function canonicalText(facts: object): string {
  return JSON.stringify(Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function labelMap(labels: readonly { readonly key: string; readonly value: string }[]): Map<string, string> {
  return new Map(labels.map(({ key, value }) => [key, value]));
}

function defined(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
