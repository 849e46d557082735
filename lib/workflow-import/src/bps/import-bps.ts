/** Import of generic workflows of BPS, as graphs in the node-link form of NetworkX. */
import type { DraftEdges, DraftNode } from '../graph/draft.js';
import { finishWorkflow, headOf } from '../graph/finish.js';
import type { ImportRequest } from '../import.types.js';
import { attemptsOf, memoryFactorOf, priorityOf, wholeNumber } from '../numbers.js';
import type { Refusals } from '../refusals.js';
import { openText } from '../text/decode.js';
import { Located } from '../text/located.js';
import type { SourceText } from '../text/source.types.js';
import { withoutAbsent } from '../without-absent.js';
import type { ImportedWorkflow, JobPart, Requirements, Retry } from '../workflow.types.js';
import { type BpsFiles, bpsPayload } from './command.js';
import { BpsRequests } from './requests.js';

/** Fields that have no effect here. */
const unused = [
  ...['tags', 'compute_site', 'compute_cloud', 'accounting_group', 'accounting_user', 'mail_to'],
  ...['when_to_mail', 'category', 'concurrency_limit', 'profile', 'attrs', 'retry_unless_exit'],
];
const reasons: ReadonlyMap<string, string> = new Map([
  [
    'retry_unless_exit',
    'has no effect; a policy of the experiment can forbid retries for exit codes of all jobs',
  ],
]);

/** Nodes by name. A node that does nothing stands for those before it. */
type Places = Map<string, Place>;

interface Place {
  /** Nodes that come first in it, to which edges lead. */
  readonly heads: readonly DraftNode[];
  /** Nodes that come last in it. */
  readonly tails: DraftEdges;
}

/** Imports a graph. Undefined if there are refusals. */
export function importBps(
  request: ImportRequest,
  source: SourceText,
  refusals: Refusals,
): ImportedWorkflow | undefined {
  const whole = new Located(source);
  const graph = whole.member('graph');
  const { inputs } = request;
  const requests = new BpsRequests(
    inputs === undefined ? undefined : openText(inputs, request.read, refusals),
    refusals,
  );
  const reader = new BpsReader(filesOf(graph, refusals), requests, refusals);
  const drafts = [...reader.graph(whole, false)];
  const final = graph?.member('final');
  if (final) drafts.push(...(final.member('nodes') ? reader.graph(final, true) : reader.job(final, true)));
  return finishWorkflow(drafts, headOf(request, graph?.member('name')?.text), refusals, whole);
}

function filesOf(graph: Located | undefined, refusals: Refusals): BpsFiles {
  return new Map(
    (graph?.member('files')?.entries() ?? []).flatMap((at): readonly (readonly [string, Located])[] => {
      const name = at.member('name')?.text;
      if (name === undefined) refusals.invalid(at.place('name'), 'a text');
      return name === undefined ? [] : [[name, at]];
    }),
  );
}

class BpsReader {
  readonly #files: BpsFiles;
  readonly #requests: BpsRequests;
  readonly #refusals: Refusals;

  constructor(files: BpsFiles, requests: BpsRequests, refusals: Refusals) {
    this.#files = files;
    this.#requests = requests;
    this.#refusals = refusals;
  }

  /** Nodes of a graph, with their edges. */
  graph(at: Located, isFinal: boolean, depth = 0): readonly DraftNode[] {
    const list = at.member('nodes');
    if (at.member('multigraph')?.value === true || at.member('directed')?.value === false)
      this.#refusals.refuse(at, 'is not a directed graph with one edge between two nodes');
    if (!list?.isList) this.#refusals.invalid(list ?? at.place('nodes'), 'a list of nodes');
    if (depth > 20) this.#refusals.refuse(at, 'has groups that are nested too deeply');
    if (!list?.isList || depth > 20) return [];
    const places: Places = new Map();
    const drafts: DraftNode[] = [];
    for (const entry of list.entries()) {
      if (this.#refusals.isFull) break;
      const job = entry.member('job') ?? entry;
      const name = this.#nameOf(entry, job);
      if (name === undefined) continue;
      if (places.has(name))
        this.#refusals.refuse(entry, `a second node has the name ${JSON.stringify(name)}`);
      const own = job.member('nodes') ? this.graph(job, isFinal, depth + 1) : this.job(job, isFinal);
      drafts.push(...own);
      places.set(name, placeOf(job, own));
    }
    this.#addEdges(at, places);
    return drafts;
  }

  /** The node of a job; none for one that does nothing, or that is refused. */
  job(job: Located, isFinal: boolean): readonly DraftNode[] {
    if (isNoop(job)) return [];
    const refusals = this.#refusals;
    const name = job.member('name')?.text ?? job.member('id')?.text ?? 'job';
    const label = job.member('label')?.text ?? name;
    const payload = bpsPayload(job, this.#files, refusals);
    for (const field of ['abort_on_value', 'abort_return_value']) {
      const value = job.member(field);
      if (value) refusals.refuse(value, 'is not supported', 'a workflow cannot end by an exit code');
    }
    for (const field of unused) {
      const value = this.#requests.field(job, label, field);
      if (value && !value.isEmpty) refusals.note(field, reasons.get(field) ?? 'has no effect');
    }
    if (!payload) return [];
    return [{ ...{ at: job, name, label, isFinal, edges: [] }, job: { ...this.#part(job, label), payload } }];
  }

  #part(job: Located, label: string): JobPart {
    const field = (name: string): Located | undefined => this.#requests.field(job, label, name);
    const amount = (name: string, min = 1): number | undefined =>
      wholeNumber(field(name), this.#refusals, { min });
    const requirements: Requirements = withoutAbsent({
      cores: amount('request_cpus'),
      memoryMiB: amount('request_memory'),
      diskMiB: amount('request_disk', 0),
      walltimeSeconds: amount('request_walltime'),
      isPreemptible: field('preemptible')?.value === true ? true : undefined,
      queue: field('queue')?.text,
    });
    return withoutAbsent({
      priority: priorityOf(field('priority'), this.#refusals),
      retry: this.#retry(field),
      requirements: Object.keys(requirements).length > 0 ? requirements : undefined,
    });
  }

  #retry(field: (name: string) => Located | undefined): Retry | undefined {
    const memoryFactor = memoryFactorOf(field('memory_multiplier'), this.#refusals);
    const most = wholeNumber(field('request_memory_max'), this.#refusals, { min: 1 });
    const retry = withoutAbsent({
      ...attemptsOf(field('number_of_retries'), this.#refusals, 1),
      memoryFactor,
      maxMemoryMiB: memoryFactor === undefined ? undefined : most,
    });
    return Object.keys(retry).length > 0 ? retry : undefined;
  }

  #nameOf(entry: Located, job: Located): string | undefined {
    const id = entry.member('id')?.value ?? job.member('name')?.value;
    if (typeof id === 'string' || typeof id === 'number') return String(id);
    this.#refusals.invalid(entry.place('id'), 'a text');
    return undefined;
  }

  #addEdges(at: Located, places: Places): void {
    const list = at.member('edges') ?? at.member('links');
    if (list && !list.isList) this.#refusals.invalid(list, 'a list of edges');
    const parents = new Map<string, string[]>();
    for (const edge of list?.entries() ?? []) {
      if (this.#refusals.isFull) return;
      const [source, target] = ['source', 'target'].map((key) => {
        const name = String(edge.member(key)?.value);
        if (!places.has(name)) this.#refusals.refuse(edge.place(key), `${name} is not a node`);
        return name;
      });
      if (source === undefined || target === undefined) continue;
      const known = parents.get(target);
      if (known) known.push(source);
      else parents.set(target, [source]);
    }
    const resolver = new EdgeResolver(places, parents);
    for (const [name, { heads }] of places) {
      const edges = resolver.edgesTo(name);
      if (resolver.cycle) this.#refusals.refuse(at, `has a cycle of nodes without a job at ${name}`);
      if (resolver.cycle) return;
      for (const head of heads) head.edges.push(...edges);
    }
  }
}

/** Edges to nodes, through nodes that do nothing. */
class EdgeResolver {
  readonly #places: Places;
  readonly #parents: ReadonlyMap<string, readonly string[]>;
  readonly #known = new Map<string, readonly DraftEdges[] | 'OPEN'>();
  cycle = false;

  constructor(places: Places, parents: ReadonlyMap<string, readonly string[]>) {
    this.#places = places;
    this.#parents = parents;
  }

  edgesTo(name: string, depth = 0): readonly DraftEdges[] {
    const known = this.#known.get(name);
    if (known === 'OPEN' || depth > 1000) {
      this.cycle = true;
      return [];
    }
    if (known) return known;
    this.#known.set(name, 'OPEN');
    const [succeeded, ended]: [DraftNode[], DraftNode[]] = [[], []];
    const passed: DraftEdges[] = [];
    for (const parent of this.#parents.get(name) ?? []) {
      const place = this.#places.get(parent);
      if (!place) continue;
      // Only nodes that do nothing pass edges on; others end the way, so that long chains need no stack.
      if (place.heads.length === 0) passed.push(...this.edgesTo(parent, depth + 1));
      const { from, condition } = place.tails;
      for (const node of from) (condition === 'ENDED' ? ended : succeeded).push(node);
    }
    const own: readonly DraftEdges[] = [
      { from: succeeded, condition: 'SUCCEEDED' },
      { from: ended, condition: 'ENDED' },
    ];
    // Layers of nodes that do nothing pass the same edges on many ways.
    const edges = [...new Set([...own, ...passed])].filter(({ from }) => from.length > 0);
    this.#known.set(name, edges);
    return edges;
  }
}

/** Edges lead to the first nodes of a group, and from its last ones. */
function placeOf(job: Located, own: readonly DraftNode[]): Place {
  const isGroup = job.member('nodes') !== undefined;
  const before = new Set(own.flatMap(({ edges }) => edges.flatMap(({ from }) => from)));
  const heads = own.filter(({ edges }) => edges.length === 0);
  // A group that does not block lets the next one run, whatever has failed in it, once all its jobs have
  // ended: after a failure, the last ones are skipped while others still run.
  if (isGroup && job.member('graph')?.member('blocking')?.value === false)
    return { heads, tails: { from: own, condition: 'ENDED' } };
  return { heads, tails: { from: own.filter((node) => !before.has(node)), condition: 'SUCCEEDED' } };
}

/** True for a node that only orders others. */
function isNoop(job: Located): boolean {
  const type = job.member('node_type')?.value;
  return (
    type === 1 ||
    type === 'NOOP' ||
    (type === undefined &&
      job.member('executable') === undefined &&
      job.member('arguments') === undefined &&
      job.member('quanta_counts') === undefined)
  );
}
