import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';

/**
 * JSON with members in one order, whatever theirs is, and without members that are null or absent. Null in a
 * list stays: it has a position. A value with a JSON form of its own, such as a date, is written in that
 * form.
 */
export function canonicalJson(value: unknown): string {
  // Sorted first and then written by the engine: twice as fast as writing the text here.
  return JSON.stringify(sorted(value)) ?? 'null';
}

/** SHA-256 of a value's {@link canonicalJson}, in base64url. */
export function digestOf(value: unknown): string {
  return digestOfText(canonicalJson(value));
}

/** Characters that are digested in one turn of the event loop, and by one call of the hash. */
const perTurn = 512 * 1024;
const perUpdate = 64 * 1024;

/**
 * As {@link digestOf}, in several turns of the event loop for a large value, which must not change meanwhile.
 */
export function digestInTurns(value: unknown): Promise<string> {
  return hashInTurns(createHash('sha256'), piecesOf(value, canonical, 4));
}

/**
 * HMAC-SHA-256 of a value's JSON text, in base64url; in several turns of the event loop for a large value,
 * which must not change meanwhile. It differs for another order of members.
 */
export function keyedDigestInTurns(value: unknown, key: Uint8Array): Promise<string> {
  return hashInTurns(createHmac('sha256', key), piecesOf(value, plain, 4));
}

async function hashInTurns(hash: Hash | Hmac, pieces: Iterable<string>): Promise<string> {
  let left = perTurn;
  let text = '';
  for (const piece of pieces) {
    left -= piece.length;
    // Each update converts its text: most values fit into one.
    text += piece;
    if (text.length < perUpdate) continue;
    hash.update(text);
    text = '';
    if (left > 0) continue;
    left = perTurn;
    await turn();
  }
  return hash.update(text).digest('base64url');
}

/** Text of JSON values. */
interface Writing {
  readonly write: (value: unknown) => string;
  /** Members of an object that have a text, in order. */
  readonly members: (object: Readonly<Record<string, unknown>>) => readonly string[];
}

const canonical: Writing = {
  write: canonicalJson,
  members: (object) =>
    Object.keys(object)
      .sort()
      .filter((name) => object[name] !== undefined && object[name] !== null),
};

const plain: Writing = {
  write: (value) => JSON.stringify(value) ?? 'null',
  members: (object) => Object.keys(object).filter((name) => object[name] !== undefined),
};

/** Elements of a long list in one piece. */
const inOnePiece = 32;

/** Pieces that make up the text of a value; the outer levels are divided. */
function* piecesOf(value: unknown, writing: Writing, levels: number): Generator<string> {
  if (typeof value !== 'object' || value === null || levels === 0 || 'toJSON' in value) {
    yield writing.write(value);
  } else if (Array.isArray(value)) {
    yield* piecesOfList(value, writing, levels);
  } else {
    yield* piecesOfObject(value as Readonly<Record<string, unknown>>, writing, levels);
  }
}

function* piecesOfList(list: readonly unknown[], writing: Writing, levels: number): Generator<string> {
  yield '[';
  if (list.length <= inOnePiece) {
    for (const [at, element] of list.entries()) {
      if (at > 0) yield ',';
      yield* piecesOf(element, writing, levels - 1);
    }
  } else {
    for (let at = 0; at < list.length; at += inOnePiece) {
      const text = writing.write(list.slice(at, at + inOnePiece)).slice(1, -1);
      yield at > 0 ? `,${text}` : text;
    }
  }
  yield ']';
}

function* piecesOfObject(
  object: Readonly<Record<string, unknown>>,
  writing: Writing,
  levels: number,
): Generator<string> {
  let before = '{';
  for (const name of writing.members(object)) {
    yield `${before}${JSON.stringify(name)}:`;
    yield* piecesOf(object[name], writing, levels - 1);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

/**
 * Whether a stored digest is that of the value: by {@link digestOf}, or of its plain JSON text, as earlier
 * versions stored some.
 * @param digest of the value, where the caller has it
 */
export function isDigestOf(stored: string, value: unknown, digest = digestOf(value)): boolean {
  return stored === digest || stored === digestOfText(JSON.stringify(value) ?? 'null');
}

/** SHA-256 of a text as it is, in base64url. */
export function digestOfText(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return value;
  // An object literal: the engine writes one without a prototype half as fast.
  const members: Record<string, unknown> = {};
  for (const name of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[name];
    if (member === undefined || member === null) continue;
    if (name !== '__proto__') members[name] = sorted(member);
    else Object.defineProperty(members, name, { value: sorted(member), enumerable: true });
  }
  return members;
}
