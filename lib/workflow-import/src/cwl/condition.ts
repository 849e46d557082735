/** Conditions of steps (`when`): decided on import if their values are known, edges if they are results. */
import type { DraftNode } from '../graph/draft.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type { CwlContext } from './context.js';
import { Evaluator } from './evaluate.js';
import { type Expression, parseExpression } from './parse-expression.js';
import { FileValue, isList, producersOf, shown, UnknownValue, type Value } from './values.js';

/** A condition on the end of one step. */
export interface Literal {
  readonly nodes: readonly DraftNode[];
  readonly condition: 'SUCCEEDED' | 'FAILED';
  /** True if it is about the value of an input, and not about the end of the step. */
  readonly isOfInput: boolean;
}

/** Result of a condition. */
export type Decision = { readonly isMet: boolean } | Conditions;

/** Conditions on steps, of which all or one must hold. */
export interface Conditions {
  readonly literals: readonly Literal[];
  readonly needed: 'ALL' | 'ONE';
}

type Outcome = { readonly value: Value } | { readonly pending: Formula };

type Formula =
  | { readonly kind: 'literal'; readonly literal: Literal }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Formula[] };

/**
 * Decides a condition. `self.x` is the success of the step that gives `x`, as in pchain. `inputs.x` is the
 * value, as in CWL: it can be a condition only if it is a file that exists exactly if the step succeeds.
 * Undefined if it is refused.
 */
export function decide(
  at: Located,
  inputs: ReadonlyMap<string, Value>,
  { refusals, conditional }: Pick<CwlContext, 'refusals' | 'conditional'>,
): Decision | undefined {
  const text = /^\s*\$(?:\(([\s\S]*)\)|\{\s*return\s+([^;]*);?\s*\})\s*$/.exec(at.text ?? '');
  const parsed = text ? parseExpression(text[1] ?? text[2] ?? '') : undefined;
  if (!parsed) {
    const advice = 'use references, comparisons, !, && and ||, such as $(inputs.depth > 3)';
    refusals.refuse(at, 'the condition is not supported', advice);
    return undefined;
  }
  const outcome = new Condition(at, inputs, refusals).outcome(parsed);
  if (!outcome) return undefined;
  if ('value' in outcome) {
    const { value } = outcome;
    if (typeof value === 'boolean') return { isMet: value };
    refusals.refuse(at, `the condition is ${shown(value)}`, 'it must be true or false');
    return undefined;
  }
  const decision = decisionOf(outcome.pending, at, refusals);
  return decision && isOfEnds(decision.literals, at, { refusals, conditional }) ? decision : undefined;
}

/** The absence of a file is the failure of its step only if this step cannot be skipped. */
function isOfEnds(
  literals: readonly Literal[],
  at: Located,
  { refusals, conditional }: Pick<CwlContext, 'refusals' | 'conditional'>,
): boolean {
  const skipped = literals.find(
    ({ nodes, condition, isOfInput }) => isOfInput && condition === 'FAILED' && conditional.hasAny(nodes),
  );
  if (!skipped) return true;
  const label = skipped.nodes[0]?.label ?? '';
  refusals.refuse(at, `holds also if ${label} is skipped, which no edge says`, 'use self for its failure');
  return false;
}

function decisionOf(formula: Formula, at: Located, refusals: Refusals): Conditions | undefined {
  if (formula.kind === 'literal') return checked([formula.literal], 'ALL', at, refusals);
  const literals = formula.of.flatMap((part) => (part.kind === 'literal' ? [part.literal] : []));
  if (literals.length < formula.of.length) {
    refusals.refuse(at, 'mixes && and || over results of steps', 'use one of them');
    return undefined;
  }
  return checked(literals, formula.kind === 'and' ? 'ALL' : 'ONE', at, refusals);
}

function checked(
  literals: readonly Literal[],
  needed: 'ALL' | 'ONE',
  at: Located,
  refusals: Refusals,
): Conditions | undefined {
  for (const { nodes, condition } of literals)
    if (nodes.length !== 1 && (condition === 'FAILED' || needed === 'ONE')) {
      refusals.refuse(
        at,
        `is about ${nodes.length} jobs of a scattered step`,
        'only the success of all of them can be a condition; or name one by its index',
      );
      return undefined;
    }
  return { literals, needed };
}

class Condition {
  readonly #at: Located;
  readonly #inputs: ReadonlyMap<string, Value>;
  readonly #refusals: Refusals;
  readonly #evaluator: Evaluator;

  constructor(at: Located, inputs: ReadonlyMap<string, Value>, refusals: Refusals) {
    this.#at = at;
    this.#inputs = inputs;
    this.#refusals = refusals;
    this.#evaluator = new Evaluator(refusals, { inputs });
  }

  outcome(expression: Expression): Outcome | undefined {
    if (expression.kind === 'literal') return { value: expression.value };
    if (expression.kind === 'reference') return this.#reference(expression);
    if (expression.kind === 'unary') return this.#unary(expression);
    const { sign } = expression;
    if (sign === '&&' || sign === '||') return this.#logic(sign === '&&' ? 'and' : 'or', expression);
    return this.#binary(expression);
  }

  #reference(reference: Extract<Expression, { kind: 'reference' }>): Outcome | undefined {
    const { root, path } = reference;
    if (root !== 'inputs' && root !== 'self') {
      const advice = 'use inputs, or self for the success of steps';
      this.#refusals.refuse(this.#at, `${[root, ...path].join('.')} is not known in a condition`, advice);
      return undefined;
    }
    const [name, ...rest] = path;
    let value = name === undefined ? undefined : this.#inputs.get(String(name));
    for (const part of rest)
      value = value !== undefined && isList(value) && typeof part === 'number' ? value[part] : undefined;
    if (value !== undefined && isPending(value)) {
      const [nodes, isOfInput] = [producersOf(value), root === 'inputs'];
      if (!isOfInput || isPresent(value))
        return { pending: { kind: 'literal', literal: { nodes, condition: 'SUCCEEDED', isOfInput } } };
      this.#refusals.refuse(
        this.#at,
        `the value of ${[root, ...path].join('.')} is known only when ${nodes[0]?.label ?? 'the step'} has run`,
        `use ${['self', ...path].join('.')} for the success of the step`,
      );
      return undefined;
    }
    const known = this.#evaluator.reference(this.#at, { ...reference, root: 'inputs' });
    return known === undefined ? undefined : { value: known };
  }

  #unary({ sign, of }: Extract<Expression, { kind: 'unary' }>): Outcome | undefined {
    const inner = this.outcome(of);
    if (!inner) return undefined;
    if ('pending' in inner) return sign === '!' ? { pending: negated(inner.pending) } : this.#compares();
    if (sign === '!') return { value: !isTrue(inner.value) };
    return typeof inner.value === 'number' ? { value: -inner.value } : this.#compares();
  }

  #logic(kind: 'and' | 'or', { left, right }: Extract<Expression, { kind: 'binary' }>): Outcome | undefined {
    const first = this.outcome(left);
    if (!first) return undefined;
    if ('value' in first && isTrue(first.value) === (kind === 'or')) return first;
    const second = this.outcome(right);
    if (!second || 'value' in first) return second;
    if ('value' in second) return isTrue(second.value) === (kind === 'or') ? second : first;
    const flat = [first.pending, second.pending].flatMap((part) => (part.kind === kind ? part.of : [part]));
    return { pending: { kind, of: flat } };
  }

  #binary({ sign, left, right }: Extract<Expression, { kind: 'binary' }>): Outcome | undefined {
    const [first, second] = [this.outcome(left), this.outcome(right)];
    if (!first || !second) return undefined;
    if ('value' in first && 'value' in second) return this.#known(sign, first.value, second.value);
    const isAboutNull = (outcome: Outcome): boolean => 'value' in outcome && outcome.value === null;
    if (sign.startsWith('!=') && (isAboutNull(first) || isAboutNull(second)))
      return 'pending' in first ? first : second;
    return this.#compares();
  }

  #known(sign: string, left: Value, right: Value): Outcome | undefined {
    const isExact = sign.length === 3 || left === null || right === null || typeof left === typeof right;
    if (/^[=!]=/.test(sign) && !isExact) return this.#compares('use === and !== for values of one type');
    if (sign.startsWith('==')) return { value: left === right };
    if (sign.startsWith('!=')) return { value: left !== right };
    if (typeof left === 'string' && typeof right === 'string') {
      if (sign === '+') return { value: left + right };
      if (/[<>]/.test(sign)) return { value: compared(sign, left < right ? -1 : Number(left > right)) };
    }
    if (typeof left !== 'number' || typeof right !== 'number') return this.#compares();
    if (/[<>]/.test(sign)) return { value: compared(sign, left - right) };
    return { value: computed(sign, left, right) };
  }

  #compares(advice = 'only the success of a step can be a condition'): undefined {
    this.#refusals.refuse(
      this.#at,
      'computes with values that are not known on import, or are of different types',
      advice,
    );
    return undefined;
  }
}

/** True for results of steps. */
function isPending(value: Value): boolean {
  if (value instanceof UnknownValue) return value.from !== undefined;
  if (value instanceof FileValue) return value.from !== undefined;
  return isList(value) && value.length > 0 && value.every(isPending);
}

/** True if the value exists exactly if its steps succeed. */
function isPresent(value: Value): boolean {
  // What was refused before is not refused again.
  if (value instanceof UnknownValue) return value.isPresent || value.reason === undefined;
  if (value instanceof FileValue) return !value.isOptional;
  return isList(value) && value.every(isPresent);
}

function isTrue(value: Value): boolean {
  return value !== null && value !== false && value !== 0 && value !== '';
}

function negated(formula: Formula): Formula {
  if (formula.kind !== 'literal')
    return { kind: formula.kind === 'and' ? 'or' : 'and', of: formula.of.map(negated) };
  const { literal } = formula;
  const condition = literal.condition === 'FAILED' ? 'SUCCEEDED' : 'FAILED';
  return { kind: 'literal', literal: { ...literal, condition } };
}

function compared(sign: string, difference: number): boolean {
  if (sign === '<') return difference < 0;
  if (sign === '<=') return difference <= 0;
  return sign === '>' ? difference > 0 : difference >= 0;
}

function computed(sign: string, left: number, right: number): number {
  if (sign === '+') return left + right;
  if (sign === '-') return left - right;
  if (sign === '*') return left * right;
  return sign === '/' ? left / right : left % right;
}
