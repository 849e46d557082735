/** State that the parts of an import of CWL share. */
import type { DraftEdges, DraftNode } from '../graph/draft.js';
import type { Names } from '../graph/names.js';
import type { Refusals } from '../refusals.js';
import type { Named } from './fields.js';
import type { CwlFiles } from './files.js';
import type { HeldRequirements } from './requirements.js';
import type { Program } from './script.js';

/** A node with its program, whose outputs are known at the end. */
export interface ToolNode {
  readonly node: DraftNode;
  readonly program: Program & { readonly outputs: string[] };
}

/** State of an import. */
export interface CwlContext {
  readonly refusals: Refusals;
  readonly files: CwlFiles;
  /** Nodes so far. */
  readonly tools: ToolNode[];
  readonly toolOf: Map<DraftNode, ToolNode>;
  readonly names: Names;
  /** Folders that all workers have. */
  readonly readableFolders: readonly string[];
  /** Absolute path of the folder that workers share; undefined for none. */
  readonly sharedFolder: string | undefined;
  /** Number of outputs that nodes read from others so far. */
  readonly passed: { count: number };
  /** Steps of workflows in their order, by key of the process: it is the same for all instances. */
  readonly orders: Map<string, readonly Named[]>;
  /** Number of workflows and of steps that are left out so far: they have no node, and take time. */
  readonly withoutNode: { count: number };
  /** Nodes that may be skipped when the workflow runs. */
  readonly conditional: ConditionalNodes;
}

type Causes = ReadonlySet<DraftEdges>;

const none: Causes = new Set();

/** Nodes that may be skipped when the workflow runs: by an edge on a failure, or with another such node. */
export class ConditionalNodes {
  /** The edges on failures because of which a node may be skipped. */
  readonly #causes = new Map<DraftNode, Causes>();
  readonly #known = new WeakMap<readonly DraftNode[], Causes>();

  /** Takes up a node, after those that it depends on. */
  add(node: DraftNode): void {
    const own = node.edges.filter(({ condition }) => condition === 'FAILED');
    const causes = joined([new Set(own), ...node.edges.map(({ from }) => this.#causesOf(from))]);
    if (causes.size > 0) this.#causes.set(node, causes);
  }

  /** True if one of the nodes is among them. */
  hasAny(nodes: readonly DraftNode[]): boolean {
    return this.#causesOf(nodes).size > 0;
  }

  /** True if one of the nodes may be skipped while what the guard lets run is not. */
  hasAnyBeyond(nodes: readonly DraftNode[], guard: Guard): boolean {
    const causes = this.#causesOf(nodes);
    if (causes.size === 0) return false;
    // None of several conditions is sure if one of them is enough.
    const edges = guard.needed === undefined ? guard.edges : [];
    const held = edges.filter(({ condition }) => condition === 'SUCCEEDED').map(({ from }) => from);
    const shared = joined([new Set(edges), ...held.map((from) => this.#causesOf(from))]);
    return [...causes].some((cause) => !shared.has(cause));
  }

  /** Lists are shared by many nodes, and looked through once. */
  #causesOf(nodes: readonly DraftNode[]): Causes {
    if (this.#causes.size === 0) return none;
    const known = this.#known.get(nodes);
    if (known) return known;
    const causes = joined(nodes.map((node) => this.#causes.get(node) ?? none));
    this.#known.set(nodes, causes);
    return causes;
  }
}

/** All of the sets; one of them if it has everything, so that long chains share it. */
function joined(sets: readonly Causes[]): Causes {
  const filled = [...new Set(sets)].filter(({ size }) => size > 0);
  const [largest = none, ...others] = filled.sort((a, b) => b.size - a.size);
  const isWhole = others.every((set) => [...set].every((cause) => largest.has(cause)));
  return isWhole ? largest : new Set(filled.flatMap((set) => [...set]));
}

/** Conditions under which a process runs. */
export interface Guard {
  readonly edges: readonly DraftEdges[];
  /** 1 if one of them is enough, which only the guard of a tool has; undefined for all. */
  readonly needed?: number;
}

/** The place of a process in the workflow. */
export interface Scope {
  /** Steps that lead to it, with the numbers of scattered instances, such as `outer.2/align`. */
  readonly name: string;
  /** The same without numbers. */
  readonly label: string;
  readonly held: HeldRequirements;
  readonly guard: Guard;
  /** Processes that contain it, to find one that contains itself. */
  readonly within: readonly string[];
}
