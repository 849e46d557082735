import {
  type AbstractModel,
  type EnumModel,
  type FieldModel,
  type Model,
  type ObjectModel,
  scalars,
} from './model.js';
import { Random } from './random.js';
import { NeedsMaker } from './random-needs.js';

/** Creates a random model. Not every model composes; the caller uses the next seed then. */
export function randomModel(seed: string): Model {
  return new ModelMaker(seed).make();
}

const wrappers = ['T', 'T', 'T!', '[T]', '[T!]', '[T!]!', '[T]!', '[[T!]]', '[[T]!]!'];

class ModelMaker {
  readonly #random: Random;
  readonly #seed: string;
  readonly #subgraphs: number;
  readonly #objects: ObjectModel[] = [];
  readonly #abstracts: AbstractModel[] = [];
  readonly #enums: EnumModel[] = [];
  #names = 0;

  constructor(seed: string) {
    this.#seed = seed;
    this.#random = new Random(`model:${seed}`);
    this.#subgraphs = this.#random.int(2, 6);
  }

  make(): Model {
    const random = this.#random;
    this.#enums.push({
      name: 'Kind',
      values: ['RED', 'GREEN', 'BLUE'],
      hidden: random.chance(0.4) ? 'BLUE' : undefined,
    });
    for (let index = random.int(2, 4); index > 0; index--) this.#entity();
    for (let index = random.int(1, 3); index > 0; index--) this.#value();
    this.#unions();
    this.#interfaces();
    for (const object of this.#objects) this.#fill(object);
    for (const abstract of this.#abstracts) this.#disagree(abstract);
    const needs = new NeedsMaker(random, this.#objects, (prefix) => this.#name(prefix));
    for (const object of [...this.#objects]) needs.needy(object);
    for (const object of this.#objects) needs.overrides(object);
    return {
      seed: this.#seed,
      subgraphs: this.#subgraphs,
      objects: this.#objects,
      abstracts: this.#abstracts,
      enums: this.#enums,
      queries: this.#roots('q', 1, 2),
      mutations: random.chance(0.6) ? this.#roots('m', 0, 2) : [],
      subscriptions: random.chance(0.3) ? this.#roots('s', 0, 1) : [],
    };
  }

  #all(): number[] {
    return Array.from({ length: this.#subgraphs }, (_, index) => index);
  }

  #entity(): void {
    const random = this.#random;
    const name = `E${this.#objects.length}`;
    const present = new Map<number, string[]>();
    const everywhere = random.shuffled(this.#all()).slice(0, random.int(1, Math.min(4, this.#subgraphs)));
    const style = random.pick(['id', 'id', 'id', 'chain', 'both', 'nested'] as const);
    for (const [position, subgraph] of everywhere.entries()) {
      if (style === 'id') present.set(subgraph, ['id']);
      else if (style === 'both') present.set(subgraph, random.pick([['id'], ['id', 'sku'], ['id sku']]));
      else if (style === 'nested')
        present.set(
          subgraph,
          position === 0 ? ['id', 'ref { code }'] : random.pick([['id'], ['ref { code }']]),
        );
      else present.set(subgraph, position === 0 ? ['id', 'sku'] : random.pick([['id'], ['sku']]));
    }
    if (style === 'both' && everywhere[0] !== undefined) present.set(everywhere[0], ['id', 'sku', 'id sku']);
    this.#objects.push({
      kind: 'entity',
      name,
      fields: [],
      present,
      interfaces: [],
      externals: new Map(),
      hidden: false,
    });
  }

  #value(): void {
    const random = this.#random;
    const name = `V${this.#objects.length}`;
    const present = new Map(
      random
        .shuffled(this.#all())
        .slice(0, random.int(1, 2))
        .map((subgraph) => [subgraph, []]),
    );
    const hidden = random.chance(0.1);
    this.#objects.push({
      kind: 'value',
      name,
      fields: [],
      present,
      interfaces: [],
      externals: new Map(),
      hidden,
    });
  }

  #unions(): void {
    const random = this.#random;
    for (let index = random.int(0, 2); index > 0; index--) {
      const members = random.shuffled(this.#objects).slice(0, random.int(1, 4));
      const visible = members.filter(({ hidden }) => !hidden);
      if (visible.length === 0) continue;
      const present = this.#all().filter((subgraph) =>
        visible.some((member) => member.present.has(subgraph)),
      );
      this.#abstracts.push({
        kind: 'union',
        name: `U${index}`,
        present: present.slice(0, 2),
        members: members.map(({ name }) => name),
        fields: [],
      });
    }
  }

  #interfaces(): void {
    const random = this.#random;
    for (let index = random.int(0, 2); index > 0; index--) {
      const home = random.pick(this.#all());
      const candidates = this.#objects.filter(
        ({ kind, hidden, name }) => kind === 'entity' && !hidden && !this.#isBehindInterface(name, home),
      );
      const members = random.shuffled(candidates).slice(0, random.int(1, 3));
      if (members.length === 0) continue;
      // The subgraph that owns an interface knows all of its types by a common key.
      for (const member of members) this.#addKey(member, home, 'id');
      const objectIn = random.chance(0.6)
        ? this.#all().find((subgraph) => members.every((member) => !member.present.has(subgraph)))
        : undefined;
      const name = `I${index}`;
      const fields: FieldModel[] = [this.#keyField('id', [])];
      for (let count = random.int(0, 2); count > 0; count--) {
        const field = this.#field(home, 'i');
        fields.push(field);
        for (const member of members) member.fields.push(field);
      }
      if (objectIn !== undefined) {
        for (let count = random.int(1, 2); count > 0; count--) fields.push(this.#scalarField(objectIn, 'o'));
        if (random.chance(0.5)) fields.push(this.#another(name, objectIn));
      }
      for (const member of members) member.interfaces.push(name);
      this.#abstracts.push({
        kind: 'interface',
        name,
        present: [home],
        members: members.map((member) => member.name),
        fields,
        objectIn,
      });
    }
  }

  /** A field of an interface object that leads to others of its kind. */
  #another(name: string, owner: number): FieldModel {
    const type = this.#random.pick(wrappers).replace('T', name);
    return { name: this.#name('o'), type, args: '', owners: [owner], steady: false };
  }

  #addKey(object: ObjectModel, subgraph: number, key: string): void {
    const keys = object.present.get(subgraph);
    if (!keys) object.present.set(subgraph, [key]);
    else if (!keys.includes(key)) keys.push(key);
  }

  #keyField(name: string, owners: readonly number[]): FieldModel {
    return { name, type: 'ID!', args: '', owners, steady: true };
  }

  #fill(object: ObjectModel): void {
    const random = this.#random;
    const subgraphs = [...object.present.keys()];
    if (object.kind === 'value') {
      // Several owners must agree on all of a value type.
      for (let count = random.int(1, 3); count > 0; count--) {
        const field =
          subgraphs.length === 1 && subgraphs[0] !== undefined && random.chance(0.6)
            ? this.#field(subgraphs[0], 'v')
            : this.#scalarField(subgraphs[0] ?? 0, 'v');
        object.fields.push({ ...field, owners: subgraphs });
      }
      return;
    }
    for (const subgraph of subgraphs) {
      for (let count = random.int(0, 4); count > 0; count--) object.fields.push(this.#field(subgraph, 'f'));
    }
    this.#common(object, subgraphs);
    if (subgraphs.length > 1 && random.chance(0.5)) {
      object.fields.push({ ...this.#scalarField(0, 'sh'), owners: random.shuffled(subgraphs).slice(0, 2) });
    }
  }

  /** A field of the same name in many types, on whose nullability the subgraphs disagree. */
  #common(object: ObjectModel, subgraphs: readonly number[]): void {
    const random = this.#random;
    if (!random.chance(0.7)) return;
    const owners = random.shuffled(subgraphs).slice(0, 2);
    const strictIn = owners.length > 1 && random.chance(0.5) ? owners.slice(0, 1) : [];
    object.fields.push({ name: 'common', type: 'Int', args: '', owners, steady: true, strictIn });
  }

  /** In one subgraph, members of an abstract type differ in the nullability of a field that they share. */
  #disagree({ members, present }: AbstractModel): void {
    const [home] = present;
    if (home === undefined || !this.#random.chance(0.6)) return;
    const sharing = members
      .map((member) => this.#objects.find(({ name }) => name === member))
      .filter((object) => object !== undefined && object.present.has(home) && object.present.size > 1);
    for (const [index, object] of sharing.entries()) {
      const other = [...(object?.present.keys() ?? [])].find((subgraph) => subgraph !== home);
      if (!object || other === undefined) continue;
      const kept = object.fields.filter(({ name }) => name !== 'common');
      object.fields.splice(0, object.fields.length, ...kept, {
        name: 'common',
        type: 'Int',
        args: '',
        owners: [home, other],
        steady: true,
        strictIn: index % 2 === 0 ? [home] : [],
      });
    }
  }

  #scalarField(owner: number, prefix: string): FieldModel {
    const random = this.#random;
    const type = random.pick(wrappers).replace('T', random.chance(0.15) ? 'Kind' : random.pick(scalars));
    const tag = random.chance(0.1) ? random.pick(['internal', 'beta']) : undefined;
    return { name: this.#name(prefix), type, args: this.#args(), owners: [owner], steady: false, tag };
  }

  #field(owner: number, prefix: string): FieldModel {
    const random = this.#random;
    if (random.chance(0.45)) return this.#scalarField(owner, prefix);
    const composites = [
      ...this.#objects.filter((object) => object.kind === 'entity' || object.present.has(owner)),
      ...this.#abstracts.filter((type) => type.present.includes(owner) || type.objectIn === owner),
    ].filter((type) => !('hidden' in type && type.hidden) && !this.#isBehindInterface(type.name, owner));
    if (composites.length === 0) return this.#scalarField(owner, prefix);
    const target = random.pick(composites);
    if (target.kind === 'entity' && !target.present.has(owner)) this.#stub(target, owner);
    const type = random.pick(wrappers).replace('T', target.name);
    return {
      name: this.#name(prefix),
      type,
      args: random.chance(0.3) ? this.#args() : '',
      owners: [owner],
      steady: false,
    };
  }

  /** A subgraph that has an interface as an object must not know its types. */
  #isBehindInterface(name: string, subgraph: number): boolean {
    return this.#abstracts.some((one) => one.objectIn === subgraph && one.members.includes(name));
  }

  /** A subgraph that only refers to an entity. */
  #stub(entity: ObjectModel, subgraph: number): void {
    const keys = [...entity.present.values()].flat();
    this.#addKey(entity, subgraph, this.#random.pick(keys));
  }

  #args(): string {
    return this.#random.chance(0.75)
      ? ''
      : this.#random.pick([
          '(a: Int)',
          '(a: Int = 7)',
          '(a: Int!, b: Kind)',
          '(c: [String!])',
          '(w: Int = 1, b: Kind = RED)',
        ]);
  }

  #name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  #roots(prefix: string, low: number, high: number): FieldModel[] {
    return this.#all().flatMap((subgraph) =>
      Array.from({ length: this.#random.int(low, high) }, () => this.#field(subgraph, prefix)),
    );
  }
}
