import { type ArgumentNode, print } from 'graphql';
import type { PathSegment } from '../plan-format.js';
import type { SelectionSetNode } from 'graphql';
import type { Group, SelectionBuilder } from './group.js';
import type { Vertex } from './vertex.js';

/** A fetch that returns fields of the objects at a position. */
export interface Presence {
  readonly group: Group;
  /** The subgraph as the type of the position sees it. */
  readonly vertex: Vertex;
  readonly builder: SelectionBuilder;
  /** External fields that are included by `@provides`. */
  readonly provided: SelectionSetNode | undefined;
}

/** Objects of one type at one path of the answer: all fetches merge into the same objects. */
export class InsertionPoint {
  readonly path: readonly PathSegment[];
  readonly typeName: string;
  /** By vertex id: the existing fetches, to which fields can be added. */
  readonly presences = new Map<string, Presence>();
  /** Fetches created for `@requires`, by vertex and required fields. */
  readonly required = new Map<string, Presence>();
  readonly #children = new Map<string, InsertionPoint>();
  /** The field that each response key stands for in the client's operation. */
  #client: ReadonlyMap<string, string> | undefined;

  constructor(path: readonly PathSegment[], typeName: string) {
    this.path = path;
    this.typeName = typeName;
  }

  /** Registers the keys that the client uses here, before any internal field is added. */
  reserveKeys(keys: ReadonlyMap<string, string>): void {
    this.#client = new Map([...(this.#client ?? []), ...keys]);
  }

  /** Response key for an internal field: the client's key if it selects the same field. */
  internalKey(name: string, args: readonly ArgumentNode[]): string {
    const signature = signatureOf(name, args);
    const taken = this.#client?.get(name);
    if (this.#client && (taken === undefined || taken === signature) && args.length === 0) return name;
    if (taken === signature) return name;
    return args.length === 0 ? `_rhz_${name}` : `_rhz_${name}_${digest(signature)}`;
  }

  /** Position of the values of a field for one type. */
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

/** Identifies fields that must not share a response key. */
export function signatureOf(name: string, args: readonly ArgumentNode[]): string {
  return `${name}(${args.map(print).sort().join(',')})`;
}

function digest(text: string): string {
  let sum = 0;
  for (let index = 0; index < text.length; index++) sum = (Math.imul(sum, 31) + text.charCodeAt(index)) >>> 0;
  return sum.toString(36);
}
