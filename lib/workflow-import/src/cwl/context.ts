/** State that the parts of an import of CWL share. */
import type { DraftEdges, DraftNode } from '../graph/draft.js';
import type { Names } from '../graph/names.js';
import type { Refusals } from '../refusals.js';
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
  /** Nodes that may be skipped when the workflow runs. */
  readonly conditional: ConditionalNodes;
}

/** Nodes that may be skipped when the workflow runs. */
export class ConditionalNodes {
  readonly #nodes = new Set<DraftNode>();
  readonly #known = new WeakMap<readonly DraftNode[], boolean>();

  add(node: DraftNode): void {
    this.#nodes.add(node);
  }

  /** True if one of the nodes is among them. Lists are shared by many nodes, and looked through once. */
  hasAny(nodes: readonly DraftNode[]): boolean {
    if (this.#nodes.size === 0) return false;
    const known = this.#known.get(nodes) ?? nodes.some((node) => this.#nodes.has(node));
    this.#known.set(nodes, known);
    return known;
  }
}

/** Conditions under which a process runs. */
export interface Guard {
  readonly edges: readonly DraftEdges[];
  /** 1 if one of them is enough; undefined for all. */
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
