/** Values of parameter references and of texts that contain them. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import { type Expression, parseExpression } from './parse-expression.js';
import type { PassedFiles } from './passed-files.js';
import { FileValue, isList, shown, UnknownValue, type Value } from './values.js';

/** Names that expressions can refer to. */
export interface Names {
  readonly inputs: ReadonlyMap<string, Value>;
  readonly self?: Value;
  readonly runtime?: ReadonlyMap<string, Value>;
  /** Gives files of other steps a path; absent where none can be passed. */
  readonly passed?: PassedFiles;
}

/** Evaluates expressions at a construct. What cannot be evaluated is refused there. */
export class Evaluator {
  readonly #refusals: Refusals;
  readonly #names: Names;

  constructor(refusals: Refusals, names: Names) {
    this.#refusals = refusals;
    this.#names = names;
  }

  /** The same with another `self`. */
  with(self: Value): Evaluator {
    return new Evaluator(this.#refusals, { ...this.#names, self });
  }

  /** Value of a text that may contain references; undefined if it is refused. */
  valueOf(at: Located): Value | undefined {
    const { value } = at;
    if (typeof value === 'number' || typeof value === 'boolean') return value;
    if (typeof value !== 'string') {
      this.#refusals.invalid(at, 'a text, a number or a parameter reference');
      return undefined;
    }
    const parts = partsOf(value);
    if (!parts) return this.#refuseScript(at, value);
    const [only] = parts;
    if (parts.length === 1 && only && 'expression' in only) return this.#expression(at, only.expression);
    const texts = parts.map((part) =>
      'text' in part ? part.text : this.#inText(at, this.#expression(at, part.expression)),
    );
    return texts.every((text) => text !== undefined) ? texts.join('') : undefined;
  }

  /** A text; undefined if it is refused. */
  textOf(at: Located): string | undefined {
    const value = this.valueOf(at);
    return value === undefined ? undefined : this.#inText(at, value);
  }

  /** A whole number of at least 0, rounded up; undefined if it is refused. */
  amountOf(at: Located): number | undefined {
    const value = this.valueOf(at);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return Math.ceil(value);
    if (value instanceof UnknownValue) this.refuseUnknown(at, value);
    else this.#refusals.refuse(at, `${shown(value)} is not an amount`, 'must be a number of at least 0');
    return undefined;
  }

  /** Refuses a value that is needed now and known only later. */
  refuseUnknown(at: Located, { reason }: UnknownValue): undefined {
    if (reason !== undefined) this.#refusals.refuse(at, reason);
    return undefined;
  }

  /** The value of a reference; undefined if it is refused. */
  reference(at: Located, { root, path }: Extract<Expression, { kind: 'reference' }>): Value | undefined {
    let value: Value | undefined;
    let rest = path;
    if (root === 'self' && this.#names.self !== undefined) value = this.#names.self;
    else if (root === 'inputs' || root === 'runtime') {
      const [name] = path;
      const names = root === 'inputs' ? this.#names.inputs : this.#names.runtime;
      value = names?.get(String(name));
      rest = path.slice(1);
    }
    if (value === undefined) {
      const text = [root, ...path].join('.');
      this.#refusals.refuse(at, `${text} is not known when the workflow is imported`);
      return undefined;
    }
    for (const part of rest) {
      value = this.#member(at, value, part);
      if (value === undefined) return undefined;
    }
    return value;
  }

  #expression(at: Located, text: string): Value | undefined {
    const parsed = parseExpression(text);
    return parsed?.kind === 'reference' ? this.reference(at, parsed) : this.#refuseScript(at, `$(${text})`);
  }

  #refuseScript(at: Located, text: string): undefined {
    const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
    const advice = 'use a parameter reference such as $(inputs.reads.path)';
    this.#refusals.refuse(at, `the JavaScript ${short} is not supported`, advice);
    return undefined;
  }

  #member(at: Located, value: Value, part: string | number): Value | undefined {
    if (value instanceof UnknownValue) return this.refuseUnknown(at, value);
    if (value instanceof FileValue) return this.#fileMember(at, value, part);
    if (isList(value) && part === 'length') return value.length;
    const entry = isList(value) && typeof part === 'number' ? value[part] : undefined;
    if (entry === undefined) this.#refusals.refuse(at, `${shown(value)} has no ${JSON.stringify(part)}`);
    return entry;
  }

  #fileMember(at: Located, file: FileValue, part: string | number): Value | undefined {
    const dot = file.basename.lastIndexOf('.');
    const stem = dot > 0 ? dot : file.basename.length;
    if (part === 'class') return file.kind;
    if (part === 'basename') return file.basename;
    if (part === 'nameroot') return file.basename.slice(0, stem);
    if (part === 'nameext') return file.basename.slice(stem);
    if (part === 'path' || part === 'location') return this.pathOf(at, file);
    const advice = 'path, basename, nameroot and nameext are';
    this.#refusals.refuse(at, `${String(part)} of a ${file.kind} is not known on import`, advice);
    return undefined;
  }

  /** Path of a file for a command; undefined if it is refused. */
  pathOf(at: Located, file: FileValue): string | undefined {
    const path = file.path ?? this.#names.passed?.pathOf(file);
    if (path !== undefined) return path;
    const whose = file.from ? `a ${file.kind} of ${file.from.label}` : shown(file);
    this.#refusals.refuse(
      at,
      `${whose} cannot be passed to another job`,
      'give a folder that payloads can write on all workers as --shared-folder',
    );
    return undefined;
  }

  #inText(at: Located, value: Value | undefined): string | undefined {
    if (value === undefined || typeof value === 'string') return value;
    if (value instanceof UnknownValue) return this.refuseUnknown(at, value);
    if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
    this.#refusals.refuse(at, `${shown(value)} cannot be part of a text`, 'use its path or its basename');
    return undefined;
  }
}

type Part = { readonly text: string } | { readonly expression: string };

/** Texts and expressions of a value, in their order; undefined if it has JavaScript in braces. */
export function partsOf(whole: string): readonly Part[] | undefined {
  if (!/\$[({]/.test(whole)) return [{ text: whole }];
  // Blanks around references do not count: a text in lines has a line break at its end.
  const text = whole.trim();
  const parts: Part[] = [];
  let plain = '';
  for (let at = 0; at < text.length;) {
    const two = text.slice(at, at + 2);
    if (two === '${') return undefined;
    if (two === '\\\\' || /^\\\$[({]/.test(text.slice(at, at + 3))) {
      plain += text.charAt(at + 1);
      at += 2;
      // The bracket after an escaped sign belongs to the text.
      if (plain.endsWith('$')) {
        plain += text.charAt(at);
        at += 1;
      }
    } else if (two === '$(') {
      const end = endOf(text, at + 2);
      if (end === undefined) return undefined;
      if (plain !== '') parts.push({ text: plain });
      parts.push({ expression: text.slice(at + 2, end) });
      [plain, at] = ['', end + 1];
    } else {
      plain += text.charAt(at);
      at += 1;
    }
  }
  return plain !== '' || parts.length === 0 ? [...parts, { text: plain }] : parts;
}

/** Offset of the bracket that closes an expression; undefined if there is none. */
function endOf(text: string, start: number): number | undefined {
  let depth = 0;
  let quote = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '(') depth += 1;
    else if (character === ')') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  return undefined;
}
