/** Answers of operations as text for models: numbers before rows, rows as CSV, the rest as compact JSON. */
import { type Cell, csv } from './csv.js';
import { isPlain, quoted, UntrustedTexts } from './untrusted.js';

/** Texts of an answer. */
export interface RenderedAnswer {
  readonly text: string;
  /** Block of texts that others have written; undefined without any. */
  readonly untrusted: string | undefined;
}

/** Paths of fields in the response, without positions in lists. */
export interface TextPaths {
  /** Fields whose texts always leave their place. */
  readonly untrusted: readonly string[];
  /** Fields whose texts the services write. */
  readonly trusted: readonly string[];
}

/** Largest answer, in characters; further rows are left out. */
const longestAnswer = 24_000;
/** Fields of an object that are columns of a table; larger ones are one cell. */
const mostColumns = 40;
/** Names of GraphQL. Keys of a value of the scalar JSON may be any text. */
const name = /^[_a-zA-Z]\w{0,62}$/;
/** Cursors, which may be longer than other words. */
const cursor = /^[\w+/=.-]{1,400}$/;

/** Renders the data of an answer. */
export function renderData(data: Readonly<Record<string, unknown>>, paths: TextPaths): RenderedAnswer {
  const renderer = new Renderer(paths);
  const parts = Object.entries(data).map(([key, value]) => renderer.field(key, value));
  return { text: parts.join('\n'), untrusted: renderer.texts.block() };
}

class Renderer {
  readonly texts = new UntrustedTexts();
  readonly #untrusted: ReadonlySet<string>;
  readonly #trusted: ReadonlySet<string>;
  #left = longestAnswer;

  constructor({ untrusted, trusted }: TextPaths) {
    this.#untrusted = new Set(untrusted);
    this.#trusted = new Set(trusted);
  }

  /** One root field. A field that only wraps another one, such as that of an experiment, is left out. */
  field(path: string, value: unknown): string {
    if (value === null || value === undefined) return `${path}: null (does not exist, or you may not see it)`;
    if (Array.isArray(value)) return this.#list(path, value, {});
    if (!isObject(value)) return `${path}: ${String(this.#leaf(path, value))}`;
    if (!hasNames(value)) return `${path}: ${this.#json(path, value)}`;
    if (Array.isArray(value['nodes'])) return this.#connection(path, value);
    const entries = Object.entries(value);
    const [only] = entries;
    if (entries.length === 1 && only && isObject(only[1])) return this.field(`${path}.${only[0]}`, only[1]);
    const lists = entries.filter(([, one]) => isTable(one));
    const rest = entries.filter(([, one]) => !isTable(one));
    const facts = rest.length === 0 ? [] : [`${path}: ${this.#json(path, Object.fromEntries(rest))}`];
    return [...facts, ...lists.map(([key, one]) => this.field(`${path}.${key}`, one))].join('\n');
  }

  #connection(path: string, { nodes, totalCount, pageInfo, ...rest }: Readonly<Record<string, unknown>>) {
    const page = isObject(pageInfo) ? pageInfo : {};
    const next = page['hasNextPage'] === true ? page['endCursor'] : undefined;
    const more = Object.keys(rest).length === 0 ? '' : `\n${this.#json(path, rest)}`;
    return `${this.#list(`${path}.nodes`, nodes as unknown[], { total: totalCount, next, named: path })}${more}`;
  }

  #list(
    path: string,
    values: readonly unknown[],
    {
      total,
      next,
      named = path,
    }: { readonly total?: unknown; readonly next?: unknown; readonly named?: string },
  ): string {
    if (!values.every((one) => isObject(one) && hasNames(one)))
      return `${named}: ${this.#json(path, values)}`;
    const rows: ReadonlyMap<string, Cell>[] = [];
    const columns = new Set<string>();
    for (const value of values) {
      const row = this.#row(path, value as Readonly<Record<string, unknown>>);
      const fresh = [...row.keys()].filter((column) => !columns.has(column));
      // A column has a name, and a comma in each line.
      this.#left -= [...row.values()].join('').length + columns.size;
      for (const column of fresh) this.#left -= column.length + rows.length + 2;
      if (this.#left < 0) break;
      for (const column of fresh) columns.add(column);
      rows.push(row);
    }
    const of = typeof total === 'number' ? ` of ${total}` : '';
    const cut =
      rows.length < values.length
        ? `; the other ${values.length - rows.length} do not fit: ask for fewer`
        : '';
    const after = typeof next === 'string' ? `; next: after ${this.#cursor(next)}` : '';
    const head = `# ${named}: ${rows.length}${of}${cut}${after}`;
    return rows.length === 0 ? head : `${head}\n${csv(rows)}`;
  }

  #row(path: string, value: Readonly<Record<string, unknown>>, prefix = ''): Map<string, Cell> {
    const row = new Map<string, Cell>();
    for (const [key, one] of Object.entries(value)) {
      const at = `${path}.${key}`;
      if (isObject(one) && !hasNames(one)) row.set(prefix + key, this.#json(at, one));
      else if (isObject(one))
        for (const [name, cell] of this.#row(at, one, `${prefix}${key}.`)) row.set(name, cell);
      else if (Array.isArray(one)) row.set(prefix + key, this.#cells(at, one));
      else row.set(prefix + key, this.#leaf(at, one));
    }
    return row;
  }

  #cells(path: string, values: readonly unknown[]): Cell {
    if (values.length === 0) return null;
    if (values.some((one) => typeof one === 'object' && one !== null)) return this.#json(path, values);
    return values.map((one) => this.#leaf(path, one)).join(' ');
  }

  #json(path: string, value: unknown): string {
    const text = JSON.stringify(this.#judged(path, value));
    if (text.length <= Math.max(this.#left, 500)) {
      this.#left -= text.length;
      return text;
    }
    return `(${text.length} characters do not fit: ask for less)`;
  }

  /** The value with marks for its texts, and without what is null. */
  #judged(path: string, value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.#judged(path, one));
    if (!isObject(value)) return this.#leaf(path, value);
    const entries = Object.entries(value).filter(([, one]) => one !== null && one !== undefined);
    return Object.fromEntries(
      entries.map(([key, one]) => [this.#key(key), this.#judged(`${path}.${key}`, one)]),
    );
  }

  #cursor(text: string): string {
    return cursor.test(text) ? `"${text}"` : this.texts.add(text);
  }

  /** Keys of GraphQL are names; those of a JSON scalar may be any text. */
  #key(key: string): string {
    return isPlain(key) ? key : this.texts.add(key);
  }

  #leaf(path: string, value: unknown): Cell {
    if (typeof value !== 'string') return value as Cell;
    if (value === '') return '';
    if (this.#untrusted.has(path)) return this.texts.add(value);
    if (isPlain(value)) return value.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d{3}Z$/, '$1Z');
    return this.#trusted.has(path) ? printable(value) : this.texts.add(value);
  }
}

/** A text of a service, on one line and without invisible characters. */
export function printable(text: string): string {
  return quoted(text.replace(/\s+/g, ' ').slice(0, 1000)).slice(1, -1).replaceAll('\\"', '"');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** False for values of the scalar JSON whose keys are no names, or too many for columns. */
function hasNames(value: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(value);
  return keys.length <= mostColumns && keys.every((key) => name.test(key));
}

/** A list of objects, or a connection, which has a table of its own. */
function isTable(value: unknown): boolean {
  if (isObject(value)) return Array.isArray(value['nodes']);
  return Array.isArray(value) && value.length > 1 && value.every(isObject);
}
