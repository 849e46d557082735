/**
 * A parsed JSON value on its way from a thread to the event loop, in steps of bounded size: taking over one
 * structured clone costs as much as parsing it.
 */
export type JsonPiece =
  | { readonly open: 'list' | 'object'; readonly key: string | undefined }
  /** Values of the open list. */
  | { readonly items: readonly unknown[] }
  /** Entries of the open object. */
  | { readonly entries: readonly (readonly [string, unknown])[] }
  | { readonly close: true }
  /** The whole value, if it is small. */
  | { readonly whole: unknown };

type JsonObject = Record<string, unknown>;

/** Size of one piece, in characters and values. */
const pieceSize = 128 * 1024;

/** Cuts a value into pieces. A long string is one piece: strings cannot be assembled without a copy. */
export function* cutJson(value: unknown, size = pieceSize): Generator<JsonPiece> {
  const isSimple = typeof value !== 'object' || value === null;
  if (isSimple || weigh(value, size) < size) yield { whole: value };
  else yield* cutLarge(value, undefined, size);
}

function* cutLarge(value: unknown, key: string | undefined, size: number): Generator<JsonPiece> {
  if (typeof value !== 'object' || value === null) {
    yield key === undefined ? { items: [value] } : { entries: [[key, value]] };
    return;
  }
  const isList = Array.isArray(value);
  yield { open: isList ? 'list' : 'object', key };
  yield* isList ? cutItems(value, size) : cutEntries(value as JsonObject, size);
  yield { close: true };
}

function* cutItems(list: readonly unknown[], size: number): Generator<JsonPiece> {
  let items: unknown[] = [];
  let weight = 0;
  for (const item of list) {
    const own = weigh(item, size);
    if (items.length > 0 && weight + own >= size) {
      yield { items };
      items = [];
      weight = 0;
    }
    if (own >= size) yield* cutLarge(item, undefined, size);
    else {
      items.push(item);
      weight += own;
    }
  }
  if (items.length > 0) yield { items };
}

function* cutEntries(object: JsonObject, size: number): Generator<JsonPiece> {
  let entries: [string, unknown][] = [];
  let weight = 0;
  for (const key of Object.keys(object)) {
    const own = weigh(object[key], size) + key.length;
    if (entries.length > 0 && weight + own >= size) {
      yield { entries };
      entries = [];
      weight = 0;
    }
    if (own >= size) yield* cutLarge(object[key], key, size);
    else {
      entries.push([key, object[key]]);
      weight += own;
    }
  }
  if (entries.length > 0) yield { entries };
}

/** Characters and values of a value; stops counting at `most`. */
function weigh(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length + 8;
  if (typeof value !== 'object' || value === null) return 8;
  let weight = 16;
  if (Array.isArray(value)) {
    for (const item of value) if ((weight += weigh(item, most - weight)) >= most) break;
    return weight;
  }
  const object = value as JsonObject;
  for (const key of Object.keys(object)) {
    weight += key.length + weigh(object[key], most - weight);
    if (weight >= most) break;
  }
  return weight;
}

/** Puts pieces together. */
export class JsonAssembly {
  readonly #open: { readonly value: unknown[] | JsonObject; readonly key: string | undefined }[] = [];
  #root: unknown;

  /** Takes the next piece. Returns true if the value is complete. */
  addPiece(piece: JsonPiece): boolean {
    if ('whole' in piece) {
      this.#root = piece.whole;
      return true;
    }
    if ('open' in piece) this.#open.push({ value: piece.open === 'list' ? [] : {}, key: piece.key });
    else if ('items' in piece) for (const item of piece.items) this.#add(undefined, item);
    else if ('entries' in piece) for (const [key, value] of piece.entries) this.#add(key, value);
    else {
      const closed = this.#open.pop();
      if (this.#open.length === 0) {
        this.#root = closed?.value;
        return true;
      }
      this.#add(closed?.key, closed?.value);
    }
    return false;
  }

  get value(): unknown {
    return this.#root;
  }

  #add(key: string | undefined, value: unknown): void {
    const target = this.#open.at(-1)?.value;
    if (Array.isArray(target)) target.push(value);
    else if (key === '__proto__') {
      // As JSON.parse does: an assignment would set the prototype.
      Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
    } else if (target && key !== undefined) target[key] = value;
  }
}
