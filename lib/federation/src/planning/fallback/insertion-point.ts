import { type ArgumentNode, print } from 'graphql';
import type { PathSegment } from '../plan-format.js';
import type { SelectionSetNode } from 'graphql';
import type { Group, SelectionBuilder } from './group.js';
import type { Vertex } from './vertex.js';

/** A fetch that has something of the objects of a place. */
export interface Presence {
  readonly group: Group;
  /** The subgraph as the type of the place sees it. */
  readonly vertex: Vertex;
  readonly builder: SelectionBuilder;
  /** External fields that came along by `@provides`. */
  readonly provided: SelectionSetNode | undefined;
}

/** Objects of one type at one path of the answer: all fetches merge into the same objects. */
export class InsertionPoint {
  readonly path: readonly PathSegment[];
  readonly typeName: string;
  /** By vertex id: the fetches that are there, and into which fields can be put. */
  readonly presences = new Map<string, Presence>();
  /** Fetches made for `@requires`, by vertex and required fields. */
  readonly required = new Map<string, Presence>();
  readonly #children = new Map<string, InsertionPoint>();
  /** What each response key stands for, as the client has it. */
  #client: ReadonlyMap<string, string> | undefined;

  constructor(path: readonly PathSegment[], typeName: string) {
    this.path = path;
    this.typeName = typeName;
  }

  /** Tells which keys the client uses here, before any internal field is put. */
  reserveKeys(keys: ReadonlyMap<string, string>): void {
    this.#client = new Map([...(this.#client ?? []), ...keys]);
  }

  /** The response key for a field that only we need: the client's if that is the same field. */
  internalKey(name: string, args: readonly ArgumentNode[]): string {
    const signature = signatureOf(name, args);
    const taken = this.#client?.get(name);
    if (this.#client && (taken === undefined || taken === signature) && args.length === 0) return name;
    if (taken === signature) return name;
    return args.length === 0 ? `_rhz_${name}` : `_rhz_${name}_${digest(signature)}`;
  }

  /** The place of a field's values of one type. */
  child(key: string, segments: readonly PathSegment[], typeName: string): InsertionPoint {
    const id = `${key}|${typeName}`;
    let place = this.#children.get(id);
    if (!place) {
      place = new InsertionPoint([...this.path, ...segments], typeName);
      this.#children.set(id, place);
    }
    return place;
  }
}

/** Tells fields apart that must not share a response key. */
export function signatureOf(name: string, args: readonly ArgumentNode[]): string {
  return `${name}(${args.map(print).sort().join(',')})`;
}

function digest(text: string): string {
  let sum = 0;
  for (let index = 0; index < text.length; index++) sum = (Math.imul(sum, 31) + text.charCodeAt(index)) >>> 0;
  return sum.toString(36);
}
