/** Command lines of tools. */
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { Evaluator } from './evaluate.js';
import { refuseOthers } from './fields.js';
import { type CwlType, typeFor } from './types.js';
import { FileValue, isList, UnknownValue, type Value } from './values.js';

/** A word of a command line. */
export interface Word {
  readonly text: string;
  /** False for what a shell interprets. */
  readonly isQuoted: boolean;
}

/** An input of a tool with its value. */
export interface ToolInput {
  readonly name: string;
  /** Declaration in the tool. */
  readonly at: Located;
  /** Place that the value comes from. */
  readonly given: Located;
  readonly types: readonly CwlType[];
  readonly value: Value;
}

interface Entry {
  readonly position: number;
  /** Arguments come before inputs. */
  readonly rank: number;
  readonly key: number | string;
  readonly words: readonly Word[];
}

const bindingFields = new Set([
  ...['position', 'prefix', 'separate', 'itemSeparator', 'valueFrom', 'shellQuote', 'loadContents'],
]);

/** Words of the command of a tool, in the order of the standard. */
export function commandWords(
  tool: Located,
  inputs: readonly ToolInput[],
  evaluator: Evaluator,
  refusals: Refusals,
): readonly Word[] {
  const binder = new Binder(evaluator, refusals);
  const entries: Entry[] = [
    ...(tool.member('arguments')?.entries() ?? []).map((at, index) => ({
      ...{ position: binder.positionOf(at), rank: 0, key: index, words: binder.argument(at) },
    })),
    ...inputs.flatMap((input) => {
      const binding = input.at.member('inputBinding');
      const type = typeFor(input.value, input.types);
      binder.checkTypes(input.types, binding);
      if (!binding && !type?.binding) return [];
      // The binding of a list is one of its entries.
      const own = binding ?? (type?.items ? undefined : type?.binding);
      const words = binder.input(input, type, own);
      const position = own ? binder.positionOf(own, input.value) : 0;
      return [{ position, rank: 1, key: input.name, words }];
    }),
  ];
  entries.sort(
    (a, b) => a.position - b.position || a.rank - b.rank || (a.key < b.key ? -1 : Number(a.key > b.key)),
  );
  const base = tool.member('baseCommand');
  const words = base?.isList === true ? base.entries() : base ? [base] : [];
  const command = words.flatMap((at) => {
    if (at.text === undefined) refusals.invalid(at, 'a text');
    return at.text === undefined ? [] : [{ text: at.text, isQuoted: true }];
  });
  return [...command, ...entries.flatMap((entry) => entry.words)];
}

class Binder {
  readonly #evaluator: Evaluator;
  readonly #refusals: Refusals;

  constructor(evaluator: Evaluator, refusals: Refusals) {
    this.#evaluator = evaluator;
    this.#refusals = refusals;
  }

  /** Position of a binding, whose expression may name the value. */
  positionOf(at: Located, self: Value = null): number {
    const position = at.member('position');
    if (!position) return 0;
    const value = this.#evaluator.with(self).valueOf(position);
    if (value === null) return 0;
    if (typeof value === 'number') return value;
    if (value !== undefined) this.#refusals.invalid(position, 'a whole number');
    return 0;
  }

  argument(at: Located): readonly Word[] {
    if (!at.isMap) {
      const whole = this.#evaluator.valueOf(at);
      return whole === undefined ? [] : this.#words(whole, { binding: undefined, at });
    }
    const value = this.#evaluator.valueOf(at.place('valueFrom'));
    return value === undefined ? [] : this.#words(value, { binding: withoutValue(at), at });
  }

  /** Refuses bindings within types that give a value a second place, or entries of a list their own. */
  checkTypes(types: readonly CwlType[], outer: Located | undefined): void {
    for (const { binding, items } of types) {
      if (items) {
        const position = binding?.member('position');
        if (position)
          this.#refusals.refuse(position, 'is not supported within a list', 'give it to the input');
        this.checkItems(items);
      } else if (binding && outer) this.#refuseSecond(binding);
    }
  }

  /** Entries have the binding of their list. */
  checkItems(types: readonly CwlType[]): void {
    for (const { binding, items } of types) {
      if (items) this.checkTypes([{ name: 'array', items, ...(binding ? { binding } : {}) }], undefined);
      else if (binding) this.#refuseSecond(binding);
    }
  }

  #refuseSecond(binding: Located): void {
    this.#refusals.refuse(
      binding,
      'is a second binding of the same value',
      'give one to the input or its list',
    );
  }

  input(
    { value, given }: ToolInput,
    type: CwlType | undefined,
    binding: Located | undefined,
  ): readonly Word[] {
    return this.#words(value, { binding, at: given, type });
  }

  #words(
    value: Value,
    how: { readonly binding: Located | undefined; readonly at: Located; readonly type?: CwlType | undefined },
  ): readonly Word[] {
    const { binding, at, type } = how;
    if (binding) this.#check(binding);
    const from = binding?.member('valueFrom');
    if (value === null) return [];
    const bound = from ? this.#evaluator.with(value).valueOf(from) : value;
    if (bound === undefined || bound === null) return [];
    if (bound instanceof UnknownValue) return this.#evaluator.refuseUnknown(at, bound) ?? [];
    const isQuoted = binding?.member('shellQuote')?.value !== false;
    const prefix = binding?.member('prefix')?.text;
    const word = (text: string): Word => ({ text, isQuoted });
    const single = (text: string): readonly Word[] => {
      if (prefix === undefined) return [word(text)];
      return binding?.member('separate')?.value === false
        ? [word(prefix + text)]
        : [word(prefix), word(text)];
    };
    if (typeof bound === 'boolean') return bound && prefix !== undefined ? [word(prefix)] : [];
    if (!isList(bound)) return this.#single(bound, at, single);
    if (bound.length === 0) return [];
    const separator = binding?.member('itemSeparator')?.text;
    const items = bound.map((entry) =>
      this.#words(entry, { binding: type?.binding, at, type: typeFor(entry, type?.items ?? []) }),
    );
    if (separator !== undefined)
      return single(items.map((words) => words.map(({ text }) => text).join(' ')).join(separator));
    return [...(prefix === undefined ? [] : [word(prefix)]), ...items.flat()];
  }

  #single(
    value: Exclude<Value, null | boolean | UnknownValue | readonly Value[]>,
    at: Located,
    single: (text: string) => readonly Word[],
  ): readonly Word[] {
    if (!(value instanceof FileValue)) return single(String(value));
    const path = this.#evaluator.pathOf(at, value);
    return path === undefined ? [] : single(path);
  }

  #check(binding: Located): void {
    refuseOthers(binding, bindingFields, this.#refusals);
    const contents = binding.member('loadContents');
    if (contents?.value === true) this.#refusals.refuse(contents, 'contents of files are not read on import');
  }
}

/** An argument as a binding of its value, which is evaluated already. */
function withoutValue(at: Located): Located {
  const { valueFrom: _value, ...binding } = at.value as Readonly<Record<string, unknown>>;
  return at.with(binding);
}
