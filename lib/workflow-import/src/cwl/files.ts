/** Documents of CWL, and the processes in them. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { ReadFile } from '../files.types.js';
import { type Refusals, shortJson } from '../refusals.js';
import { openText } from '../text/decode.js';
import { Located } from '../text/located.js';
import type { SourceText } from '../text/source.types.js';
import { nameOfId } from './fields.js';

/** A process: a tool or a workflow. */
export interface CwlProcess {
  readonly at: Located;
  /** File and position, to recognise it. */
  readonly key: string;
}

const versions = ['v1.0', 'v1.1', 'v1.2'];
/** Tasks that pchain has as processes. */
const pandaTasks = new Set(['prun', 'phpo', 'junction', 'reana', 'gitlab']);
/** Most files of an import. */
const maxFiles = 1000;

/** Reads documents, each once. */
export class CwlFiles {
  readonly #read: ReadFile;
  readonly #cwd: string;
  readonly #refusals: Refusals;
  readonly #known = new Map<string, SourceText | undefined>();

  constructor(read: ReadFile, cwd: string, refusals: Refusals) {
    this.#read = read;
    this.#cwd = cwd;
    this.#refusals = refusals;
  }

  /** The text of a file; undefined if it is refused. */
  open(path: string): SourceText | undefined {
    if (this.#known.has(path)) return this.#known.get(path);
    const place = { file: path, line: 1, column: 1 };
    const source =
      this.#known.size < maxFiles
        ? openText(path, this.#read, this.#refusals)
        : this.#refusals.fault({ problem: `a workflow has at most ${maxFiles} files`, place });
    this.#known.set(path, source ?? undefined);
    return source ?? undefined;
  }

  /** Absolute path of a file that a text names. */
  absolute(path: string, from: SourceText): string {
    return resolve(this.#cwd, dirname(from.file), path);
  }

  /** The process of a file, or the one with the id in its graph; undefined if it is refused. */
  process(path: string, id?: string): CwlProcess | undefined {
    const source = this.open(path);
    if (!source) return undefined;
    const whole = new Located(source);
    const version = whole.member('cwlVersion');
    if (!versions.includes(version?.text ?? ''))
      this.#refusals.invalid(whole.place('cwlVersion'), versions.join(', '));
    const graph = whole.member('$graph');
    if (!graph) return { at: whole, key: path };
    const wanted = id ?? 'main';
    const found = graph.entries().find((entry) => nameOfId(entry.member('id')?.text ?? '') === wanted);
    if (!found) {
      const advice = id === undefined ? 'name one as FILE#ID' : undefined;
      this.#refusals.refuse(graph, `has no process ${JSON.stringify(wanted)}`, advice);
      return undefined;
    }
    return { at: found, key: `${path}#${wanted}` };
  }

  /** The process that a step runs; undefined if it is refused. */
  ofStep(run: Located): CwlProcess | undefined {
    if (run.isMap) {
      const imported = run.member('$import');
      return imported?.text === undefined
        ? { at: run, key: `${run.source.file}#${run.path.join('/')}` }
        : this.#named(imported, imported.text);
    }
    if (run.text !== undefined) return this.#named(run, run.text);
    this.#refusals.invalid(run, 'a process, or the name of a file');
    return undefined;
  }

  #named(at: Located, text: string): CwlProcess | undefined {
    if (pandaTasks.has(text.replace(/\.cwl$/, ''))) {
      const advice = 'describe its jobs by a CommandLineTool, with scatter for several jobs';
      this.#refusals.refuse(at, `${text} is a task of PanDA over data sets`, advice);
      return undefined;
    }
    if (/^[a-z][a-z0-9+.-]+:/i.test(text)) {
      this.#refusals.refuse(at, `${shortJson(text)} is not fetched`, 'save it, and name the file');
      return undefined;
    }
    const [path = '', id] = text.split('#');
    const { file } = at.source;
    const target = path === '' ? file : isAbsolute(path) ? path : join(dirname(file), path);
    return this.process(target, id === undefined ? undefined : nameOfId(id));
  }
}
