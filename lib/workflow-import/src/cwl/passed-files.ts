/** Files of other steps that a tool names: outputs of their nodes, which workers put where the tool runs. */
import type { DraftNode, DraftRead } from '../graph/draft.js';
import type { FileValue } from './values.js';

/** Most files that a node reads from others by name. */
const maxReads = 1000;
/** Most files that all nodes read: each instance of a step may name all files of another. */
const maxAllReads = 200_000;

/** State of the import that passed files change. */
interface PassedContext {
  /** Tools with their outputs. */
  readonly toolOf: ReadonlyMap<DraftNode, { readonly program: { readonly outputs: string[] } }>;
  /** Number of files that all nodes read so far. */
  readonly passed: { count: number };
}

/** Gives files of other steps names in the working folder of one tool. */
export class PassedFiles {
  readonly reads: DraftRead[] = [];
  readonly #taken: Set<string>;
  readonly #context: PassedContext;
  readonly #known = new Map<DraftNode, Map<string, string>>();

  /** @param taken names of other files of the working folder */
  constructor(context: PassedContext, taken: Iterable<string>) {
    this.#context = context;
    this.#taken = new Set(taken);
  }

  /** Path of a file of another step, with those that belong to it; undefined if it cannot be passed. */
  pathOf(file: FileValue): string | undefined {
    const { from, name } = file;
    if (!from || name === undefined) return undefined;
    const known = this.#known.get(from)?.get(name);
    if (known !== undefined) return known;
    const all = [file, ...file.secondary.filter(({ isOptional }) => !isOptional)];
    if (this.reads.length + all.length > maxReads || this.#context.passed.count >= maxAllReads)
      return undefined;
    if (!all.every((one) => this.#isOutput(from, one))) return undefined;
    const prefix = this.#freePrefix(all);
    for (const one of all) this.#read(from, one, prefix + one.basename);
    const path = prefix + file.basename;
    const ofNode = this.#known.get(from) ?? new Map<string, string>();
    this.#known.set(from, ofNode.set(name, path));
    return path;
  }

  /** True for a file that is an output of its node, or can become one: all have different names. */
  #isOutput(from: DraftNode, { kind, name = '', isOptional, basename }: FileValue): boolean {
    const outputs = this.#context.toolOf.get(from)?.program.outputs;
    if (!outputs || kind === 'Directory' || isOptional) return false;
    return outputs.includes(name) || outputs.every((one) => baseName(one) !== basename);
  }

  /** Prefix with which all names are free; files that belong to another have its name with another suffix. */
  #freePrefix(files: readonly FileValue[]): string {
    for (let number = 0; ; number += 1) {
      const prefix = number === 0 ? '' : `${number}-`;
      if (files.every(({ basename }) => !this.#taken.has(prefix + basename))) return prefix;
    }
  }

  #read(from: DraftNode, { name = '', basename: output }: FileValue, as: string): void {
    const { toolOf, passed } = this.#context;
    const outputs = toolOf.get(from)?.program.outputs;
    if (outputs && !outputs.includes(name)) outputs.push(name);
    this.#taken.add(as);
    this.reads.push({ from, output, as });
    passed.count += 1;
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
